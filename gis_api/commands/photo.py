"""hdq photo: what drones' pictures and telemetry say, one JSON line a file; a file that cannot be read says why, and the command ends with 1."""

import dataclasses
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import shapely
import typer
from pyproj import CRS

from grid.errors import HdqError
from imagery.scenes import drones, georeference, telemetry, thermal
from imagery.scenes.raster import open_raster
from imagery.terrain import load_terrain


def command(
    files: Annotated[list[Path], typer.Argument(help="JPEG or TIFF of a drone, radiometric JPEG, or telemetry .SRT")],
    surface: Annotated[Path | None, typer.Option(help="surface model (GeoTIFF of heights): adds the outline of each picture on the ground")] = None,
    reconstruction: Annotated[Path | None, typer.Option(help="OpenSfM or ODM reconstruction.json: its poses and lens in place of the pictures' own")] = None,
    rows: Annotated[bool, typer.Option("--rows", help="every row of a telemetry file, not only the first and last")] = False,
) -> None:
    """Prints time, place, height, gimbal, temperatures and ground outline of drone pictures and telemetry as JSON lines."""
    ground = None if surface is None else load_terrain(surface.resolve(), sigma_m=0.5)
    poses = {} if reconstruction is None else georeference.read_opensfm(reconstruction, grid=None if surface is None else _grid(surface))
    refused = 0
    for file in files:
        try:
            said = _telemetry(file, rows) if file.suffix.lower() == ".srt" else _picture(file, ground, poses)
        except HdqError as error:
            refused += 1
            said = {"file": file.name, **_refusal(error)}
        print(json.dumps(said, ensure_ascii=False, default=_plain))
    if refused:
        raise typer.Exit(1)


def _grid(surface: Path) -> CRS | None:
    """The projected system of the surface model, None where it has none."""
    with open_raster(surface.resolve()) as dataset:
        crs = None if dataset.crs is None else CRS.from_wkt(dataset.crs.to_wkt())
    return crs if crs is not None and crs.is_projected else None


def _telemetry(file: Path, every: bool) -> dict[str, object]:
    track = telemetry.read_srt(file)
    chosen = track.rows if every else (track.rows[0], track.rows[-1])
    return {
        "file": file.name,
        "kind": "telemetry",
        "dialect": track.dialect,
        "rows": len(track.rows),
        "rounding_m": round(track.rounding_m, 3),
        "track": [dataclasses.asdict(row) for row in chosen],
    }


def _picture(file: Path, ground: object, poses: dict[str, georeference.Frame]) -> dict[str, object]:
    photo = drones.read_photo(file)
    said: dict[str, object] = {"file": file.name, "kind": "photo", **dataclasses.asdict(photo)}
    del said["name"]
    if file.suffix.lower() in (".jpg", ".jpeg"):
        try:
            said["thermal"] = _temperatures(thermal.read_thermal(file)) if thermal.is_radiometric(file) else None
        except HdqError as error:
            said["thermal"] = _refusal(error)
    if ground is not None:
        try:
            frame = poses.get(file.stem) or poses.get(file.name) or photo.frame()
            middle = georeference.ground(frame, ground, frame.lens.width / 2, frame.lens.height / 2)
            said["ground"] = {
                "axes": frame.axes,
                "middle": [round(float(v), 7) for v in (middle.lon, middle.lat)] if np.isfinite(middle.lon) else None,
                "accuracy_m": round(float(middle.accuracy_m), 2) if np.isfinite(middle.accuracy_m) else None,
                "torn": bool(middle.torn),
                "outline": json.loads(shapely.to_geojson(georeference.outline(frame, ground))),
            }
        except HdqError as error:
            said["ground"] = _refusal(error)
    return said


def _temperatures(found: thermal.Thermogram) -> dict[str, object]:
    low, mean, high = (round(float(of(found.celsius)), 2) for of in (np.nanmin, np.nanmean, np.nanmax))
    shape = list(found.celsius.shape)
    return {"maker": found.maker, "rows_columns": shape, "min_c": low, "mean_c": mean, "max_c": high, "accuracy_c": round(found.accuracy_c, 2)} | dataclasses.asdict(
        found.scenery
    )


def _refusal(error: HdqError) -> dict[str, str]:
    return {"refused": error.detail, "remedy": error.remedy}


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in JSON")
