"""The drawn city: real districts, divisions without gap or overlap, valid codes, roads in one net, houses on land and off the roads."""

from collections import Counter

import numpy as np
import pytest
import shapely

from gis_api.demo import blaze, buildings, cameras, coast, components, districts, drawn, forest, parcels, pictures, plane, streets, terrain, trunks
from gis_api.demo import staff as people
from gis_api.demo import units as fleet
from grid import geometry
from grid.sensing.association import together
from grid.sensing.likelihood import Sight
from grid.sensing.posterior import localise
from grid.world import cell_codes
from grid.world.atlas import Atlas
from imagery.cameras.locate import Pose, locate
from imagery.terrain import load_terrain

AREAS_KM2 = {
    "370202": 34.9, "370203": 69.5, "370213": 98.5, "370212": 420, "370214": 542, "370211": 2132, "370215": 1890, "370281": 1312, "370283": 3182, "370285": 1569,
}  # fmt: skip


@pytest.fixture(scope="module")
def city() -> drawn.City:
    return drawn.draw(districts.outlines())


@pytest.fixture(scope="module")
def ground(city) -> np.ndarray:
    return terrain.heights(city.land)


@pytest.fixture(scope="module")
def network(city, ground):
    return drawn.network(city, ground)


@pytest.fixture(scope="module")
def atlas(city) -> Atlas:
    return drawn.atlas(city)


def test_districts_have_their_published_areas(city):
    found = {r.code: geometry.area_m2(r.geom) / 1e6 for r in city.regions if r.level == 2}
    assert found == pytest.approx(AREAS_KM2, rel=0.01)


def test_divisions_of_shinan_leave_no_gap_and_no_overlap(city):
    whole = city.land.districts["370202"].area
    for shapes in (
        [c.geom for c in city.cells],
        [r.geom for r in city.regions if r.level == 3 and r.code.startswith("370202")],
        [r.geom for r in city.regions if r.level == 4 and r.code.startswith("370202")],
    ):
        flat = plane.to_plane(np.array(shapes, dtype=object))
        assert shapely.area(flat).sum() == pytest.approx(whole, rel=1e-6)
        assert shapely.union_all(flat).area == pytest.approx(whole, rel=1e-6)


def test_there_are_505_grids_with_valid_codes_inside_their_communities(city):
    codes = [c.code for c in city.cells]
    assert len(set(codes)) == 505
    communities = {r.code: r.geom for r in city.regions if r.level == 4}
    for cell in city.cells:
        _, _, community, _ = cell_codes.split_code(cell.code)
        assert community == cell.region_code
        assert communities[community].covers(cell.geom.representative_point())
    for community in {c.region_code for c in city.cells}:
        numbers = sorted(int(c.code[12:]) for c in city.cells if c.region_code == community)
        assert numbers == list(range(1, len(numbers) + 1))


def test_unit_grids_nest_in_management_grids_and_evaluation_grids_are_communities(city):
    units = [c for c in city.nested if c.kind == "unit"]
    whole = {c.code: plane.to_plane(c.geom) for c in city.cells}
    parts = Counter(c.parent_code for c in units)
    assert set(parts) == set(whole) and max(parts.values()) <= 5 and len({c.code for c in units}) == len(units) > 1000
    for parent in list(whole)[::25]:
        inside = shapely.union_all([plane.to_plane(c.geom) for c in units if c.parent_code == parent])
        assert shapely.symmetric_difference(inside, whole[parent]).area < 1.0
    assert {c.region_code for c in city.nested if c.kind == "evaluation"} == {c.region_code for c in city.cells}


def test_every_division_lies_in_its_parent_and_is_marked(city):
    codes = {r.code for r in city.regions}
    assert all(r.parent_code in codes for r in city.regions if r.level > 1)
    assert all(r.simulated for r in city.regions if r.level > 2) and not any(r.simulated for r in city.regions if r.level <= 2)
    assert Counter(r.level for r in city.regions)[3] == 141


def test_the_roads_are_one_net_on_land(city, network):
    nodes, _ = trunks.number(network)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    half = len(network)
    count = int(nodes.max()) + 1
    assert connected_components(coo_array((np.ones(half), (nodes[:half], nodes[half:])), shape=(count, count)), directed=False)[0] == 1
    land = shapely.buffer(city.land.whole, 150)
    shapely.prepare(land)
    dry = network.take(network.kind != "motorway")
    assert shapely.covers(land, dry.line).mean() > 0.995


