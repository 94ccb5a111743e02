"""The run of a pair: two scenes through an analysis to patches, observations and evidence; once per analysis, version, pair and parameters."""

import asyncio
import hashlib
import io
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import shapely
from PIL import Image
from psycopg import AsyncConnection

from grid import evidence
from grid.casework.patches import Found
from grid.errors import HdqError, TooLarge
from grid.sensing import intake
from grid.sensing.observations import Finding
from grid.world import grounds, places
from imagery import engine
from imagery.scenes import analyses, baseline, judging, masking, pairs, second_look, surveys, tiles, veils
from imagery.scenes.analyses import Analysis
from imagery.scenes.catalogue import Scene
from imagery.scenes.polygonize import Polygon, of_runs
from imagery.scenes.surveys import Survey
from imagery.scenes.visibility import must_show
from imagery.scenes.work import Connect, Course

MOST_PATCHES = 5000
MOST_CHIPS = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the pixels say: patches, largest first, and the figures of the run."""

    patches: tuple[Polygon, ...]
    result: dict


def examine(
    before: pairs.Source,
    after: pairs.Source,
    analysis: Analysis,
    *,
    workers: int = 0,
    elsewhere: engine.Open | None = None,
    keep: Path | None = None,
    progress: Callable[[float], None] = lambda share: None,
    cancel: threading.Event | None = None,
    ground: Sequence[shapely.Polygon] | None = None,
) -> Outcome:
    """Aligns the pair, judges it block by block and draws the patches; only inside `ground` (EPSG:4326) where it is given. No database.
    Raises what `align` and the engine raise."""
    started = time.monotonic()
    pairs.common_bands(before.bands, after.bands, analysis.bands)
    whole = pairs.align(before, after)
    whole = whole if ground is None else whole.cut(ground)
    progress(0.2)
    pair, fitted = judging.prepare(whole, analysis)
    progress(0.3)
    tell = lambda finished, total: progress(0.3 + 0.6 * finished / total)  # noqa: E731
    carry = partial(engine.run, workers=workers, elsewhere=elsewhere, keep=keep, cancel=cancel, progress=tell)
    drawn = partial(of_runs, transform=pair.grid.transform, crs=pair.grid.crs, minimum_area_m2=analysis.minimum_area_m2)
    explained: list[tuple[str, float]] = []
    if analysis.explains:
        marked, other, valid_share = judging.told_apart(pair, analysis, fitted, carry)
        explained += [(analysis.explains, one.area_m2) for one in drawn(other)]
    else:
        marked, valid_share = judging.marked(pair, analysis, fitted, carry)
    found = drawn(marked)
    if analysis.look_again and analysis.doubts:
        again = second_look.explain(whole, found, analysis.doubts, analysis.threshold, analysis.minimum_area_m2)
        explained += [(why, found[number].area_m2) for number, why in again.why.items()]
        left = [one for number, one in enumerate(found) if number not in again.why]
        found = sorted([*left, *again.within], key=lambda one: (-one.area_m2, one.geom.bounds))
    reasons = sorted({reason for reason, _ in explained})
    if len(found) > MOST_PATCHES:
        raise TooLarge(f"{len(found)} patches, at most {MOST_PATCHES} are kept", remedy="raise minimum_area_m2 or the threshold")
    result = {
        "patches": len(found),
        "explained": {reason: sum(why == reason for why, _ in explained) for reason in reasons},
        "explained_m2": {reason: round(sum(area for why, area in explained if why == reason), 1) for reason in reasons},
        "area_m2": round(sum(one.area_m2 for one in found), 1),
        "shift": {name: round(value, 3) for name, value in asdict(pair.shift).items()},
        "unchanged_share": round(pair.normalisation.unchanged, 4),
        "valid_share": round(valid_share, 4),
        "grid": {"width": pair.grid.width, "height": pair.grid.height, "resolution_m": pair.grid.resolution},
        "baseline": baseline.agreement(whole, marked, analysis.id),
        "seconds": round(time.monotonic() - started, 2),
    }
    return Outcome(tuple(found), result)


async def run(connect: Connect, data_dir: Path, survey_id: int, *, workers: int = 0, elsewhere: engine.Open | None = None) -> None:
    """Carries out a queued survey (or one whose worker died) and stores what it found in one transaction; done or cancelled ones are left.
    `workers`, `elsewhere`: where its blocks are judged, as `engine.run` says. Judged blocks are kept until the survey ends: after a death it goes on.

    A refusal of ours is stored on the survey with its reason; any other error too, and raised.
    """
    async with connect() as connection:
        started = await surveys.start(connection, survey_id)
    if started is None:
        return
    survey, before, after = started
    course, keep = Course(), data_dir / "scenes" / "kept" / str(survey.id)
    try:
        analysis = analyses.get(survey.analysis).with_parameters(survey.parameters)
        sources = [await asyncio.to_thread(_source, scene, data_dir) for scene in (before, after)]
        for scene, source in zip((before, after), sources, strict=True):
            await asyncio.to_thread(must_show, scene.id, source.mask)
        ground = None
        if analysis.within:
            async with connect() as connection:
                ground = await grounds.polygons(connection, analysis.within, before.geom.intersection(after.geom), before.taken_at.date(), after.taken_at.date())
        way = {"ground": ground, "workers": workers, "elsewhere": elsewhere, "keep": keep, "progress": course.tell, "cancel": course.cancel}
        outcome = await surveys.attend(connect, survey.id, course, partial(examine, *sources, analysis, **way))
        pictures = await asyncio.to_thread(_pictures, before, after, data_dir, outcome.patches[:MOST_CHIPS])
        async with connect() as connection:
            await _store(connection, data_dir, survey, analysis, before, after, outcome, pictures)
    except engine.Cancelled:
        await asyncio.to_thread(engine.forget, keep)
    except HdqError as error:
        await asyncio.to_thread(engine.forget, keep)
        async with connect() as connection:
            await surveys.fail(connection, survey.id, f"{error.detail} → {error.remedy}" if error.remedy else error.detail)
    except Exception as error:
        async with connect() as connection:
            await surveys.fail(connection, survey.id, f"{type(error).__name__}: {error}")
        raise
    else:
        await asyncio.to_thread(engine.forget, keep)


def _source(scene: Scene, data_dir: Path) -> pairs.Source:
    """The scene's raster with what hides the ground in it, which is found now where no survey has asked before."""
    path = scene.path(data_dir)
    return pairs.Source(path, scene.band_names, veils.beside(path, scene.band_names, masking.sun_of(scene)), kept=True)


