"""A simulated city with known truth through the product's surveys: seasons, clouds, misregistration, haze, tide. `python -m benchmarks.surveys`.

Each city is 10 × 10 km of 10 m pixels (`imagery.scenes.simulated_city`): written as files, masked (`masks.beside`), put on one grid with the shift
measured (`pairs.align`), judged by the analysis that each planted kind asks for (`survey.examine`) with parameters for small patches. A planted change
counts when it is of 400 m² or more and 30 m about it no cloud and no shadow stands in either scene; it is found when patches of its analysis cover
30 % of it. A patch is false when less than a quarter of it lies on planted change (of any kind, 10 m about it). The tide's share is what the shoreline
analysis reports of the pixels that only the tide changed.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from pyproj import Transformer
from rasterio.features import rasterize
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from imagery.scenes import analyses, masks, pairs, simulated_city, survey
from imagery.scenes.raster import write_geotiff
from imagery.scenes.simulate import BANDS
from imagery.scenes.simulated_city import KINDS, City
from imagery.scenes.simulated_sky import Sky

ASKED = {
    "clear_cut": ("vegetation_loss", {"drop": 0.13, "minimum_area_m2": 250, "look_again": True}),
    "construction": ("built_up", {"rise": 0.1, "brighter": 1.2, "far_brighter": 1.3, "green_after": 0.38, "minimum_area_m2": 250}),
    "burn": ("burn", {"severity": 0.2, "minimum_area_m2": 250}),
}
"""Planted kind -> the analysis that is asked, with the parameters of a survey for patches from 400 m² on."""
SETTINGS = (
    (Sky(0.0), Sky(0.0, haze=120, gain=0.97, sun_azimuth=160, shift_px=(0.3, 0.2)), (0.4, -0.2)),
    (Sky(0.03, 1000, 150, 52, 100), Sky(0.03, 1300, 165, 42, 350, 0.94, (1.4, -0.9)), (0.3, -1.1)),
    (Sky(0.05, 800, 145, 55, 60), Sky(0.04, 1500, 168, 40, 250, 1.05, (-1.6, 1.2)), (-0.9, 1.3)),
)
"""Skies before and after, and the water levels: quiet; haze and 1.7 pixels; more cloud and 2.0 pixels."""
BUFFER_PX = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of a city: changes wanted and found, patches reported and false, pixels that only the tide changed and those reported."""

    wanted: int
    found: int
    patches: int
    false: int
    km2: float
    tidal: int
    tidal_reported: int
    filled: int
    filled_found: int
    explained: dict[str, int]
    shift_error_px: float
    seconds: float


def sources(city: City, folder: Path) -> tuple[pairs.Source, pairs.Source]:
    """The two scenes as files with their masks beside them."""
    made = []
    for name, sky in zip(("before", "after"), city.skies, strict=True):
        path = write_geotiff(folder / f"{name}.tif", getattr(city, name), city.transform, city.crs, bands=BANDS, nodata=0)
        made.append(pairs.Source(path, BANDS, masks.beside(path, BANDS, masks.Sun(sky.sun_azimuth, sky.sun_elevation))))
    return made[0], made[1]


def burnt(geoms: list[shapely.Geometry], city: City, crs: str = "EPSG:4326") -> np.ndarray:
    """Number of each outline on the pixels of the city, from 1; 0 elsewhere."""
    project = Transformer.from_crs(crs, city.crs, always_xy=True).transform
    shapes = [(shapely.transform(geom, project, interleaved=False), number) for number, geom in enumerate(geoms, 1)]
    return rasterize(shapes, city.truth.shape, transform=city.transform, dtype=np.int32) if shapes else np.zeros(city.truth.shape, np.int32)


