"""Frames: check values, round trips, axis order, and what is said about wrong declarations."""

import doctest
import json
import os
from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from grid import crs, distortions, geometry
from grid.errors import UnknownCrs

DATA = Path(os.environ.get("HDQ_TEST_DATA") or Path(__file__).parents[2] / ".." / "shared" / "data")
BOUNDARIES = DATA / "qingdao" / "boundaries"
CITY = (120.3826, 36.0671)

in_qingdao = st.tuples(st.floats(119.4, 121.2), st.floats(35.3, 37.2))
in_china = st.tuples(st.floats(73.0, 135.0), st.floats(4.0, 53.0))


@pytest.mark.parametrize("module", [crs, distortions])
def test_doctests(module):
    result = doctest.testmod(module, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert result.attempted > 5 and result.failed == 0


def test_zone_40_check_value():
    x, y = crs.from_storage(CITY, "EPSG:4528")
    assert (round(float(x), 2), round(float(y), 2)) == (40534467.46, 3993055.81)


def test_the_zone_without_prefix_differs_by_forty_million():
    x, y = crs.from_storage(CITY, 4549)
    assert (round(float(x), 2), round(float(y), 2)) == (534467.46, 3993055.81)


def test_epsg_4490_and_the_zones_are_north_first_only_on_demand():
    assert [float(v) for v in crs.from_storage(CITY, 4490)] == pytest.approx(CITY, abs=1e-12)
    assert [float(v) for v in crs.from_storage(CITY, 4490, authority_order=True)] == pytest.approx(CITY[::-1], abs=1e-12)
    north, east = crs.from_storage(CITY, 4528, authority_order=True)
    assert float(north) == pytest.approx(3993055.81, abs=0.01) and float(east) == pytest.approx(40534467.46, abs=0.01)
    assert [a.direction for a in pyproj.CRS.from_epsg(4490).axis_info] == ["north", "east"]


@pytest.mark.parametrize(
    ("true", "mapped"),
    [
        ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
        ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
    ],
)
def test_gcj02_golden_values_of_eviltransform(true, mapped):
    assert [float(v) for v in distortions.wgs84_to_gcj02(*true)] == pytest.approx(mapped, abs=1e-9)


def test_bd09_golden_value_of_coordtransform():
    gcj = distortions.gcj02_to_wgs84(116.404, 39.915)
    assert [float(v) for v in distortions.wgs84_to_bd09(*gcj)] == pytest.approx((116.41036949371029, 39.92133699351021), abs=1e-9)


def test_shift_in_qingdao_is_what_the_field_measured():
    _, gcj = geometry.inverse(*CITY, *(float(v) for v in distortions.wgs84_to_gcj02(*CITY)))
    _, baidu = geometry.inverse(*CITY, *(float(v) for v in distortions.wgs84_to_bd09(*CITY)))
    assert 430 < gcj < 480 and 1150 < baidu < 1350


@pytest.mark.parametrize("frame", ["GCJ-02", "BD-09"])
@given(points=st.lists(in_china, min_size=1, max_size=30))
def test_distortions_come_back_within_a_millimetre(frame, points):
    lon, lat = np.array(points).T
    back = crs.to_storage(crs.from_storage((lon, lat), frame), frame)
    _, metres = geometry.inverse(lon, lat, *back)
    assert metres.max() < 0.001


@pytest.mark.parametrize("frame", [4490, 4527, 4528, 4529, 4549, 4498, 3857, 32651])
@given(point=in_qingdao)
def test_frames_come_back_within_a_millimetre(frame, point):
    back = crs.to_storage(crs.from_storage(point, frame), frame)
    assert geometry.inverse(*point, *(float(v) for v in back))[1] < 0.001


def test_cgcs2000_gets_no_datum_shift():
    lon, lat = crs.to_storage((np.array([120.1234567]), np.array([36.7654321])), "CGCS2000")
    assert lon[0] == 120.1234567 and lat[0] == 36.7654321


def test_shapes_arrays_none_and_empty():
    box = shapely.box(120.3, 36.0, 120.4, 36.1)
    metres = crs.from_storage(box, 4528)
    assert metres.bounds[0] > 40_500_000
    assert crs.to_storage(np.array([metres, None], dtype=object), 4528)[0].equals_exact(box, 1e-9)
    assert crs.to_storage(None, 4528) is None
    assert crs.to_storage(shapely.Point(), "GCJ-02").is_empty


def test_what_cannot_be_converted_is_nan_not_infinity():
    lon, lat = crs.to_storage((np.array([1e30, np.nan, 40534467.46]), np.array([1e30, 1.0, 3993055.81])), 4528)
    assert np.isnan(lon[:2]).all() and np.isnan(lat[:2]).all() and lon[2] == pytest.approx(CITY[0])


@pytest.mark.parametrize("bad", ["", "EPSG:999999", "北京54", "+proj=longlat +nadgrids=/etc/passwd", "EPSG:4528; DROP", "EPSG:5773", None])
def test_unknown_frames_are_refused_by_name(bad):
    with pytest.raises(UnknownCrs) as caught:
        crs.to_storage(CITY, bad)
    assert repr(str(bad)) in str(caught.value) or str(bad) in str(caught.value)
    assert "GCJ-02" in caught.value.remedy


@pytest.mark.parametrize("code", [4610, 2349, 4214])
def test_old_datums_without_accurate_parameters_are_refused(code):
    with pytest.raises(UnknownCrs, match="CGCS2000"):
        crs.name(code)


def test_a_crs_object_of_a_shapefile_is_understood():
    esri = pyproj.CRS.from_epsg(4528).to_wkt("WKT1_ESRI")
    assert crs.name(pyproj.CRS.from_wkt(esri)) == "EPSG:4528"


@pytest.mark.parametrize("frame", ["EPSG:4326", "EPSG:4527", "EPSG:4528", "EPSG:4529", "EPSG:4549", "EPSG:4498", "EPSG:4499", "EPSG:3857"])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_right_frame_ranks_first(frame, swapped):
    lon, lat = np.linspace(119.9, 120.9, 40), np.linspace(35.9, 36.9, 40)
    x, y = crs.from_storage((lon, lat), frame)
    first = crs.candidates(*((y, x) if swapped else (x, y)))[0]
    assert (first.crs, first.swapped) == (frame, swapped)
    assert (first.lon, first.lat) == pytest.approx((119.9, 35.9), abs=1e-6)
    assert "青岛" in first.reason and "Qingdao" in first.reason_en


def test_degrees_alone_are_never_certain():
    with pytest.raises(UnknownCrs) as caught:
        crs.detect([120.38], [36.07])
    assert [c.crs for c in caught.value.extra["candidates"]] == ["EPSG:4326", "GCJ-02", "BD-09"]


def test_a_declaration_that_contradicts_the_coordinates_is_refused():
    x, y = crs.from_storage((np.array([120.38]), np.array([36.07])), 4528)
    for declared in (4326, 4549, 3857, "GCJ-02"):
        with pytest.raises(UnknownCrs) as caught:
            crs.check(x, y, declared)
        assert caught.value.extra["candidates"][0].crs == "EPSG:4528"
    with pytest.raises(UnknownCrs) as caught:
        crs.check([120.38], [36.07], 4528)
    assert caught.value.extra["candidates"][0].crs == "EPSG:4326"


def test_true_data_from_elsewhere_is_believed():
    assert crs.check([139.7, 139.8], [35.6, 35.7], 4326) == "EPSG:4326"
    assert crs.check([], [], 4490) == "EPSG:4490"


def test_a_reference_is_silent_when_the_data_shows_other_things():
    outline = shapely.box(120.0, 36.0, 120.5, 36.5)
    inside = np.random.default_rng(7).uniform([120.1, 36.1], [120.4, 36.4], (200, 2))
    assert crs.check(inside[:, 0], inside[:, 1], 4326, outline) == "EPSG:4326"
    assert crs.check([120.005], [36.2], 4326, outline) == "EPSG:4326"


@pytest.mark.parametrize("true_frame", ["EPSG:4326", "GCJ-02", "BD-09"])
def test_a_reference_tells_the_distortions_apart(true_frame):
    outline = geometry.circle(120.3, 36.2, 9000.0, n=200)
    drawn = shapely.get_coordinates(crs.from_storage(geometry.circle(120.3, 36.2, 9010.0, n=90), true_frame))
    assert crs.detect(drawn[:, 0], drawn[:, 1], outline).crs == true_frame
    for declared in ("EPSG:4326", "GCJ-02", "BD-09"):
        if declared == true_frame:
            assert crs.check(drawn[:, 0], drawn[:, 1], declared, outline) == declared
        else:
            with pytest.raises(UnknownCrs, match="边界") as caught:
                crs.check(drawn[:, 0], drawn[:, 1], declared, outline)
            assert caught.value.extra["candidates"][0].crs == true_frame


@pytest.mark.skipif(not BOUNDARIES.is_dir(), reason="real boundaries absent: set HDQ_TEST_DATA")
@pytest.mark.parametrize("name", ["datav_370200_districts_GCJ02.json", "echarts_china_cities_qingdao_GCJ02_like.geojson"])
def test_real_boundaries_tagged_as_degrees_are_recognised_as_gcj02(name):
    reference = shapely.from_geojson((BOUNDARIES / "qingdao_districts_WGS84_from_cnmaps.geojson").read_text())
    document = json.loads((BOUNDARIES / name).read_text())
    xy = np.concatenate([shapely.get_coordinates(shapely.from_geojson(json.dumps(f["geometry"]))) for f in document["features"]])
    with pytest.raises(UnknownCrs) as caught:
        crs.check(xy[:, 0], xy[:, 1], 4326, reference)
    assert caught.value.extra["candidates"][0].crs == "GCJ-02"
    assert crs.check(xy[:, 0], xy[:, 1], "GCJ-02", reference) == "GCJ-02"
