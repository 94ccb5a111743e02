"""A watched folder of scenes: files, archives and products' folders that are put there are registered, once they are whole.

Which are whole, and where they go then, says grid/dropbox.py. Beside `NAME` a `NAME.scene.json` may say what the web door asks: datetime, bands, id,
collection, title, crs, sha256, height_m, tide_m, elsewhere.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg_pool import AsyncConnectionPool

from grid import dropbox
from grid.errors import HdqError, InvalidInput, TooLarge
from imagery.scenes import catalogue
from imagery.scenes.readers import files_of, moment

SAYS = ".scene.json"
ENDINGS = (".tif", ".tiff", ".zip", ".tar", ".tar.gz", ".tgz")
MOST_SAYS = 65_536
TEXTS = ("bands", "id", "collection", "title", "crs", "sha256", "datetime")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one thing in the folder: the scene's id, or why it was refused."""

    name: str
    scene_id: str = ""
    refusal: str = ""


def wanted(path: Path) -> bool:
    """Whether it may be a scene: a folder, or a file whose name ends as GeoTIFFs and archives do, whose side file is whole, too."""
    side = beside(path)
    return (path.is_dir() or path.name.lower().endswith(ENDINGS)) and (not side.is_file() or dropbox.settled(side, 0.0))


def beside(path: Path) -> Path:
    """The file that says what is not in the picture."""
    return path.with_name(path.name + SAYS)


async def take(pool: AsyncConnectionPool, data_dir: Path, folder: Path, *, city_code: str, max_bytes: int, tide_file: Path | None = None, quiet_s: float = dropbox.QUIET_S) -> list[Taken]:
    """Registers every whole thing in the folder, each in a transaction of its own. No connection is held while one is decoded."""
    done = []
    for path in await asyncio.to_thread(dropbox.whole, folder, wanted, quiet_s, folders=True):
        try:
            size = sum(file.stat().st_size for file in await asyncio.to_thread(files_of, path))
            if size > max_bytes and path.is_file():
                raise TooLarge(f"{path.name!r} has {size:,} bytes", remedy=f"at most {max_bytes:,}: cut it into parts, or raise HDQ_MAX_UPLOAD_MB")
            scene = await catalogue.register_apart(pool.connection, data_dir, path, city_code=city_code, tide_file=tide_file, **said(path))
        except HdqError as refusal:
            dropbox.put_away(path, beside(path), refusal)
            done.append(Taken(path.name, refusal=refusal.detail))
            continue
        dropbox.put_away(path, beside(path))
        done.append(Taken(path.name, scene.id))
    return done


def said(path: Path) -> dict[str, Any]:
    """Arguments of `catalogue.register` from the side file; none where there is no such file. InvalidInput names what is wrong in it."""
    side = beside(path)
    if side.is_symlink() or not side.is_file():
        return {}
    try:
        if side.stat().st_size > MOST_SAYS:
            raise ValueError("too long")
        found = dict(json.loads(side.read_bytes()))
    except (ValueError, TypeError, RecursionError) as damage:
        raise InvalidInput(f"{side.name} is no JSON object: {str(damage)[:80]}", remedy='{"datetime": "2026-09-15T10:45:00+08:00", "bands": "blue,green,red,nir"}') from damage
    kinds = dict.fromkeys(TEXTS, str) | {"height_m": (int, float), "tide_m": (int, float), "elsewhere": bool}
    wrong = sorted(key for key, value in found.items() if key not in kinds or not isinstance(value, kinds[key]) or (key in ("height_m", "tide_m") and isinstance(value, bool)))
    if wrong:
        raise InvalidInput(f"{side.name}: unknown or of a wrong type: {', '.join(wrong)[:120]}", remedy=f"known are {', '.join(sorted(kinds))}")
    made = {key: found[key] for key in ("collection", "title", "crs", "sha256", "height_m", "tide_m", "elsewhere") if key in found}
    if "datetime" in found:
        made["taken_at"] = moment(found["datetime"], "")
    if "bands" in found:
        made["bands"] = tuple(name.strip() for name in found["bands"].split(",") if name.strip())
    return made | ({"scene_id": found["id"]} if "id" in found else {})
