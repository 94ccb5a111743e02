"""The base map's style (MapLibre style specification 8), made of our own tile layers: nothing comes from elsewhere, not even glyphs.

Colours are those of design/look.md; land and sea of the dark theme stand further apart, as a wall is read from afar.
Without `glyphs` MapLibre draws Chinese with the machine's own fonts (localIdeographFontFamily, set by the client);
labels therefore name a font stack but need no file. Names of places come last, so that they stand before everything else.
"""

from typing import Literal

Theme = Literal["dark", "light"]
THEMES: tuple[Theme, ...] = ("dark", "light")
FONT = ["Noto Sans Regular"]

PALETTE: dict[Theme, dict[str, str]] = {
    "dark": {
        "land": "#18233A",
        "water": "#070F1C",
        "forest": "#163026",
        "building": "#23314F",
        "building_line": "#34466C",
        "road": "#2D3D5E",
        "road_casing": "#101A2C",
        "district": "#4C5F82",
        "cell": "#33425F",
        "shore": "#2C3F61",
        "label": "#B6C3D6",
        "label_minor": "#7E90AB",
        "halo": "#0B1220",
    },
    "light": {
        "land": "#F3F1EC",
        "water": "#CDE2F0",
        "forest": "#DCE9D8",
        "building": "#E4DFD6",
        "building_line": "#D3CCBF",
        "road": "#FFFFFF",
        "road_casing": "#D9D4CA",
        "district": "#9AA5B8",
        "cell": "#C4CAD4",
        "shore": "#B4CCDD",
        "label": "#344054",
        "label_minor": "#667085",
        "halo": "#FFFFFF",
    },
}

SOURCES = {"land": (0, 14), "greens": (7, 15), "water": (9, 15), "roads": (9, 15), "buildings": (9, 16), "cells": (11, 15), "districts": (0, 14), "places": (6, 15)}
"""Layers of the catalogue that the base map draws, with the zooms of their tiles."""

_ROADS = (("track", 0.4, 2.2), ("residential", 0.5, 6.0), ("secondary", 0.9, 9.0), ("primary", 1.3, 12.0), ("trunk", 1.6, 14.0), ("motorway", 1.8, 15.0))


def style(theme: Theme) -> dict:
    """The style document of a theme; tile addresses are relative to the server's root."""
    color = PALETTE[theme]
    return {
        "version": 8,
        "name": f"haidongqing-{theme}",
        "center": [120.38, 36.1],
        "zoom": 10,
        "sources": {
            name: {"type": "vector", "tiles": [f"/tiles/{name}/{{z}}/{{x}}/{{y}}.mvt"], "minzoom": low, "maxzoom": high} for name, (low, high) in SOURCES.items()
        },
        "layers": [
            {"id": "sea", "type": "background", "paint": {"background-color": color["water"]}},
            _fill("land", color["land"]),
            _line("shore", "land", color["shore"], 0.8),
            _fill("greens", color["forest"]),
            _fill("water", color["water"]),
            {
                "id": "buildings-far",
                "type": "fill",
                "source": "buildings",
                "source-layer": "buildings",
                "maxzoom": 13,
                "paint": {"fill-color": color["building"], "fill-opacity": ["interpolate", ["linear"], ["zoom"], 9, 0.7, 13, 1]},
            },
            *_roads(color),
            {
                "id": "buildings",
                "type": "fill",
                "source": "buildings",
                "source-layer": "buildings",
                "minzoom": 13,
                "paint": {"fill-color": color["building"], "fill-outline-color": ["step", ["zoom"], color["building"], 15, color["building_line"]]},
            },
            _line("cell-lines", "cells", color["cell"], ["interpolate", ["linear"], ["zoom"], 12, 0.4, 16, 1], minzoom=12),
            _line("district-casing", "districts", color["halo"], ["interpolate", ["linear"], ["zoom"], 7, 2, 14, 4], opacity=0.5),
            _line("district-lines", "districts", color["district"], ["interpolate", ["linear"], ["zoom"], 7, 0.8, 14, 1.8]),
            _names("road-names-minor", "roads", color["label_minor"], color["halo"], 12, minzoom=16, roads=("residential", "track")),
            _names("road-names", "roads", color["label_minor"], color["halo"], 12, minzoom=13, roads=("motorway", "trunk", "primary", "secondary")),
            _names("names-forest", "places", color["label_minor"], color["halo"], 12, minzoom=13, rank=5),
            _names("names-communities", "places", color["label_minor"], color["halo"], 12, minzoom=14, rank=4),
            _names("names-streets", "places", color["label"], color["halo"], 12, minzoom=11, maxzoom=15, rank=3),
            _names("names-districts", "places", color["label"], color["halo"], ["interpolate", ["linear"], ["zoom"], 7, 12, 11, 16], minzoom=6, maxzoom=13, rank=2),
        ],
    }


def _fill(name: str, color: str) -> dict:
    return {"id": name, "type": "fill", "source": name, "source-layer": name, "paint": {"fill-color": color, "fill-antialias": True}}


def _line(layer_id: str, source: str, color: str, width: object, *, minzoom: int = 0, opacity: float = 1.0) -> dict:
    return {
        "id": layer_id,
        "type": "line",
        "source": source,
        "source-layer": source,
        "minzoom": minzoom,
        "layout": {"line-join": "round"},
        "paint": {"line-color": color, "line-width": width, "line-opacity": opacity},
    }


def _roads(color: dict[str, str]) -> list[dict]:
    """Casings of all classes first, then the roads, so that crossings join."""
    found = []
    for casing in (True, False):
        for name, thin, wide in _ROADS:
            edge = 1.4 if casing else 0.0
            found.append(
                {
                    "id": f"road-{name}{'-casing' if casing else ''}",
                    "type": "line",
                    "source": "roads",
                    "source-layer": "roads",
                    "minzoom": 13 if casing else 9,
                    "filter": ["==", ["get", "class"], name],
                    "layout": {"line-cap": "butt" if casing else "round", "line-join": "round"},
                    "paint": {
                        "line-color": color["road_casing" if casing else "road"],
                        "line-width": ["interpolate", ["exponential", 1.5], ["zoom"], 9, thin * 0.6 + edge, 13, thin * 1.6 + edge, 18, wide + edge],
                    },
                }
            )
    return found


SHORT_NAME = ["let", "name", ["get", "name"], ["case", ["in", "（", ["var", "name"]], ["slice", ["var", "name"], 0, ["index-of", "（", ["var", "name"]]], ["var", "name"]]]
"""A name without what it adds in brackets, as maps write it: 黄岛区, not 黄岛区（西海岸新区）, whose brackets some renderers leave blank."""


def _names(layer_id: str, source: str, color: str, halo: str, size: object, *, minzoom: int, maxzoom: int = 24, rank: int | None = None, roads: tuple[str, ...] = ()) -> dict:
    layer: dict = {
        "id": layer_id,
        "type": "symbol",
        "source": source,
        "source-layer": source,
        "minzoom": minzoom,
        "maxzoom": maxzoom,
        "filter": ["in", ["get", "class"], ["literal", list(roads)]] if roads else ["==", ["get", "rank"], rank],
        "layout": {"text-field": SHORT_NAME, "text-font": FONT, "text-size": size, "text-padding": 4, "text-max-width": 12},
        "paint": {"text-color": color, "text-halo-color": halo, "text-halo-width": 1.4},
    }
    if roads:
        layer["layout"] |= {"symbol-placement": "line", "text-max-angle": 30, "symbol-spacing": 320}
    return layer
