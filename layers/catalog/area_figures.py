"""Figures of districts, streets, communities and management grids as choropleths: one layer a figure and a level (layers.figures makes the numbers).

Classes are fifths of the demo city's finest areas, rounded; they are the same at every level, so that levels compare.
"""

from pydeck import Layer
from pydeck.types import String

from layers.figures import CELL, CHANGED, COMMUNITY, DISTRICT, FIGURES, STREET, Figure, layer_id
from layers.paint import Steps, rgb
from layers.spec import Field, LayerSpec

LEVELS = {DISTRICT: ("区市", "by district", 6), STREET: ("街道", "by street", 8), COMMUNITY: ("社区", "by community", 10), CELL: ("网格", "by grid", 11)}
RAMPS = {
    "buildings": ("#2B3A57", "#3B5379", "#4F6E9C", "#6B8CBC", "#93AEDA"),
    "cameras": ("#22383F", "#30545F", "#427280", "#5C92A2", "#82B4C3"),
    "roads": ("#333A47", "#4A5464", "#646F82", "#828EA2", "#A5B1C4"),
    "parcels": ("#3D3A2A", "#5C563A", "#7B7249", "#9B8F5B", "#BDB07A"),
    "permits": ("#3D342A", "#5C4C3A", "#7B6549", "#9B805B", "#BDA27A"),
    "forest_zones": ("#24382C", "#345440", "#477055", "#608D6D", "#83AC8D"),
    "coastline": ("#1F3A42", "#2D5863", "#417785", "#5E97A6", "#86B7C5"),
    "setbacks": ("#1F3340", "#2D4E61", "#416C83", "#5E8CA4", "#86ADC3"),
}
BREAKS: dict[str, tuple[float, ...]] = {
    "building_density": (1700, 7400, 10000, 13000),
    "building_cover": (23, 30, 36, 41),
    "floor_ratio": (0.79, 0.96, 1.1, 1.6),
    "height_mean": (8.6, 9.3, 10, 13),
    "height_top": (15, 24, 78),
    "floors_mean": (2.3, 2.6, 2.8, 3.5),
    "high_share": (1.1, 8.4, 34, 100),
    "single_share": (16, 22, 28, 36),
    "household_density": (8700, 12000, 14000, 16000),
    "household_per_building": (1.1, 1.2, 1.4, 3.4),
    "home_area": (64, 73, 80, 86),
    "volume_density": (2.9, 3.5, 4, 5.5),
    "footprint_mean": (29, 35, 44, 100),
    "large_share": (0.61, 1.9, 8.8, 51),
    "named_share": (1.6, 4.9, 18, 51),
    "door_density": (1300, 3200, 4400, 5300),
    "buildings_per_door": (1.4, 2.1, 2.3, 2.5),
    "school_per_1000": (2.8, 4.2, 5.9, 7.9),
    "shop_per_1000": (16, 30, 48, 81),
    "floor_residential_share": (89, 93, 96, 98),
    "floor_commercial_share": (1.7, 3.6, 5.7, 12),
    "floor_office_share": (45, 61, 70, 83),
    "floor_education_share": (0.23, 0.41, 0.6, 0.84),
    "floor_public_share": (0.47, 0.76, 1, 1.4),
    "camera_density": (16, 28, 42, 58),
    "camera_impaired": (4.5, 7.7, 18, 42),
    "camera_reach": (110, 130, 140, 150),
    "camera_per_1000": (1.2, 2.3, 3.6, 5.7),
    "buildings_per_camera": (82, 180, 260, 430),
    "road_density": (0.43, 0.71, 2.2, 4.8),
    "main_road_density": (0.14, 0.62, 3.1, 4.6),
    "local_road_share": (43, 77, 83, 91),
    "road_edge": (190, 290, 520, 3500),
    "road_speed": (27, 35, 44, 73),
    "crossing_density": (0.37, 1.2, 2.8, 7.2),
    "land_farmland": (33, 36, 40, 44),
    "land_orchard": (9.9, 13, 15, 18),
    "land_forest": (2.5, 3.8, 5.8, 7.7),
    "land_residential": (17, 20, 24, 28),
    "land_commercial": (1.5, 2.6, 3.5, 4.9),
    "land_industrial": (4.6, 6.8, 9, 12),
    "land_public": (2.2, 3.6, 5.5, 7.6),
    "land_transport": (1.2, 2.3, 3.3, 4.3),
    "land_water": (0.76, 1.4, 2, 3.3),
    "land_green": (3.3, 4.9, 11, 25),
    "land_bare": (2.1, 3.5, 4.6, 6.1),
    "basic_farmland_share": (50, 59, 66, 70),
    "parcel_mean": (8.2, 12, 13),
    "collective_share": (48, 52, 55, 58),
    "permit_density": (4.1, 4.7, 6, 7.9),
    "permit_expired": (20, 25, 33, 40),
    "forest_share": (0.52, 5.7, 8.4, 26),
    "forest_risk": (3.6, 4, 4.3),
    "forest_pine": (38, 44, 55, 74),
    "forest_welfare": (39, 45, 56, 73),
    "coast_length": (9.6, 25, 48, 120),
    "coast_natural": (77, 84, 98, 100),
    "setback_share": (1.4, 5.5, 8.6, 14),
}


