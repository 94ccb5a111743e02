"""Every change analysis on the labelled pairs that are at hand: AUC, F1 and time. `python -m benchmarks.change`.

Pairs: Landsat Taizhou 2000–2003 (any change), six LEVIR-CD pictures (new buildings, RGB only) and the simulated city with planted changes.
The peer in the same run is what most scripts do: the length of the raw difference, no normalisation.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from rich.console import Console
from rich.table import Table

from grid.errors import InvalidInput
from grid.settings import ROOT
from imagery.scenes import analyses, evaluation, simulate
from imagery.scenes.accuracy import judge
from imagery.scenes.bands import BY_COUNT
from imagery.scenes.raster import write_geotiff

NAMES = BY_COUNT[6]


@dataclass(frozen=True, slots=True)
class Case:
    """A labelled pair of files."""

    name: str
    before: Path
    after: Path
    truth: Path


def real(root: Path) -> Iterator[Case]:
    """The shared real pairs, where present."""
    landsat = root / "satellite" / "landsat-cn"
    if landsat.is_dir():
        parts = ("20000317_landsat_b123457", "20030206_landsat_b123457", "truth_0unk_1unchanged_2changed")
        yield Case("landsat-taizhou", *(landsat / f"taizhou_{part}.tif" for part in parts))
    for label in sorted((root / "satellite" / "levir" / "label").glob("*.png")):
        yield Case(f"levir-{label.stem}", *(label.parents[1] / kind / label.name for kind in ("A", "B", "label")))


def simulated(folder: Path) -> Iterator[Case]:
    """One planted kind per pair over forest, farmland and houses."""
    random = np.random.default_rng(4)
    cover = [("forest", shapely.box(120.55, 36.14, 120.58, 36.17))]
    cover += [
        (("farmland", "residential", "orchard", "industrial")[random.integers(4)], shapely.box(x, y, x + 0.0025, y + 0.002))
        for x in np.arange(120.58, 120.60, 0.0025)
        for y in np.arange(36.14, 36.17, 0.002)
    ] + [("farmland", shapely.box(120.586, 36.150, 120.592, 36.156))]
    planted = {
        "clear_cut": shapely.box(120.56, 36.16, 120.564, 36.163),
        "construction": shapely.box(120.587, 36.151, 120.590, 36.154),
        "burn": shapely.Point(120.565, 36.15).buffer(0.003),
    }
    for kind, geom in planted.items():
        made = simulate.pair((120.55, 36.14, 120.60, 36.17), 10, cover, [(kind, geom)], 11)
        truth = (made.truth > 0).astype(np.uint8)[None] + 1
        paths = [
            write_geotiff(folder / f"{kind}-{name}.tif", pixels, made.transform, made.crs, bands=bands)
            for name, pixels, bands in (("before", made.before, NAMES), ("after", made.after, NAMES), ("truth", truth, ()))
        ]
        yield Case(f"simulated-{kind}", *paths)


def naive(case: Case) -> float:
    """AUC of the plain difference of the files' own values."""
    old, new = (evaluation.picture(path, ())[0] for path in (case.before, case.after))
    labels = evaluation.picture(case.truth, ("gray",), single=True)[0][0]
    changed, unchanged = evaluation.coding(labels, case.truth)
    score = np.sqrt(((new - old) ** 2).sum(axis=0))
    return judge(score, score > score.mean(), changed, unchanged).auc


def main() -> None:
    """Runs everything and prints a table and one JSON line."""
    console = Console(width=132)
    root = Path(os.environ.get("HDQ_TEST_DATA") or ROOT.parent / "shared" / "data")
    table = Table("pair", "analysis", "AUC", "F1", "IoU", "precision", "recall", "s", title="change analyses")
    figures: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in (*real(root), *simulated(Path(folder))):
            try:
                plain = naive(case)
            except InvalidInput as error:
                figures[case.name] = {"not_applicable": error.detail}
                table.add_row(case.name, error.detail)
                continue
            figures[case.name] = {"raw_difference": {"auc": round(plain, 4)}}
            table.add_row(case.name, "raw difference", f"{plain:.4f}")
            for analysis in analyses.catalogue().values():
                started = time.perf_counter()
                try:
                    accuracy = evaluation.change(case.before, case.after, case.truth, analysis.id)
                except InvalidInput as error:
                    figures[case.name][analysis.id] = {"not_applicable": error.detail}
                    continue
                seconds = time.perf_counter() - started
                figures[case.name][analysis.id] = accuracy.as_dict() | {"seconds": round(seconds, 2)}
                shown = (accuracy.auc, accuracy.f1, accuracy.iou, accuracy.precision, accuracy.recall)
                table.add_row("", analysis.id, *(f"{value:.4f}" for value in shown), f"{seconds:.1f}")
    console.print(table)
    print(json.dumps({"benchmark": "change", "pairs": figures}))


if __name__ == "__main__":
    main()