def _pictures(before: Scene, after: Scene, data_dir: Path, found: tuple[Polygon, ...]) -> list[tuple[bytes, bytes, tuple[float, ...]]]:
    """Per patch: chips before and after in one stretch, and the patch's box as fractions of them."""
    look = tiles.look_of(before, data_dir)
    later = tiles.look_of(after, data_dir, look.bands) if set(look.bands) <= set(after.band_names) else tiles.look_of(after, data_dir)
    made = []
    for patch in found:
        west, south, east, north = patch.geom.bounds
        side_lat = max(north - south, (east - west) * np.cos(np.radians(south)), 0.003)
        side_lon = side_lat / np.cos(np.radians(south))
        lon, lat = (west + east) / 2, (south + north) / 2
        frame = (lon - side_lon, lat - side_lat, lon + side_lon, lat + side_lat)
        box = ((west - frame[0]) / (2 * side_lon), (frame[3] - north) / (2 * side_lat), (east - frame[0]) / (2 * side_lon), (frame[3] - south) / (2 * side_lat))
        made.append((_opaque(tiles.chip(before, data_dir, frame, look)), _opaque(tiles.chip(after, data_dir, frame, later)), box))
    return made


def _opaque(png: bytes) -> bytes:
    with Image.open(io.BytesIO(png)) as image:
        flat = io.BytesIO()
        image.convert("RGB").save(flat, "PNG")
    return flat.getvalue()