def test_houses_stand_on_land_in_one_block_and_off_main_roads(city):
    drawn_, block = buildings.choose(city.town, 4000)
    assert len(drawn_.shape) == 4000
    assert shapely.contains_properly(city.town.blocks[block], drawn_.shape).all()
    assert shapely.is_valid(drawn_.shape).all()
    main = shapely.union_all(city.town.edges.line[city.town.edges.kind == "primary"])
    assert shapely.distance(drawn_.shape, main).min() > 5
    tree = shapely.STRtree(drawn_.shape)
    assert tree.query(drawn_.shape, predicate="overlaps").size == 0
    rows = buildings.rows(city.town, drawn_, block, city.community_of, city.cell_of)
    assert set(rows.use) <= {"residential", "commercial", "office", "industrial", "public", "education", "medical", "warehouse"}
    assert (rows.height_m > 2).all() and (rows.height_m < 400).all() and all(a.endswith("号") for a in rows.address)
    known = {c.code for c in city.cells}
    assert set(rows.cell_code) <= known and all(cell.startswith(region) for cell, region in zip(rows.cell_code, rows.region_code, strict=True))


def test_the_same_size_gives_the_same_houses(city):
    first, second = (buildings.choose(city.town, 500)[0] for _ in range(2))
    assert (shapely.to_wkb(first.shape) == shapely.to_wkb(second.shape)).all()


def test_the_ground_peaks_at_the_summit_and_ends_at_the_sea(city, ground):
    assert ground.max() == pytest.approx(1132.7, abs=0.1)
    assert terrain.at(ground, terrain.SUMMIT[0], terrain.SUMMIT[1]) == pytest.approx(1132.7, abs=0.1)
    assert terrain.at(ground, 120.70, 36.05) == 0.0


def test_the_coast_has_a_chainage_that_runs_on(city):
    pieces = [p for p in coast.pieces(city.land) if p.name == "青岛大陆岸线"]
    assert [p.chainage_from_m for p in pieces[1:]] == [p.chainage_to_m for p in pieces[:-1]]
    assert pieces[0].geom.coords[0][1] > pieces[-1].geom.coords[-1][1]
    for piece in pieces[::40]:
        assert geometry.length_m(piece.geom) == pytest.approx(piece.chainage_to_m - piece.chainage_from_m, rel=0.01)
    for zone in coast.setbacks(city.land, pieces):
        inside = shapely.intersection(plane.to_plane(zone.geom), city.land.districts[zone.region_code])
        assert inside.area == pytest.approx(plane.to_plane(zone.geom).area, rel=1e-5)


def test_forest_and_parcels_do_not_cover_each_other_and_some_sites_have_permits(city, ground):
    zones, wooded = forest.zones(city.land, ground)
    assert sum(z.region_code == "370212" for z in zones) > 100 and sum(z.area_ha for z in zones if z.region_code == "370212") > 8000
    register = parcels.draw(city.land, city.town, city.centres, list(city.centre_codes), wooded, city.community_of)
    by_code = {p.code: p for p in register.parcels}
    assert len(by_code) == len(register.parcels) and all(p.area_m2 > 0 for p in register.parcels)
    assert all(permit.parcel_code in by_code and permit.since < permit.until for permit in register.permits)
    permitted = {p.parcel_code for p in register.permits}
    held = [next(p.code for p in register.parcels if shapely.equals(shapely.normalize(p.geom), shapely.normalize(shapely.MultiPolygon([site])))) in permitted for site in register.sites]
    assert held == [site[-1] for site in parcels.SITES]
    flat = plane.to_plane(np.array([p.geom for p in register.parcels if p.region_code.startswith("370212")], dtype=object))
    shared = shapely.area(shapely.intersection(flat, wooded)).sum()
    assert shared < 0.01 * shapely.area(flat).sum()


