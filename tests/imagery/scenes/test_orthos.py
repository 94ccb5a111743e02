"""Objects of an orthomosaic: found once, in the right place, across tiles, and through the one door."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from psycopg import AsyncConnection
from pyproj import Transformer
from rasterio import Affine
from skimage.measure import label, regionprops

from grid.database import rows
from grid.errors import InvalidInput
from grid.geometry import area_m2
from imagery.cameras import frames, weights
from imagery.cameras.engines import Box
from imagery.scenes.orthos import Model, accept, detect, findings
from imagery.scenes.raster import write_geotiff

CRS, CELL = "EPSG:32651", 0.1
ORIGIN = (265_000.0, 4_010_000.0)
AFFINE = Affine(CELL, 0, ORIGIN[0], 0, -CELL, ORIGIN[1])
MODEL = Model("reds", "1.0", "a" * 64)


class Reds:
    """Finds patches of red: a detector whose boxes are known to the pixel."""

    side = 256

    def boxes(self, image: np.ndarray, threshold: float, *, overlap: float = 0.5, limit: int = 100) -> tuple[Box, ...]:
        red = (image[..., 0] > 150) & (image[..., 1] < 100)
        return tuple(
            Box(*(float(v) for v in (left, top, right, bottom)), 0.9, "car")
            for top, left, bottom, right in (region.bbox for region in regionprops(label(red)))
            if (bottom - top) * (right - left) > 20
        )


def mosaic(path: Path, cars: list[tuple[int, int, int, int]], shape: tuple[int, int] = (700, 900)) -> Path:
    """Grey ground with red boxes (left, top, right, bottom)."""
    pixels = np.full((3, *shape), 90, np.uint8)
    for left, top, right, bottom in cars:
        pixels[:, top:bottom, left:right] = np.array([200, 20, 20], np.uint8)[:, None, None]
    return write_geotiff(path, pixels, AFFINE, CRS, bands=("red", "green", "blue"))


def test_every_object_once_wherever_tiles_meet(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    cars = [(x, y, x + 45, y + 20) for y in range(10, 660, 50) for x in (int(v) for v in range(5, 840, 70))]
    cars = [tuple(v + int(random.integers(0, 5)) for v in car[:2]) for car in cars]
    cars = [(x, y, x + 45, y + 20) for x, y in cars]
    seen = detect(mosaic(tmp_path / "m.tif", cars), Reds(), threshold=0.5, largest_m=5)
    assert sorted(one.box for one in seen) == sorted(cars)
    back = Transformer.from_crs("EPSG:4326", CRS, always_xy=True)
    for one in seen:
        x, y = back.transform(one.footprint.centroid.x, one.footprint.centroid.y)
        left, top, right, bottom = one.box
        assert (x - ORIGIN[0], ORIGIN[1] - y) == pytest.approx(((left + right) / 2 * CELL, (top + bottom) / 2 * CELL), abs=0.01)
        assert area_m2(one.footprint) == pytest.approx(4.5 * 2.0, rel=0.01) and (one.width_m, one.height_m) == pytest.approx((4.5, 2.0), rel=0.01)
    assert seen[0].accuracy_m == pytest.approx(2.15, abs=0.1)


def test_the_model_sees_the_ground_size_it_asks_for(tmp_path: Path) -> None:
    path = mosaic(tmp_path / "m.tif", [(100, 100, 145, 120), (600, 400, 645, 420)])
    coarse = detect(path, Reds(), threshold=0.5, largest_m=5, gsd_m=0.2)
    assert [one.width_m for one in coarse] == pytest.approx([4.5, 4.5], abs=0.21)
    with pytest.raises(InvalidInput, match="longest object"):
        detect(path, Reds(), threshold=0.5, largest_m=40)
    assert detect(path, Reds(), threshold=0.5, labels=frozenset({"boat"})) == ()


def test_a_picture_without_a_place_is_refused(tmp_path: Path) -> None:
    pixels = np.zeros((3, 300, 300), np.uint8)
    degrees = write_geotiff(tmp_path / "d.tif", pixels, Affine(1e-6, 0, 120.4, 0, -1e-6, 36.1), "EPSG:4326", bands=("red", "green", "blue"))
    with pytest.raises(InvalidInput, match="CRS WGS 84"):
        detect(degrees, Reds(), threshold=0.5)
    with pytest.raises(InvalidInput, match="1 bands"):
        detect(write_geotiff(tmp_path / "g.tif", pixels[:1], AFFINE, CRS, bands=("gray",)), Reds(), threshold=0.5)


async def test_through_the_one_door_once(conn: AsyncConnection, tmp_path: Path) -> None:
    path = mosaic(tmp_path / "m.tif", [(100, 100, 145, 120), (600, 400, 645, 420)])
    seen = detect(path, Reds(), threshold=0.5, largest_m=5)
    given = findings(path, seen, MODEL, {"car": "vehicle"}, datetime(2026, 9, 1, 3, tzinfo=UTC))
    assert [one.new for one in await accept(conn, given)] == [True, True]
    assert [one.new for one in await accept(conn, given)] == [False, False]
    (first, _) = await rows(conn, "SELECT * FROM observations ORDER BY id")
    assert (first["kind"], first["sensor_kind"], first["model_version"], first["model_hash"]) == ("vehicle", "drone", "1.0", "a" * 64)
    assert first["accuracy_m"] == pytest.approx(2.15, abs=0.1) and first["footprint"].area > 0
    assert findings(path, seen, MODEL, {}, datetime(2026, 9, 1, 3, tzinfo=UTC)) == []


def test_real_cars_with_real_weights(real_data, tmp_path: Path) -> None:
    """A real clip from above a car park, laid down six times in a mosaic of 2 cm so that tiles cut its cars. The only weights at hand learned from
    street level and call a car's roof a cell phone: what is tested is that each is found once and in its place, not its name."""
    folder, clip = real_data("weights/coco-yolo11n-int8-openvino"), real_data("video/car-detection.mp4")
    engine = weights.load_engine(weights.add_model(tmp_path / "models", folder, model_id="coco", licence="", provenance=""))
    picture = next(frame.image for frame in frames.video(clip, key_frames=False) if frame.number == 210)
    ground = np.median(picture.reshape(-1, 3), axis=0).astype(np.uint8)
    pixels = np.tile(ground[:, None, None], (1, 1400, 2000))
    places = [(x, y) for y in (60, 660) for x in (40, 640, 1240)]
    for x, y in places:
        pixels[:, y : y + 432, x : x + 500] = picture[:, :500].transpose(2, 0, 1)
    path = write_geotiff(tmp_path / "park.tif", pixels, Affine(0.02, 0, ORIGIN[0], 0, -0.02, ORIGIN[1]), CRS, bands=("red", "green", "blue"))
    seen = detect(path, engine, threshold=0.4, labels=frozenset({"car", "cell phone"}), largest_m=6)
    truth = [(x + dx, y + dy) for x, y in places for dx, dy in ((161, 271), (393, 231))]
    middles = np.array([((one.box[0] + one.box[2]) / 2, (one.box[1] + one.box[3]) / 2) for one in seen])
    hits = [bool((np.hypot(*(middles - place).T) * 0.02 < 1.0).any()) for place in truth]
    assert sum(hits) >= 10 and len(seen) <= 14, (hits, [(one.label, round(one.score, 2), [int(v) for v in one.box]) for one in seen])


def test_trees_are_no_class_of_these_weights(real_data, tmp_path: Path) -> None:
    """The only labelled mosaic at hand shows trees, for which no weights are to be had: nothing else may be seen in it with confidence."""
    folder, ortho = real_data("weights/coco-yolo11n-int8-openvino"), real_data("drone/ortho/OSBS_029.tif")
    engine = weights.load_engine(weights.add_model(tmp_path / "models", folder, model_id="coco", licence="", provenance=""))
    assert detect(ortho, engine, threshold=0.5, labels=frozenset({"car", "truck", "bus", "person", "boat"})) == ()