def measure(city: City, folder: Path) -> Tally:
    """Surveys a city and compares with its truth."""
    started = time.perf_counter()
    before, after = sources(city, folder)
    seen = ndimage.binary_erosion(city.clear, np.ones((3, 3)), iterations=BUFFER_PX, border_value=1)
    anything = ndimage.binary_dilation(city.truth > 0, np.ones((3, 3)))
    wanted = found = patches = false = 0
    explained: Counter[str] = Counter()
    shift = (0.0, 0.0)
    for kind, (name, parameters) in ASKED.items():
        outcome = survey.examine(before, after, analyses.get(name).with_parameters(parameters))
        explained.update(outcome.result["explained"])
        shift = outcome.result["shift"]["east"], outcome.result["shift"]["south"]
        labels = burnt([one.geom for one in outcome.patches], city)
        sizes = np.bincount(labels.ravel(), minlength=len(outcome.patches) + 1)[1:]
        on = np.bincount(labels[anything], minlength=len(outcome.patches) + 1)[1:]
        patches += len(outcome.patches)
        false += int((on < 0.25 * sizes).sum())
        planted = [one for one in city.planted if one.kind == kind and one.area_m2 >= 400]
        plots = burnt([one.geom for one in planted], city, city.crs)
        count = np.bincount(plots.ravel(), minlength=len(planted) + 1)[1:]
        clear = np.bincount(plots[seen], minlength=len(planted) + 1)[1:]
        hit = np.bincount(plots[labels > 0], minlength=len(planted) + 1)[1:]
        asked = (count > 0) & (clear == count)
        wanted += int(asked.sum())
        found += int((asked & (hit >= 0.3 * count)).sum())
    tidal, reported, filled, filled_found = tide(city, before, after, seen)
    moved = np.subtract(city.skies[1].shift_px, city.skies[0].shift_px)
    error = float(np.hypot(*(np.array(shift) - moved)))
    return Tally(
        wanted, found, patches, false, city.truth.size / 1e4, tidal, reported, filled, filled_found, dict(explained), error, time.perf_counter() - started
    )  # fmt: skip


def tide(city: City, before: pairs.Source, after: pairs.Source, seen: np.ndarray) -> tuple[int, int, int, int]:
    """Pixels that only the tide changed and how many of them shoreline reports; planted fill in the water and how much of it reclamation finds."""
    least, most = sorted(city.tides)
    tidal = seen & (city.height > least) & (city.height < most) & ~ndimage.binary_dilation(city.truth > 0, np.ones((3, 3)), iterations=2)
    known = {"tide_before_m": city.tides[0], "tide_after_m": city.tides[1], "beach_slope": 0.012}
    shore = survey.examine(before, after, analyses.get("shoreline").with_parameters(known | {"minimum_area_m2": 400}))
    reported = burnt([one.geom for one in shore.patches], city) > 0
    fill = survey.examine(before, after, analyses.get("reclamation").with_parameters(known | {"minimum_area_m2": 1500}))
    labels = burnt([one.geom for one in fill.patches], city)
    planted = [one.geom for one in city.planted if one.kind == "reclamation"]
    plots = burnt(planted, city, city.crs)
    count = np.bincount(plots.ravel(), minlength=len(planted) + 1)[1:]
    wet = np.bincount(plots[seen & (city.height < city.tides[0] - 0.3)], minlength=len(planted) + 1)[1:]
    hit = np.bincount(plots[labels > 0], minlength=len(planted) + 1)[1:]
    asked = (count > 0) & (wet == count)
    return int(tidal.sum()), int((tidal & reported).sum()), int(asked.sum()), int((asked & (hit >= 0.3 * count)).sum())


def main() -> None:
    """Surveys the cities, prints a table and one JSON line."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--size", type=int, default=1000)
    asked.add_argument("--changes", type=int, default=300)
    given = asked.parse_args()
    table = Table("city", "shift error px", "changes", "found", "patches", "false", "tidal px", "reported", "fill", "found", "explained", "s", title="surveys")
    tallies = []
    for number, (first, second, tides) in enumerate(SETTINGS):
        city = simulated_city.city(given.seed + number, size=given.size, changes=given.changes, skies=(first, second), tides=tides)
        with tempfile.TemporaryDirectory() as folder:
            one = measure(city, Path(folder))
        tallies.append(one)
        shown = (one.wanted, one.found, one.patches, one.false, one.tidal, one.tidal_reported, one.filled, one.filled_found)
        table.add_row(str(number + 1), f"{one.shift_error_px:.2f}", *map(str, shown), str(one.explained), f"{one.seconds:.0f}")
    total = {name: sum(getattr(one, name) for one in tallies) for name in ("wanted", "found", "patches", "false", "km2", "tidal", "tidal_reported", "filled", "filled_found")}
    Console(width=170).print(table)
    figures = {
        "recall_400m2": round(total["found"] / total["wanted"], 4),
        "false_share": round(total["false"] / total["patches"], 4),
        "false_per_100km2": round(100 * total["false"] / total["km2"], 2),
        "tide_false": round(total["tidal_reported"] / total["tidal"], 5),
        "reclamation_recall": round(total["filled_found"] / max(total["filled"], 1), 4),
        "shift_error_px": round(max(one.shift_error_px for one in tallies), 3),
        "planted": total["wanted"], "patches": total["patches"], "km2": total["km2"], "kinds": list(KINDS),
    }  # fmt: skip
    print(json.dumps({"benchmark": "surveys"} | figures))


if __name__ == "__main__":
    main()
