"""An analysis against a labelled pair: georeferenced GeoTIFFs through the whole of `pairs`, or plain pictures pixel by pixel."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image
from rasterio.enums import Resampling
from rasterio.warp import reproject

from grid.errors import InvalidInput, UnknownCrs
from imagery.scenes import analyses, pairs
from imagery.scenes.accuracy import Accuracy, judge
from imagery.scenes.bands import bands_of
from imagery.scenes.invariants import fit_normalisation
from imagery.scenes.judging import judge as judge_all
from imagery.scenes.judging import prepare
from imagery.scenes.raster import MAGIC, footprint, open_raster

MOST_PIXELS = 60_000_000


BASELINES = ("irmad", "cva")
"""What every analysis is printed beside: unsupervised, no index, no parameter."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A pair and its truth on one grid: what `pairs.read` gives of the whole, and where the mask says changed and unchanged (rows, cols) bool.

    `pair` is None for pictures without georeference and for a scene alone (`alone`: before is all 0); the arrays then hold them pixel by pixel,
    `normalised` being after in the radiometry of before.
    """

    bands: tuple[str, ...]
    pair: pairs.Pair | None
    before: np.ndarray
    after: np.ndarray
    normalised: np.ndarray
    valid: np.ndarray
    changed: np.ndarray
    unchanged: np.ndarray
    alone: bool = False

    def judge(self, analysis: analyses.Analysis) -> Accuracy:
        """The analysis against the truth. InvalidInput when the pair lacks its bands."""
        if self.alone and not analysis.single:
            raise InvalidInput(f"{analysis.id} compares two scenes; there is one", remedy="give --before")
        bands = pairs.common_bands(self.bands, self.bands, analysis.bands)
        if self.pair is not None:
            pair, fitted = prepare(self.pair, analysis)
            score, mask, _ = judge_all(pair, analysis, fitted)
        else:
            picked = [self.bands.index(name) for name in bands]
            after = self.normalised if analysis.normalised else self.after
            finding = analysis.examine(self.before[picked], after[picked], self.valid)
            score, mask = finding.score, finding.mask
        return judge(score, mask, self.changed, self.unchanged)


def change(before: Path | None, after: Path, truth: Path, analysis_id: str, bands: tuple[str, ...] = (), parameters: str = "{}") -> Accuracy:
    """Runs an analysis over a pair and compares it with a truth mask; see `load` for the files.

    Raises NotFound (analysis), InvalidInput (parameters, bands, sizes, coding of the mask) and what opening raises.
    """
    analysis = analysis_of(analysis_id, parameters)
    return load(before, after, truth, bands, analysis).judge(analysis)


def beside(labelled: Labelled) -> dict[str, Accuracy | str]:
    """The baselines over the same pixels; the reason where one cannot judge them."""
    found: dict[str, Accuracy | str] = {}
    for name in BASELINES:
        try:
            found[name] = labelled.judge(analyses.get(name))
        except InvalidInput as error:
            found[name] = error.detail
    return found


def analysis_of(analysis_id: str, parameters: str = "{}") -> analyses.Analysis:
    """An analysis with parameters given as JSON. NotFound, or InvalidInput."""
    try:
        chosen = json.loads(parameters)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"parameters {parameters!r} are not JSON: {error}", remedy='e.g. {"sigmas": 2.5}') from error
    return analyses.get(analysis_id).with_parameters(chosen)


def load(before: Path | None, after: Path, truth: Path, bands: tuple[str, ...], analysis: analyses.Analysis) -> Labelled:
    """A labelled pair for an analysis. The mask has the values 0 unknown, 1 unchanged, 2 changed, or −1 unknown, 0 unchanged, 1 changed, or just
    two values of which the higher is changed, or 0 alone where nothing did.

    Rasters with a georeference go through `align`; pictures without one must be of one size and are taken as aligned. Without `before`, or
    where it is `after` again or lacks the bands of an analysis that can judge a scene alone, after is judged alone on its own pixels.
    InvalidInput when bands are missing.
    """
    if _needless(before, after, bands, analysis):
        return _alone(after, truth, bands, analysis)
    if _georeferenced(before) and _georeferenced(after):
        sources = [pairs.Source(path, _names(path, bands)) for path in (before, after)]
        pairs.common_bands(sources[0].bands, sources[1].bands, analysis.bands)
        pair = pairs.align(*sources)
        old, new, valid = pair.read((0, 0, pair.grid.height, pair.grid.width))
        return Labelled(pair.bands, pair, old, new, new, valid, *coding(_on_grid(truth, pair.grid), truth))
    old, old_names = picture(before, bands)
    new, new_names = picture(after, bands)
    labels = picture(truth, ("gray",), single=True)[0][0]
    if not old.shape[1:] == new.shape[1:] == labels.shape:
        raise InvalidInput(
            f"sizes differ: {old.shape[1:]}, {new.shape[1:]}, truth {labels.shape}", remedy="without georeference all three must be of one size"
        )
    shared = pairs.common_bands(old_names, new_names, ())
    pairs.common_bands(old_names, new_names, analysis.bands)
    old, new = old[[old_names.index(name) for name in shared]], new[[new_names.index(name) for name in shared]]
    flat = fit_normalisation(old.reshape(len(shared), -1), new.reshape(len(shared), -1))
    return Labelled(shared, None, old, new, flat.apply(new), np.ones(labels.shape, bool), *coding(labels, truth))


def _needless(before: Path | None, after: Path, bands: tuple[str, ...], analysis: analyses.Analysis) -> bool:
    if before is None:
        return True
    return analysis.single and (before == after or not set(analysis.bands) <= set(picture_bands(before, bands)))


def _alone(after: Path, truth: Path, bands: tuple[str, ...], analysis: analyses.Analysis) -> Labelled:
    pixels, names = picture(after, bands)
    pairs.common_bands(names, names, analysis.bands)
    georeferenced = _georeferenced(after)
    labels = picture(truth, ("gray",), single=True)[0][0]
    if georeferenced and _georeferenced(truth):
        with open_raster(after) as dataset:
            labels = _on_grid(truth, pairs.Grid(dataset.crs.to_wkt(), dataset.transform, dataset.width, dataset.height))
    if labels.shape != pixels.shape[1:]:
        raise InvalidInput(f"sizes differ: {pixels.shape[1:]}, truth {labels.shape}", remedy="without georeference both must be of one size")
    valid = np.isfinite(pixels).all(axis=0) & (pixels != 0).any(axis=0)
    pixels = np.where(valid, pixels, 0).astype(np.float32)
    return Labelled(names, None, np.zeros_like(pixels), pixels, pixels, valid, *coding(labels, truth), alone=True)


def picture_bands(path: Path, bands: tuple[str, ...]) -> tuple[str, ...]:
    """Band names of a file, without reading its pixels where it is a GeoTIFF."""
    with path.open("rb") as file:
        tiff = file.read(4) in MAGIC
    return _names(path, bands) if tiff else picture(path, bands)[1]


def _georeferenced(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(4) not in MAGIC:
            return False
    with open_raster(path) as dataset:
        try:
            footprint(dataset)
        except UnknownCrs:
            if dataset.crs is not None and not dataset.transform.is_identity:
                raise
            return False
    return True


def _names(path: Path, bands: tuple[str, ...]) -> tuple[str, ...]:
    with open_raster(path) as dataset:
        return tuple(band.name for band in bands_of(dataset.count, bands, dataset.descriptions))


def picture(path: Path, bands: tuple[str, ...], *, single: bool = False) -> tuple[np.ndarray, tuple[str, ...]]:
    """Pixels (bands, rows, cols) float32 of a GeoTIFF, PNG or JPEG, and its band names; `single` takes the first band of a mask."""
    with path.open("rb") as file:
        tiff = file.read(4) in MAGIC
    if tiff:
        with open_raster(path) as dataset:
            pixels, described = dataset.read().astype(np.float32), dataset.descriptions
    else:
        with Image.open(path, formats=["PNG", "JPEG"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise InvalidInput(f"{path.name!r} has {image.width} × {image.height} pixels", remedy=f"at most {MOST_PIXELS} pixels")
            array = np.array(image.convert("L" if single else "RGB"), np.float32)
        pixels, described = np.atleast_3d(array).transpose(2, 0, 1), ()
    if single:
        return pixels[:1], ("gray",)
    return pixels, tuple(band.name for band in bands_of(len(pixels), bands, described))


def _on_grid(truth: Path, grid: pairs.Grid) -> np.ndarray:
    labels = np.full((grid.height, grid.width), np.nan, np.float32)
    with open_raster(truth) as dataset:
        footprint(dataset)
        reproject(
            rasterio.band(dataset, 1), labels, src_nodata=dataset.nodata, dst_transform=grid.transform, dst_crs=grid.crs, dst_nodata=np.nan,
            resampling=Resampling.nearest,
        )  # fmt: skip
    return labels


def coding(labels: np.ndarray, truth: Path) -> tuple[np.ndarray, np.ndarray]:
    """Where a mask says changed, and where unchanged. InvalidInput when its values are neither of the codings."""
    values = np.unique(labels[np.isfinite(labels)])
    if set(values) <= {0, 1, 2} and 2 in values:
        return labels == 2, labels == 1
    if set(values) <= {-1, 0, 1} and -1 in values:
        return labels == 1, labels == 0
    if len(values) == 1 and values[0] == 0:
        return labels > 0, labels == 0
    if len(values) == 2:
        return labels == values[1], labels == values[0]
    raise InvalidInput(
        f"the truth {truth.name!r} has the values {', '.join(f'{value:g}' for value in values[:8])}",
        remedy="code it 0 unknown, 1 unchanged, 2 changed, or −1 unknown, 0 unchanged, 1 changed, or with two values, or all 0 for nothing changed",
    )
