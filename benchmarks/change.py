"""Change analyses on the labelled pairs that are at hand, beside IR-MAD, CVA and the plain difference. `python -m benchmarks.change`.

Pairs: Landsat Taizhou 2000–2003 (any change), a Sentinel-2 and a Sentinel-1 scene of a flood (each alone), six LEVIR-CD pictures (new
buildings, RGB only; one without change) and the simulated city with planted changes. F1 is of the analysis' own threshold; "best F1" of the
best threshold that the truth would choose, which no analysis may do: to be ahead of a baseline is to be ahead of that.
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
from skimage.filters import threshold_otsu

from grid.errors import InvalidInput
from grid.settings import ROOT
from imagery.scenes import analyses, evaluation, simulate
from imagery.scenes.accuracy import Accuracy, judge
from imagery.scenes.bands import BY_COUNT
from imagery.scenes.raster import write_geotiff

NAMES = BY_COUNT[6]


@dataclass(frozen=True, slots=True)
class Case:
    """A labelled pair of files."""

    name: str
    before: Path | None
    after: Path
    truth: Path
    asked: str
    """The analysis that the truth asks for."""


def real(root: Path) -> Iterator[Case]:
    """The shared real pairs, where present."""
    landsat = root / "satellite" / "landsat-cn"
    if landsat.is_dir():
        parts = ("20000317_landsat_b123457", "20030206_landsat_b123457", "truth_0unk_1unchanged_2changed")
        yield Case("landsat-taizhou", *(landsat / f"taizhou_{part}.tif" for part in parts), "change_vector")
    flood = root / "satellite" / "sen1floods11"
    for label in sorted((flood / "Labels").glob("*_LabelHand.tif")):
        place = label.name.removesuffix("_LabelHand.tif")
        for kind, asked in (("S2", "flood_extent"), ("S1", "flood_sar")):
            yield Case(f"flood-{place}-{kind}", None, flood / kind / f"{place}_{kind}Hand.tif", label, asked)
    for label in sorted((root / "satellite" / "levir" / "label").glob("*.png")):
        yield Case(f"levir-{label.stem}", *(label.parents[1] / kind / label.name for kind in ("A", "B", "label")), "buildings_vhr")


def simulated(folder: Path) -> Iterator[Case]:
    """One planted kind per pair over forest, farmland and houses."""
    random = np.random.default_rng(4)
    cover = [("forest", shapely.box(120.55, 36.14, 120.58, 36.17))]
    cover += [
        (("farmland", "residential", "orchard", "industrial")[random.integers(4)], shapely.box(x, y, x + 0.0025, y + 0.002))
        for x in np.arange(120.58, 120.60, 0.0025)
        for y in np.arange(36.14, 36.17, 0.002)
    ] + [("farmland", shapely.box(120.586, 36.150, 120.592, 36.156))]
    asked = {"clear_cut": "vegetation_loss", "construction": "built_up", "burn": "burn"}
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
        yield Case(f"simulated-{kind}", *paths, asked[kind])


def plain(case: Case) -> Accuracy:
    """The length of the plain difference of the files' own values, Otsu's threshold: what most scripts do."""
    old, new = (evaluation.picture(path, ())[0] for path in (case.before, case.after))
    labels = evaluation.picture(case.truth, ("gray",), single=True)[0][0]
    score = np.sqrt(((new - old) ** 2).sum(axis=0))
    return judge(score, score >= threshold_otsu(score), *evaluation.coding(labels, case.truth))


def examine(case: Case) -> dict[str, dict[str, float | str | None]]:
    """Figures per analysis of a case: the asked one first, the peers, then every other that can be run on it."""
    found: dict[str, dict] = {}
    others = [name for name in analyses.catalogue() if name != case.asked]
    for name in (case.asked, *others):
        started = time.perf_counter()
        try:
            accuracy = evaluation.change(case.before, case.after, case.truth, name)
        except InvalidInput as error:
            found[name] = {"not_applicable": error.detail}
            continue
        found[name] = accuracy.as_dict() | {"seconds": round(time.perf_counter() - started, 2)}
    if case.before is not None:
        found["raw_difference"] = plain(case).as_dict()
    return found


def pooled(figures: dict[str, dict[str, dict]], prefix: str) -> dict[str, dict[str, float]]:
    """F1 over all pixels of the cases whose name begins so, per analysis that could judge every one of them; and the mean of best F1."""
    cases = [found for name, found in figures.items() if name.startswith(prefix)]
    pooled = {}
    for name in cases[0] if cases else ():
        if any("f1" not in found[name] for found in cases):
            continue
        hit = sum(found[name]["recall"] * found[name]["changed"] for found in cases)
        false = sum(found[name]["false_share"] * found[name]["unchanged"] for found in cases)
        changed = sum(found[name]["changed"] for found in cases)
        asked = [found[name] for found in cases if found[name]["changed"]]
        pooled[name] = {
            "f1": round(2 * hit / (hit + false + changed), 4),
            "mean_f1": round(float(np.mean([one["f1"] for one in asked])), 4),
            "mean_best_f1": round(float(np.mean([one["best_f1"] for one in asked])), 4),
        }
    return pooled


def main() -> None:
    """Runs everything and prints a table and one JSON line."""
    console = Console(width=132)
    root = Path(os.environ.get("HDQ_TEST_DATA") or ROOT.parent / "shared" / "data")
    table = Table("pair", "analysis", "AUC", "F1", "IoU", "precision", "recall", "best F1", "s", title="change analyses")
    figures: dict[str, dict[str, dict]] = {}
    columns = ("auc", "f1", "iou", "precision", "recall", "best_f1")
    with tempfile.TemporaryDirectory() as folder:
        for case in (*real(root), *simulated(Path(folder))):
            figures[case.name] = examine(case)
            for number, (name, found) in enumerate(figures[case.name].items()):
                if "not_applicable" in found:
                    continue
                shown = ("—" if found[key] is None else f"{found[key]:.4f}" for key in columns)
                table.add_row("" if number else case.name, f"[bold]{name}" if name == case.asked else name, *shown, f"{found.get('seconds', 0):.1f}")
    vhr = pooled(figures, "levir-")
    for name, found in vhr.items():
        table.add_row("" if name != next(iter(vhr)) else "levir, all pixels", name, "", f"{found['f1']:.4f}", "", "", "", f"{found['mean_best_f1']:.4f} (mean)", "")
    console.print(table)
    print(json.dumps({"benchmark": "change", "pairs": figures, "levir": vhr}))


if __name__ == "__main__":
    main()
