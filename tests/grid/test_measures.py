"""Reprojection, simplification and areas on real data beside pyproj and geopandas; no area comes from Web Mercator, where it is 53 % too large."""

import re

import geopandas
import numpy as np
import pyproj
import pytest
import shapely

from grid import crs, geometry
from grid.settings import ROOT
from layers.generalise import Shapes, generalise

AREAS_KM2 = {"市南区": 34.9, "市北区": 69.5, "李沧区": 98.5, "崂山区": 420, "城阳区": 542, "黄岛区": 2132, "即墨区": 1890, "胶州市": 1312, "平度市": 3182, "莱西市": 1569}
MEASURE_SQL = re.compile(r"ST_(?:Area|Length|Perimeter)\s*\(", re.IGNORECASE)
MERCATOR_PYTHON = re.compile(r"(?:to_crs|from_storage)\([^)]*3857[^)]*\)\.(?:area|length)\b")


def argument(text: str, start: int) -> str:
    """What stands between a parenthesis that opened before `start` and its end."""
    depth = 1
    for end in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if not depth:
            return text[start:end]
    return text[start:]


@pytest.fixture(scope="module")
def districts(request) -> geopandas.GeoDataFrame:
    folder = request.getfixturevalue("real_data")("qingdao/boundaries")
    found = geopandas.read_file(folder / "datav_370200_districts_GCJ02.json")
    return found.set_geometry(geopandas.GeoSeries(crs.to_storage(np.asarray(found.geometry.values, dtype=object), "GCJ-02"), crs=4326))


@pytest.fixture(scope="module")
def footprints(request) -> np.ndarray:
    file = request.getfixturevalue("real_data")("buildings/tokyo_bay_wards_buildings.parquet")
    return np.asarray(geopandas.read_parquet(file).geometry.values[::150], dtype=object)


@pytest.mark.parametrize("code", [4490, 4527, 4528, 4529, 4549, 4498, 3857, 32650, 32651])
def test_real_outlines_are_reprojected_as_by_geopandas(districts, code):
    ours = crs.from_storage(np.asarray(districts.geometry.values, dtype=object), code)
    theirs = districts.set_crs(4490, allow_override=True).to_crs(code) if code in (4490, 4527, 4528, 4529, 4549, 4498) else districts.to_crs(code)
    a, b = shapely.get_coordinates(ours), shapely.get_coordinates(theirs.geometry.values)
    assert np.abs(a - b).max() < (1e-9 if code == 4490 else 0.001)
    back = shapely.get_coordinates(crs.to_storage(ours, code))
    assert np.abs(back - shapely.get_coordinates(districts.geometry.values)).max() < 1e-8


def test_areas_of_districts_are_geodesic_and_true(districts):
    geod = pyproj.Geod(ellps="GRS80")

    def of_pyproj(shape) -> float:
        return sum(geod.geometry_area_perimeter(shapely.orient_polygons(part))[0] for part in shapely.get_parts(shape))

    equal = districts.to_crs("+proj=laea +lat_0=36.4 +lon_0=120.3 +ellps=GRS80").area / 1e6
    for name, shape, projected in zip(districts["name"], districts.geometry, equal, strict=True):
        area = geometry.area_m2(shape) / 1e6
        assert area == pytest.approx(of_pyproj(shape) / 1e6, rel=1e-6)
        assert area == pytest.approx(projected, rel=2e-4)
        assert area == pytest.approx(AREAS_KM2[name], rel=0.03)


def test_areas_and_perimeters_of_footprints(footprints):
    frame = geopandas.GeoSeries(footprints, crs=4326).to_crs("+proj=laea +lat_0=35.65 +lon_0=139.8 +ellps=GRS80")
    ours = np.array([geometry.area_m2(shape) for shape in footprints])
    assert ours == pytest.approx(frame.area.to_numpy(), rel=2e-4, abs=0.01)
    mercator = geopandas.GeoSeries(footprints, crs=4326).to_crs(3857).area.sum()
    assert 1.48 < mercator / ours.sum() < 1.54


async def test_postgis_agrees_on_areas(conn, districts):
    for shape in districts.geometry:
        cursor = await conn.execute("SELECT ST_Area(ST_GeomFromWKB(%s, 4326)::geography)", [shapely.to_wkb(shape)])
        assert geometry.area_m2(shape) == pytest.approx((await cursor.fetchone())[0], rel=1e-6)


@pytest.mark.parametrize("pixel", [1.2, 4.8, 19.1])
def test_simplified_buildings_stay_where_they_are(footprints, pixel):
    mercator = np.asarray(geopandas.GeoSeries(footprints, crs=4326).to_crs(3857).values, dtype=object)
    n = len(mercator)
    shapes = Shapes(mercator, np.full(n, 9.0), np.full(n, "residential", dtype=object), np.full(n, "370202", dtype=object), np.ones(n, dtype=np.int64))
    simple = generalise(shapes, pixel, skyline=False)
    assert shapely.is_valid(simple.geom).all() and not shapely.is_empty(simple.geom).any()
    assert sum(shapely.get_num_coordinates(simple.geom)) < sum(shapely.get_num_coordinates(mercator))
    kept = mercator[shapely.area(mercator) > 12 * pixel * pixel]
    both = shapely.union_all(simple.geom)
    covered = shapely.area(shapely.intersection(kept, both)).sum() / shapely.area(kept).sum()
    assert covered > 0.95
    grown = shapely.union_all(shapely.buffer(mercator, pixel))
    assert shapely.area(shapely.difference(both, grown)) < 0.01 * shapely.area(both)


def test_simplified_outlines_stay_within_the_tolerance_of_geopandas(districts):
    metres = districts.set_crs(4490, allow_override=True).to_crs(4528)
    theirs = metres.geometry.simplify(50.0, preserve_topology=True)
    ours = shapely.simplify(crs.from_storage(np.asarray(districts.geometry.values, dtype=object), 4528), 50.0, preserve_topology=True)
    for a, b, whole in zip(ours, theirs, metres.geometry, strict=True):
        assert a.is_valid and shapely.hausdorff_distance(a.boundary, b.boundary) < 0.01
        assert a.hausdorff_distance(whole) <= 60.0 and a.area == pytest.approx(whole.area, rel=0.01)


def test_no_area_or_length_is_computed_from_web_mercator():
    found = {}
    for package in ("grid", "layers", "imagery", "gis_api", "alembic"):
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            measured = [argument(text, match.end()) for match in MEASURE_SQL.finditer(text)]
            if hits := [a for a in measured if "3857" in a] + MERCATOR_PYTHON.findall(text):
                found[str(file.relative_to(ROOT))] = hits
    assert found == {}