def _steps(figure: Figure) -> Steps:
    bounds = BREAKS[figure.id]
    colors = RAMPS[figure.register][: len(bounds) + 1]
    unit = f" {figure.unit}" if figure.unit else ""
    entries = [(0.0, f"{bounds[0]:g} 以下{unit}", f"below {bounds[0]:g}", colors[0])]
    for low, high, color in zip(bounds, (*bounds[1:], None), colors[1:], strict=True):
        entries.append((low, f"{low:g}–{high:g}{unit}" if high else f"{low:g} 以上{unit}", f"{low:g} to {high:g}" if high else f"{low:g} and more", color))
    return Steps("value", tuple(entries))


def _source(figure: Figure, level: int) -> str:
    asked = f"area_figures.figure = '{figure.id}' AND area_figures.level = {level}"
    if level == CELL:
        return f"area_figures JOIN cells ON cells.code = area_figures.area AND cells.valid @> hdq_today() AND cells.kind = 'management' WHERE {asked}"
    return f"area_figures JOIN regions ON regions.code = area_figures.area WHERE {asked}"


def _layer(figure: Figure, level: int) -> LayerSpec:
    zh, en, min_zoom = LEVELS[level]
    area, region = ("cells", "cells.region_code") if level == CELL else ("regions", "regions.code")
    number = "cells.id" if level == CELL else "regions.code::bigint"
    name, steps = layer_id(figure, level), _steps(figure)
    return LayerSpec(
        id=name,
        title=f"{figure.title} · 按{zh}",
        title_en=f"{figure.title_en}, {en}",
        group="figures",
        kind="mvt",
        sql=f"""
        SELECT {number} AS id, {area}.code, {area}.name, round(area_figures.value::numeric, 3)::float8 AS value, {region} AS region_code, ST_Transform({area}.geom, 3857) AS geom_3857
        FROM {_source(figure, level)} AND {region} LIKE %(scope)s AND {area}.geom && %(degrees)s
        """,
        attributes=("code", "name", "value"),
        deck=lambda url: Layer(
            "MVTLayer",
            data=String(url),
            id=name,
            get_fill_color=steps.expression(170),
            get_line_color=[*rgb("#0B1220"), 160],
            get_line_width=0.8,
            line_width_units=String("pixels"),
            pickable=True,
            auto_highlight=True,
            highlight_color=[255, 255, 255, 60],
            min_zoom=min_zoom,
            max_zoom=14,
        ),
        legend=steps.legend(),
        tooltip=(Field("name", zh, en.removeprefix("by ").capitalize()), Field("value", figure.title, figure.title_en, figure.unit)),
        min_zoom=min_zoom,
        tile_max_zoom=14,
        refreshed_by=(CHANGED,),
        count_from=f"(SELECT {region} AS region_code, area_figures.value, {area}.name, EXISTS (SELECT FROM {figure.register} WHERE simulated) AS simulated, {area}.geom, {area}.geom AS shown FROM {_source(figure, level)}) AS figures",
        order=10 * level,
    )


LAYERS = tuple(_layer(figure, level) for figure in FIGURES for level in figure.levels)
