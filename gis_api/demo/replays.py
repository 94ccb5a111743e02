"""What a few cameras show: recorded frames where real ones are at hand, else pictures that packages carry and frames that we draw.

All go through the same pipeline as live frames. A recording of elsewhere is shown by a simulated camera, which is marked so on screen.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from gis_api.demo import blaze, calm, pictures, terrain
from grid.settings import Settings
from grid.world.cameras import Camera
from imagery.cameras import labelled
from imagery.terrain import load_terrain

TOWERS = 5
FRAMES_A_TOWER = 4
STREETS = 3
SMOKE, GARBAGE, VIDEO = "cameras/hpwren-smoke/labelled", "cameras/street-garbage/valid/images", "video/car-detection.mp4"


def give_streams(cameras: Sequence[Camera], settings: Settings) -> list[Camera]:
    """The cameras, some of them with a stream and detectors: towers with smoke and one without, street cameras with traffic and litter.

    Two of the towers are turned to see the smoke of their first picture on one place (`blaze`)."""
    folder = settings.data_dir / "replay"
    high = [c for c in cameras if c.kind == "tower"]
    towers = high[:TOWERS]
    streets = [c for c in cameras if c.kind == "street" and c.state == "online" and c.region_code.startswith("370202")][:STREETS]
    given: dict[str, Camera] = {}
    for number, tower in enumerate(towers):
        path = _smoke(folder / f"tower-{number + 1}", number, settings.test_data)
        given[tower.code] = _showing(tower, path, f"replay:{path}?hold=3&limit={FRAMES_A_TOWER}", ("smoke-fire",))
    ground = load_terrain(terrain.file(settings.data_dir))
    at, seeing = blaze.place(towers, ground) or (None, ())
    for number in seeing:
        tower = given[towers[number].code]
        given[tower.code] = blaze.turned(tower, _foot(number, settings.test_data), at, ground)
    for tower in high[TOWERS : TOWERS + 1]:
        quiet = calm.show(calm.folder_of(settings.data_dir), datetime.now(UTC)).parent
        given[tower.code] = _showing(tower, quiet, f"folder:{quiet}", ("smoke-fire",))
    for number, street in enumerate(streets):
        path, limit, detectors = _street(folder / f"street-{number + 1}", number, settings.test_data)
        given[street.code] = _showing(street, path, f"replay:{path}?hold=3&limit={limit}", detectors)
    return [given.get(camera.code, camera) for camera in cameras]


def _smoke(folder: Path, number: int, real: Path | None) -> Path:
    """Frames of one tower: a share of the labelled ones when they are there, else drawn."""
    files = _recorded(number, real)
    return _copied(files, folder) if files else pictures.write_sequence(folder, f"T{number + 1}")


def _recorded(number: int, real: Path | None) -> list[Path]:
    """The labelled pictures that a tower shows; none when they are not at hand."""
    return sorted((real / SMOKE).glob("*.jpeg"))[number * 11 : number * 11 + FRAMES_A_TOWER] if real else []


def _foot(number: int, real: Path | None) -> tuple[float, float]:
    """Where the smoke stands in a tower's first picture, as shares of its width and height: the foot of its largest labelled box."""
    files = _recorded(number, real)
    if not files:
        return pictures.foot(f"T{number + 1}")
    known = {picture.path: picture.boxes for picture in labelled.read_pictures(files[0].parent, files[0].parent, ())}
    box = max(known[files[0]] or (), key=lambda each: each.width * each.height, default=None)
    return (0.5, 0.6) if box is None else (box.x, box.y + box.height / 2)


def _street(folder: Path, number: int, real: Path | None) -> tuple[Path, int, tuple[str, ...]]:
    """What a street camera shows: litter, then traffic, then litter again where recorded pictures are there; else what ultralytics carries."""
    if real and number == 1 and (real / VIDEO).is_file():
        return real / VIDEO, 12, ("vehicles",)
    if real and (real / GARBAGE).is_dir():
        files = sorted(p for p in (real / GARBAGE).iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
        return _copied(files[number * 7 : number * 7 + 5], folder), 5, ("vehicles", "street-litter")
    packaged = Path(find_spec("ultralytics").origin).parent / "assets"
    carried = [packaged / name for name in ("bus.jpg", "zidane.jpg")]
    return _copied([carried[number % 2]], folder), 1, ("vehicles", "street-litter")


def _copied(files: Sequence[Path], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        target = folder / file.name
        if not target.exists():
            shutil.copyfile(file, target)
    return folder


def _showing(camera: Camera, path: Path, stream: str, detectors: tuple[str, ...]) -> Camera:
    """The camera with its stream; the size of its picture is that of the first recorded one."""
    first = next((p for p in sorted(path.iterdir()) if p.suffix.lower() in (".jpg", ".jpeg", ".png")), None) if path.is_dir() else None
    width, height = (camera.image_width, camera.image_height)
    if first is not None:
        with Image.open(first) as picture:
            width, height = picture.size
    return replace(camera, stream=stream, detectors=detectors, state="online", image_width=width, image_height=height)
