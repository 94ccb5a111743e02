"""The registers behind the layers: who owns each, under what terms it is used, how old it may become, and what a whole and a possible row is.

A layer inherits from the registers that its statement names; a file that adds a layer over them says nothing more.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from layers.figures import CELL, FIGURES, layer_id
from layers.spec import LayerSpec

CITY_OWNER = ("城市运行管理中心", "City operation centre")
PUBLIC, INTERNAL, RESTRICTED = "public", "internal", "restricted"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


OPEN = "政务公开数据 · public government data"


@dataclass(frozen=True, slots=True)
class Source:
    """A register. `late` and `stale`: ages from which it is so, None where age says nothing (records of what happened). `changed`: SQL for when it last
    spoke, for sources that speak by themselves; None: `register_changes` knows. `whole` and `possible`: SQL that holds for a complete and for a valid row."""

    title: str
    title_en: str
    owner: tuple[str, str] = CITY_OWNER
    sensitivity: str = INTERNAL
    late: timedelta | None = None
    stale: timedelta | None = None
    changed: str | None = None
    whole: str = "true"
    possible: str = "ST_IsValid(geom)"
    licence: str = "政务数据共享，内部使用 · government data, internal use"


_FRAMES = "SELECT max(received_at) FROM frames"
SOURCES: dict[str, Source] = {
    "regions": Source("行政区划", "Administrative divisions", ("民政局", "Civil Affairs Bureau"), PUBLIC, 730 * DAY, 1460 * DAY, whole="name <> ''", licence=OPEN),
    "cells": Source("网格", "Grids", CITY_OWNER, INTERNAL, 365 * DAY, 730 * DAY, whole="name <> ''"),
    "buildings": Source(
        "建筑登记", "Building register", ("住房和城乡建设局", "Housing and Construction Bureau"), INTERNAL, 365 * DAY, 730 * DAY,
        whole="address <> '' AND use <> ''", possible="ST_IsValid(geom) AND floors >= 1 AND height_m BETWEEN 2 AND 700 AND households >= 0",
    ),
    "coastline": Source(
        "海岸线", "Coastline", ("海洋发展局", "Marine Development Bureau"), INTERNAL, 365 * DAY, 1095 * DAY, whole="name <> ''", possible="ST_IsValid(geom) AND chainage_to_m > chainage_from_m"
    ),
    "setbacks": Source("海岸退缩线", "Coast setbacks", ("海洋发展局", "Marine Development Bureau"), PUBLIC, 730 * DAY, 1460 * DAY, whole="clause <> ''", possible="ST_IsValid(geom) AND distance_m > 0", licence=OPEN),
    "forest_zones": Source(
        "林班", "Forest compartments", ("自然资源和规划局", "Natural Resources and Planning Bureau"), INTERNAL, 365 * DAY, 730 * DAY, whole="species <> ''", possible="ST_IsValid(geom) AND area_ha > 0"
    ),
    "parcels": Source(
        "地块", "Parcels", ("自然资源和规划局", "Natural Resources and Planning Bureau"), INTERNAL, 365 * DAY, 730 * DAY, whole="owner <> ''", possible="ST_IsValid(geom) AND area_m2 > 0"
    ),
    "redlines": Source("生态保护红线", "Ecological red lines", ("自然资源和规划局", "Natural Resources and Planning Bureau"), INTERNAL, 365 * DAY, 1095 * DAY, whole="name <> ''", possible="ST_IsValid(geom)"),
    "planning_zones": Source("规划分区", "Planning zones", ("自然资源和规划局", "Natural Resources and Planning Bureau"), INTERNAL, 365 * DAY, 1095 * DAY, whole="plan <> ''", possible="ST_IsValid(geom)"),
    "permits": Source("许可", "Permits", ("行政审批服务局", "Administrative Approval Bureau"), INTERNAL, 365 * DAY, 730 * DAY, possible="true"),
    "roads": Source(
        "道路", "Roads", ("交通运输局", "Transport Bureau"), PUBLIC, 365 * DAY, 730 * DAY, whole="source_node IS NOT NULL AND target_node IS NOT NULL", possible="ST_IsValid(geom) AND length_m > 0 AND speed_kmh > 0", licence=OPEN
    ),
    "components": Source("城市部件", "City components", ("城市管理局", "City Management Bureau"), INTERNAL, 365 * DAY, 730 * DAY),
    "cameras": Source(
        "摄像机", "Cameras", ("公安局", "Public Security Bureau"), RESTRICTED, 30 * MINUTE, 6 * 60 * MINUTE, "SELECT max(last_frame_at) FROM cameras", whole="name <> ''",
        possible="ST_IsValid(geom) AND range_m > 0 AND height_m > 0",
    ),
    "units": Source("处置力量", "Units", ("应急管理局", "Emergency Management Bureau"), RESTRICTED, 2 * MINUTE, 10 * MINUTE, "SELECT max(reported_at) FROM units"),
    "unit_positions": Source(
        "力量轨迹", "Trails", ("应急管理局", "Emergency Management Bureau"), RESTRICTED, 2 * MINUTE, 10 * MINUTE, "SELECT max(reported_at) FROM units", possible="true"
    ),
    "alerts": Source("告警", "Alerts", CITY_OWNER, INTERNAL, 30 * MINUTE, 6 * 60 * MINUTE, _FRAMES, whole="title <> ''"),
    "observations": Source("发现", "Findings", CITY_OWNER, INTERNAL, 30 * MINUTE, 6 * 60 * MINUTE, _FRAMES, whole="kind <> ''"),
    "suppressions": Source("误报抑制", "Suppressions", whole="reason <> ''"),
    "cases": Source("案件", "Cases", whole="title <> ''"),
    "patches": Source("变化图斑", "Changed patches", possible="ST_IsValid(geom) AND area_m2 > 0"),
    "scenes": Source(
        "遥感影像", "Scenes", ("自然资源和规划局", "Natural Resources and Planning Bureau"), INTERNAL, 90 * DAY, 365 * DAY, "SELECT max(taken_at) FROM scenes", whole="collection <> ''"
    ),
    "staff": Source("人员", "Staff", CITY_OWNER, RESTRICTED, possible="true"),
}
DERIVED = {"building_levels": "buildings", "area_figures": None, "stac_items": "scenes", "study_features": "scenes"}
"""Tables that jobs make from registers; None: each figure says from which."""

_FIGURE_OF = {layer_id(figure, level): (figure.register, "cells" if level == CELL else "regions") for figure in FIGURES for level in figure.levels}


@cache
def of(spec: LayerSpec) -> tuple[str, ...]:
    """The registers that a layer stands on, the one it draws first."""
    if spec.id in _FIGURE_OF:
        return _FIGURE_OF[spec.id]
    named = [name for text in spec.statements for name in re.findall(r"\b(?:FROM|JOIN)\s+\(?\s*(?:SELECT .*? FROM )?([a-z_]+)", text)]
    counted = re.findall(r"[a-z_]+", spec.count_from.rpartition(" AS ")[2]) if spec.count_from else []
    found = [DERIVED.get(name, name) for name in named]
    return tuple(dict.fromkeys(name for name in (*(name for name in counted if name in found), *found) if name in SOURCES))


def figured(spec: LayerSpec) -> bool:
    """Whether the layer draws figures of areas."""
    return spec.id in _FIGURE_OF
