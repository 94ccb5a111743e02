"""hdq drone: what a drone's products hold: volumes between surface models, objects of an orthomosaic, footprints and movement of a video."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import shapely
import typer

from gis_api.commands import settings_or_exit
from grid.errors import HdqError
from imagery.cameras import frames, weights
from imagery.scenes import orthos, telemetry, video, volumes
from imagery.scenes.georeference import Lens
from imagery.terrain import flat, load_terrain

group = typer.Typer(help="无人机成果 · What a drone's products hold, as JSON lines.", no_args_is_help=True)
THRESHOLD = typer.Option(min=0.01, max=0.99, help="least score of a box")


def _print(said: dict[str, object]) -> None:
    print(json.dumps(said, ensure_ascii=False))


def _refuse(error: HdqError) -> typer.Exit:
    _print({"refused": error.detail, "remedy": error.remedy})
    return typer.Exit(1)


@group.command("volume")
def volume(
    before: Annotated[Path, typer.Argument(help="surface model of the earlier flight, GeoTIFF in metres")],
    after: Annotated[Path, typer.Argument(help="surface model of the later flight")],
    minimum_area_m2: Annotated[float, typer.Option(min=0.0, help="smallest heap, m²")] = 20.0,
) -> None:
    """Heaps and pits between two surface models with their standard errors; the last line is the whole."""
    try:
        found = volumes.measure(before.resolve(), after.resolve(), minimum_area_m2=minimum_area_m2)
    except HdqError as error:
        raise _refuse(error) from error
    for heap in found.heaps:
        _print(
            {
                "volume_m3": round(heap.volume_m3, 2), "volume_sigma_m3": round(heap.volume_sigma_m3, 2), "certain": heap.certain,
                "area_m2": round(heap.patch.area_m2, 1), "height_m": round(heap.height_m, 3), "peak_m": round(heap.peak_m, 3), "geometry": _shape(heap.patch.geom),
            }
        )  # fmt: skip
    _print(
        {
            "heaps": len(found.heaps), "detection_m": round(found.detection_m, 4), "offset_m": round(found.offset_m, 4), "east_m": round(found.east_m, 3),
            "south_m": round(found.south_m, 3), "spread_m": round(found.spread_m, 4), "stable_share": round(found.stable_share, 4),
        }
    )  # fmt: skip


@group.command("objects")
def objects(
    mosaic: Annotated[Path, typer.Argument(help="orthomosaic, GeoTIFF in a projected CRS")],
    model: Annotated[str, typer.Option(help="id of the weights, see `hdq models`")] = "coco",
    threshold: Annotated[float, THRESHOLD] = 0.4,
    gsd_m: Annotated[float | None, typer.Option(min=0.001, help="ground size of a pixel that the model is shown, m")] = None,
    largest_m: Annotated[float, typer.Option(min=0.1, help="length of the longest object, m")] = 12.0,
) -> None:
    """Objects of an orthomosaic, each once, with their place and its accuracy."""
    try:
        found = weights.find_model(weights.models_dir(settings_or_exit().data_dir), model)
        seen = orthos.detect(mosaic.resolve(), weights.load_engine(found), threshold=threshold, gsd_m=gsd_m, largest_m=largest_m)
    except HdqError as error:
        raise _refuse(error) from error
    for one in seen:
        _print({"class": one.label, "score": round(one.score, 4), "accuracy_m": round(one.accuracy_m, 2), "geometry": _shape(one.footprint)})
    _print({"objects": len(seen), "model": found.card.id, "sha256": found.card.sha256})


@group.command("video")
def watch(
    film: Annotated[Path, typer.Argument(help="video file of the drone")],
    subtitles: Annotated[Path, typer.Argument(help="telemetry .SRT written beside it")],
    focal_px: Annotated[float, typer.Option(min=10.0, help="focal length in pixels of the video")],
    takeoff_m: Annotated[float, typer.Option(help="height of the take-off, m, in the datum of the surface model")] = 0.0,
    surface: Annotated[Path | None, typer.Option(help="surface model; without it level ground at the take-off's height")] = None,
    pitch_deg: Annotated[float, typer.Option(min=-90.0, max=30.0, help="gimbal pitch where the telemetry has none")] = -90.0,
    yaw_deg: Annotated[float | None, typer.Option(min=0.0, max=360.0, help="gimbal yaw where the telemetry has none")] = None,
    every_s: Annotated[float, typer.Option(min=0.04, help="seconds between frames")] = 1.0,
    model: Annotated[str | None, typer.Option(help="id of weights: adds what is seen, and what of it moves")] = None,
    threshold: Annotated[float, THRESHOLD] = 0.4,
) -> None:
    """The footprint of every so many seconds of a video, and with weights the trails of what is seen on the ground."""
    try:
        track = telemetry.read_srt(subtitles)
        ground = flat(takeoff_m) if surface is None else load_terrain(surface.resolve(), sigma_m=0.5)
        finder = None if model is None else weights.load_engine(weights.find_model(weights.models_dir(settings_or_exit().data_dir), model))
        found: list[list[video.Placed]] = []
        begun, due = datetime(2000, 1, 1, tzinfo=UTC), 0.0
        for frame in frames.video(film, start=begun, key_frames=False):
            at_s = (frame.recorded_at - begun).total_seconds()
            if at_s + 1e-6 < due:
                continue
            due = at_s + every_s
            height, width = frame.image.shape[:2]
            mount = video.Mount(Lens(width, height, focal_px, focal_px, width / 2, height / 2), takeoff_m, pitch_deg, yaw_deg)
            (look,) = video.looks(track, mount, ground, (at_s,))
            _print({"at_s": round(at_s, 3), "accuracy_m": round(look.accuracy_m, 2), "geometry": _shape(look.footprint)})
            if finder is not None:
                found.append(video.place(look.pose, ground, at_s, finder.boxes(frame.image, threshold)))
    except HdqError as error:
        raise _refuse(error) from error
    for trail in video.follow(found):
        last = trail.places[-1]
        _print({"class": trail.label, "sightings": len(trail.places), "moves": trail.moves, "speed_m_s": round(trail.speed_m_s, 2), "lon": last.lon, "lat": last.lat})


def _shape(shape: shapely.Geometry) -> dict:
    return json.loads(shapely.to_geojson(shape))