def test_cameras_see_what_their_pose_says(city, ground, network, atlas):
    found = cameras.draw(600, network, ground, city.land, atlas)
    assert len(found) == 600 and len({c.code for c in found}) == 600 and all(len(c.code) == 20 for c in found)
    towers = [c for c in found if c.kind == "tower"]
    assert len(towers) >= cameras.LEAST_TOWERS
    assert sum(c.ground_m > 150 for c in towers) > len(towers) * 0.4
    for camera in found[:: max(len(found) // 12, 1)]:
        same = geometry.view_sector(camera.lon, camera.lat, camera.azimuth_deg, camera.hfov_deg, camera.range_m, cameras.ARC)
        assert shapely.symmetric_difference(same, camera.view).area < 1e-3 * same.area
    assert len({c.region_code[:6] for c in found}) == 10


def test_a_few_thousand_components_stand_beside_streets_and_are_marked(network):
    found = components.draw(network)
    assert 3000 <= len(found) <= 12000 and len({c.code for c in found}) == len(found) and all(c.simulated for c in found)
    assert {c.class_code for c in found} == {kind for kind, *_ in components.KINDS}
    spots = plane.to_plane(np.array([c.geom for c in found[::50]], dtype=object))
    away = shapely.distance(spots, network.line[shapely.STRtree(network.line).query_nearest(spots, all_matches=False)[1]])
    assert 1.0 < np.median(away) < 8.0 and away.max() < 9.0


def test_units_stand_on_roads_in_every_district(network, atlas):
    nodes = trunks.number(network)[1]
    rows = fleet.draw(nodes, atlas)
    assert {r.region_code for r in rows} == set(districts.NAMES)
    assert {r.kind for r in rows} == {"vehicle", "drone", "team"} and len({r.code for r in rows}) == len(rows)
    homes = np.array([plane.xy(r.home.x, r.home.y) for r in rows])
    from scipy.spatial import cKDTree

    assert cKDTree(nodes).query(homes)[0].max() < 0.5


def test_the_accounts_of_the_login_page_come_first(city):
    rows = people.draw(city.regions, city.cells)
    assert [r.username for r in rows[:12]] == ["wangge", "chuzhi", "linye", "guotu", "haian", "zhihui", "shinan", "laoshan", "shuju", "suanfa", "admin", "shenji"]
    assert rows[0].cell_codes and rows[0].region_code.startswith(people.STREET) and rows[1].region_code == people.STREET
    assert len({r.username for r in rows}) == len(rows) >= 60 and all(r.simulated for r in rows)


def test_drawn_frames_are_the_same_every_time():
    first, again, before = pictures.tower_frame("T1", 2), pictures.tower_frame("T1", 2), pictures.tower_frame("T1", 0)
    assert first.tobytes() == again.tobytes() != before.tobytes()


def test_streets_have_names_from_the_seed():
    assert streets.names()["370202009"] == "八大关街道"


def test_two_towers_see_the_smoke_of_their_recordings_on_one_place(network, ground, city, atlas, tmp_path):
    """What the pipeline makes of boxes at the feet: two wedges or points that are of one fire, and cross where it was put."""
    model = load_terrain(terrain.write(tmp_path, ground))
    towers = [c for c in cameras.draw(300, network, ground, city.land, atlas) if c.kind == "tower"][:5]
    place, seeing = blaze.place(towers, model)
    sights = []
    for number, foot in zip(seeing, ((0.77, 0.5), (0.3, 0.62)), strict=True):
        tower = blaze.turned(towers[number], foot, place, model)
        pose = Pose(
            tower.lon, tower.lat, tower.ground_m + tower.height_m, tower.azimuth_deg, tower.pitch_deg, tower.hfov_deg, tower.image_width, tower.image_height,
            tower.pose_sigma_deg,
        )  # fmt: skip
        x, y = foot[0] * pose.width, foot[1] * pose.height
        found = locate(pose, (x - 20, y - 40, x + 20, y), model, far_m=1.5 * tower.range_m)
        assert tower.view.contains(shapely.Point(place))
        mast = tower.lon, tower.lat
        sights.append(Sight(tower.code, found.lon, found.lat, found.accuracy_m, 0.7, found.footprint, mast, found.bearing_deg, found.bearing_sigma_deg, found.polar))
    assert together(sights)
    fused = localise(sights)
    assert fused.crossing_deg > 35 and fused.accuracy_m < 300 and geometry.inverse(fused.lon, fused.lat, *place)[1] < 60


def test_the_foot_of_drawn_smoke_is_where_the_picture_says():
    still, burning = (np.asarray(pictures.tower_frame("T2", minute, view="T2"), float).mean(axis=2) for minute in (0, 3))
    x, y = pictures.foot("T2")
    rows, columns = np.nonzero(np.abs(burning - still) > 40)
    lowest = rows > np.quantile(rows, 0.98)
    assert y == pytest.approx(rows[lowest].mean() / pictures.HEIGHT, abs=0.05) and x == pytest.approx(columns[lowest].mean() / pictures.WIDTH, abs=0.05)