async def _store(
    connection: AsyncConnection, data_dir: Path, survey: Survey, analysis: Analysis, before: Scene, after: Scene, outcome: Outcome,
    pictures: list[tuple[bytes, bytes, tuple[float, ...]]],
) -> None:  # fmt: skip
    if not await surveys.hold(connection, survey.id):
        return
    simulated = before.simulated or after.simulated
    points = [patch.geom.representative_point() for patch in outcome.patches]
    located = await places.locate_many(connection, [point.x for point in points], [point.y for point in points]) if points else []
    chips: dict[int, tuple[str, str]] = {}
    for number, (was, now, _) in enumerate(pictures):
        region = located[number].region_code
        hashes = []
        for content, scene in ((was, before), (now, after)):
            picture = await evidence.store(
                connection, data_dir, content, kind="chip", region_code=region, taken_at=scene.taken_at, place=shapely.set_srid(points[number], 4326),
                simulated=scene.simulated, properties={"scene": scene.id, "survey": survey.id},
            )  # fmt: skip
            await evidence.set_shown(connection, picture.sha256, picture.sha256)
            hashes.append(picture.sha256)
        chips[number] = (hashes[0], hashes[1])
    model_hash = hashlib.sha256(f"{analysis.id} {analysis.version} {analysis.model_dump_json()}".encode()).hexdigest()
    findings = [
        Finding(
            source=after.collection,
            source_event_id=f"survey-{survey.id}-{number}",
            sensor_kind="satellite",
            kind=analysis.kind,
            class_name=(analysis.grade(patch.score) or ("", analysis.id))[1],
            score=analysis.confidence(patch.score),
            recorded_at=after.taken_at,
            place=points[number],
            accuracy_m=max(float(np.sqrt(patch.area_m2 / np.pi)), outcome.result["grid"]["resolution_m"]),
            algorithm=analysis.id,
            model_version=analysis.version,
            model_hash=model_hash,
            footprint=_light(patch.geom),
            evidence=chips.get(number, ()),
            boxes=_boxes(chips.get(number), pictures[number][2], analysis, patch) if number in chips else (),
            properties={
                "survey_id": survey.id, "patch": number + 1, "area_m2": round(patch.area_m2, 1), "mean_score": round(patch.score, 4),
                "peak_score": round(patch.peak, 4), "before_scene": before.id, "after_scene": after.id,
                "before_at": before.taken_at.isoformat(), "after_at": after.taken_at.isoformat(),
                **({"grade": analysis.grade(patch.score)[0], "grade_en": analysis.grade(patch.score)[1]} if analysis.grade(patch.score) else {}),
            },
            simulated=simulated,
        )
        for number, patch in enumerate(outcome.patches)
    ]  # fmt: skip
    accepted = await intake.accept(connection, findings)
    stored = [
        Found(survey.id, number, analysis.kind, patch.score, patch.area_m2, known.id, known.region_code, simulated, patch.geom)
        for number, (patch, known) in enumerate(zip(outcome.patches, accepted, strict=True), 1)
    ]
    await surveys.finish(connection, survey.id, stored, outcome.result)


def _light(geom: shapely.MultiPolygon, most: int = 10_000) -> shapely.Geometry:
    """The polygon as a footprint: its hull when it has more corners than intake takes."""
    return geom if shapely.get_num_coordinates(geom) <= most else geom.convex_hull


def _boxes(chips: tuple[str, str], box: tuple[float, ...], analysis: Analysis, patch: Polygon) -> tuple[dict, ...]:
    corners = [round(float(np.clip(corner, 0, 1)), 4) for corner in box]
    return tuple({"evidence": sha256, "box": corners, "class": analysis.id, "score": round(analysis.confidence(patch.score), 4)} for sha256 in chips)
