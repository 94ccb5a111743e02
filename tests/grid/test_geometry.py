"""Shapes: cleaning, boxes, measures against hand-checked figures, constructed shapes anywhere on the globe."""

import doctest

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from grid import geometry
from grid.errors import InvalidInput

lons = st.floats(-180.0, 180.0)
lats = st.floats(-80.0, 80.0)
azimuths = st.floats(-360.0, 720.0)


def test_doctests():
    result = doctest.testmod(geometry, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert result.attempted > 15 and result.failed == 0


@pytest.mark.parametrize("nothing", [None, Point(), Polygon(), MultiPolygon(), shapely.GeometryCollection()])
def test_nothing_is_nothing_everywhere(nothing):
    assert geometry.clean(nothing) is None
    assert geometry.bbox(nothing) is None
    assert geometry.area_m2(nothing) == geometry.length_m(nothing) == 0.0


@pytest.mark.parametrize("bad", [Point(float("nan"), 36.0), Point(120.0, float("inf")), Point(36.0, 120.0), LineString([(120, 36), (181, 36)])])
def test_impossible_coordinates_are_named(bad):
    with pytest.raises(InvalidInput) as caught:
        geometry.clean(bad)
    assert caught.value.remedy


def test_cleaning_keeps_the_dimension_and_drops_heights():
    bow = Polygon([(0, 0, 5), (2, 2, 5), (2, 0, 5), (0, 2, 5)])
    mended = geometry.clean(bow)
    assert mended.is_valid and mended.geom_type == "MultiPolygon" and not mended.has_z
    spike = Polygon([(0, 0), (1, 0), (1, 1), (1, 3), (1, 1), (0, 1)])
    assert geometry.clean(spike).equals(box(0, 0, 1, 1))
    assert geometry.clean(Polygon([(0, 0), (1, 1), (0, 0), (0, 0)])) is None


def test_area_and_length_against_figures_checked_by_hand():
    # one degree on the equator: 111,319.49 m; a square degree there: 12,308.78 km² (Karney)
    assert geometry.length_m(LineString([(0, 0), (1, 0)])) == pytest.approx(111_319.49, abs=0.01)
    assert geometry.area_m2(box(0, 0, 1, 1)) == pytest.approx(12_308_778_361.469, rel=1e-9)


def test_holes_come_off_and_directions_do_not_matter():
    shell, hole = box(120.0, 36.0, 120.1, 36.1), box(120.02, 36.02, 120.04, 36.04)
    with_hole = Polygon(shell.exterior.coords, [hole.exterior.coords])
    backwards = Polygon(shell.exterior.coords[::-1], [hole.exterior.coords])
    expected = geometry.area_m2(shell) - geometry.area_m2(hole)
    assert geometry.area_m2(with_hole) == pytest.approx(expected) == pytest.approx(geometry.area_m2(backwards))
    assert geometry.length_m(with_hole) == pytest.approx(geometry.length_m(shell) + geometry.length_m(hole))
    nested = shapely.GeometryCollection([MultiPolygon([with_hole]), Point(0, 0), LineString([(0, 0), (1, 0)])])
    assert geometry.area_m2(nested) == pytest.approx(expected)


def test_mercator_areas_would_be_half_too_large_here():
    from grid import crs

    field = box(120.38, 36.06, 120.39, 36.07)
    assert 1.50 < crs.from_storage(field, 3857).area / geometry.area_m2(field) < 1.56


@given(lon=lons, lat=lats, azimuth=azimuths, distance=st.floats(1.0, 500_000.0))
def test_destination_and_inverse_agree(lon, lat, azimuth, distance):
    there = geometry.destination(lon, lat, azimuth, distance)
    back_azimuth, back_distance = geometry.inverse(lon, lat, *there)
    assert back_distance == pytest.approx(distance, abs=1e-3)
    turn = abs((back_azimuth - azimuth + 180.0) % 360.0 - 180.0)
    assert turn * np.pi / 180.0 * distance < 0.01
    assert 0.0 <= back_azimuth < 360.0 and -180.0 <= there[0] <= 180.0


def test_measures_take_arrays():
    lon, lat = geometry.destination(120.0, 36.0, [0.0, 90.0], 1000.0)
    assert lon.shape == (2,)
    azimuth, metres = geometry.inverse(120.0, 36.0, lon, lat)
    assert azimuth == pytest.approx([0.0, 90.0]) and metres == pytest.approx([1000.0, 1000.0])


@given(lon=lons, lat=lats, azimuth=azimuths, fov=st.floats(1.0, 359.0), reach=st.floats(10.0, 40_000.0))
def test_view_sectors_have_the_right_area_and_hold_their_middle(lon, lat, azimuth, fov, reach):
    sector = geometry.view_sector(lon, lat, azimuth, fov, reach, n=90)
    assert sector.is_valid
    west, south, east, north = sector.bounds
    assert west >= -180.0 and east <= 180.0
    assert geometry.area_m2(sector) == pytest.approx(np.pi * reach**2 * fov / 360.0, rel=0.01)
    assert shapely.distance(sector, Point(*geometry.destination(lon, lat, azimuth, reach / 2.0))) < 1e-6


def test_a_sector_looks_where_the_azimuth_points():
    east = geometry.view_sector(120.4, 36.1, 90.0, 60.0, 1000.0)
    assert east.bounds[0] == pytest.approx(120.4) and east.centroid.x > 120.4
    assert geometry.view_sector(120.4, 36.1, 0.0, 360.0, 500.0).contains(Point(120.4, 36.1))


@given(lon=lons, lat=lats, major=st.floats(1.0, 50_000.0), ratio=st.floats(0.05, 1.0), azimuth=azimuths)
def test_ellipses_have_the_right_area(lon, lat, major, ratio, azimuth):
    assume(abs(lat) < 75.0)
    shape = geometry.ellipse(lon, lat, major, major * ratio, azimuth, n=180)
    assert shape.is_valid
    assert geometry.area_m2(shape) == pytest.approx(np.pi * major**2 * ratio, rel=0.01)


def test_an_ellipse_is_long_along_its_azimuth():
    shape = geometry.ellipse(120.4, 36.1, 1000.0, 100.0, 0.0)
    west, south, east, north = shape.bounds
    assert geometry.inverse(120.4, south, 120.4, north)[1] == pytest.approx(2000.0, rel=0.01)
    assert geometry.inverse(west, 36.1, east, 36.1)[1] == pytest.approx(200.0, rel=0.01)


@pytest.mark.parametrize("bad", [0.0, -5.0, float("nan"), float("inf")])
def test_impossible_sizes_are_refused(bad):
    for make in (
        lambda: geometry.circle(120, 36, bad),
        lambda: geometry.ellipse(120, 36, 10, bad, 0),
        lambda: geometry.view_sector(120, 36, 0, 60, bad),
        lambda: geometry.view_sector(120, 36, 0, bad, 100),
    ):
        with pytest.raises(InvalidInput, match=str(bad)):
            make()


def test_shapes_across_the_antimeridian_are_cut_and_their_box_says_so():
    disc = geometry.circle(179.99, 10.0, 5000.0)
    assert disc.geom_type == "MultiPolygon" and disc.bounds[0] == -180.0 and disc.bounds[2] == 180.0
    west, _, east, _ = geometry.bbox(disc)
    assert 179.9 < west < 180.0 and -180.0 < east < -179.9
    whole_world = geometry.bbox(box(-180, -90, 180, 90))
    assert whole_world == (-180.0, -90.0, 180.0, 90.0)
