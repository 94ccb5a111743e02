"""A city's register of cameras: what is read, what is refused and why, and what stays of cameras that are known."""

import json
from dataclasses import replace

import pytest
import shapely

from grid import events
from grid.database import Scope, row
from grid.errors import Forbidden, InvalidInput
from grid.world import camera_controls, camera_import, cameras

HEAD = "编码,名称,类型,经度,纬度,方位角,视频流,权属单位,保存天数,预置位\n"
CODE = "3702120000132000000{}"


def judge(stream: str) -> Forbidden | None:
    return None if stream.startswith("rtsp://ok") else Forbidden("主机不在名单 · not allowed")


def csv(*lines: str) -> bytes:
    return (HEAD + "\n".join(lines)).encode()


async def city(conn) -> None:
    for code, level, west in (("370212", 2, 120.5), ("370202", 2, 120.3)):
        await conn.execute(
            "INSERT INTO regions (code, level, name, geom) VALUES (%s, %s, %s, ST_Multi(ST_MakeEnvelope(%s, 36, %s, 36.5, 4326)))",
            (code, level, code, west, west + 0.2),
        )


def test_headings_are_ours_or_chinese_and_each_bad_row_says_why() -> None:
    found = camera_import.read(
        csv(
            f"{CODE.format(1)},崂顶,高点,120.6,36.2,360,rtsp://ok/1,林业局,90,巡航:10:-3:20；家:200:-2:60",
            f"{CODE.format(2)},,,120.6,36.2,10,,,,",
            f"{CODE.format(2)},,,120.6,36.2,10,,,,",
            f"{CODE.format(3)},,,,36.2,10,,,,",
            f"{CODE.format(4)},,,1e9,36.2,10,,,,",
            f"{CODE.format(5)},,卫星,120.6,36.2,10,,,,",
            f"{CODE.format(6)},,,120.6,36.2,10,rtsp://evil/x,,,",
            f"{CODE.format(7)},,,120.6,36.2,nan,,,,",
            f"{CODE.format(8)},,,120.6,36.2,10,,,,家:1:2",
            "37,,,120.6,36.2,10,,,,",
        ),
        judge,
    )
    assert [refused.line for refused in found.refused] == [3, 4, 5, 6, 7, 8, 9, 10]
    tower, street = found.cameras
    assert (tower.kind, tower.owner, tower.retention_days, tower.stream, tower.simulated) == ("tower", "林业局", 90, "rtsp://ok/1", False)
    assert (street.name, street.kind, street.lens_mm, street.image_width, tower.azimuth_deg) == (CODE.format(2), "street", None, 1920, 0.0)
    assert [preset.name for preset in found.presets[tower.code]] == ["巡航", "家"]
    assert camera_import.read((HEAD + f"{CODE.format(1)},崂顶,高点,120.6,36.2,0,,,,").encode("gb18030"), judge).cameras[0].name == "崂顶"


@pytest.mark.parametrize("content", [b"", b"\xff\x00\x01", b"{}", b'{"features": [{"properties": {}, "geometry": null}]}', b'{"features": ' + b"[" * 100_000])
def test_a_file_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        camera_import.read(content, judge)


async def test_cameras_are_added_changed_and_kept_apart_by_region(conn) -> None:
    await city(conn)
    feature = {
        "type": "Feature",
        "properties": {"code": CODE.format(1), "azimuth_deg": 90, "presets": "家:90:-3:60", "lens_mm": 8},
        "geometry": {"type": "Point", "coordinates": [120.6, 36.2]},
    }
    geojson = json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()
    done = await camera_import.store(conn, Scope("3702"), camera_import.read(geojson, judge), None)
    assert (done.added, done.changed, done.refused) == (1, 0, ())
    (known,) = await cameras.page(conn, Scope("370212"))
    assert (known.region_code, known.lens_mm, [p.name for p in await cameras.presets(conn, known.id)]) == ("370212", 8.0, ["家"])
    assert shapely.area(known.view) > 0
    await cameras.update(conn, known.id, state="moved")
    same = camera_import.read(csv(f"{CODE.format(1)},甲,街面,120.6,36.2,90,,城管局,,", f"{CODE.format(2)},乙,街面,120.4,36.2,90,,,,", f"{CODE.format(3)},丙,街面,10,36,90,,,,"), judge)
    await conn.commit()
    laoshan = await camera_import.store(conn, Scope("370212"), same, None)
    assert (laoshan.added, laoshan.changed, [r.line for r in laoshan.refused]) == (0, 1, [2, 3])
    await conn.commit()
    again = await cameras.get(conn, known.id)
    assert (again.name, again.owner, again.state, await cameras.presets(conn, known.id)) == ("甲", "城管局", "moved", [])
    turned = camera_import.read(csv(f"{CODE.format(1)},甲,街面,120.6,36.2,95,,,,"), judge)
    assert (await camera_import.store(conn, Scope("370202"), turned, None)).refused_count == 1
    await conn.commit()
    assert (await camera_import.store(conn, Scope("3702"), turned, None)).changed == 1
    assert (await cameras.get(conn, known.id)).state == "online"
    assert (await row(conn, "SELECT count(*) AS n FROM audit WHERE action = 'cameras.imported'"))["n"] == 4
    assert [e.kind for e in await events.since(conn, 0)].count("camera.changed") == 4


async def test_a_second_import_keeps_what_the_file_does_not_give_and_the_reference_of_an_unchanged_pose(conn) -> None:
    await city(conn)
    code = CODE.format(1)
    whole = (
        "code,name,kind,lon,lat,azimuth_deg,ground_m,height_m,pitch_deg,hfov_deg,range_m,pose_sigma_deg,stream,detectors,presets,lens_mm,owner\n"
        f"{code},甲,tower,120.6,36.2,90,12.3,30,-7.7,20.1,900,0.3,rtsp://ok/1,fire;smoke,家:90:-3:60,8,林业局\n"
    )
    await camera_import.store(conn, Scope("3702"), camera_import.read(whole.encode(), judge), None)
    (first,) = await cameras.page(conn, Scope("3702"))
    await cameras.update(conn, first.id, state="wrong_pose")
    await conn.execute("INSERT INTO camera_references (camera_id, thumb, taken_at) VALUES (%s, 'x', now())", [first.id])
    await camera_controls.put(conn, first.id, None, [(0.1, 0.1, 120.6, 36.2)] * 4, 0.1)
    await conn.commit()

    async def again(text: str) -> cameras.Camera:
        done = await camera_import.store(conn, Scope("3702"), camera_import.read(text.encode(), judge), None)
        assert (done.added, done.changed, done.refused_count) == (0, 1, 0)
        await conn.commit()
        return await cameras.get(conn, first.id)

    async def references() -> int:
        """Of the pose: its reference picture and its control points."""
        assert (await row(conn, "SELECT count(*) AS n FROM camera_controls"))["n"] == (found := (await row(conn, "SELECT count(*) AS n FROM camera_references"))["n"])
        return found

    for text in (whole, f"code,lon,lat,azimuth_deg\n{code},120.6,36.2,90\n", f"code,lon,lat,azimuth_deg,hfov_deg,name\n{code},120.6,36.2,90,,\n"):
        same = await again(text)
        assert same == replace(first, state="wrong_pose")
        assert [preset.name for preset in await cameras.presets(conn, first.id)] == ["家"]
        assert await references() == 1
    cleared = await again(f"code,lon,lat,azimuth_deg,stream,detectors,presets\n{code},120.6,36.2,90,,,\n")
    assert (cleared.stream, cleared.detectors, await cameras.presets(conn, first.id), await references()) == (None, [], [], 1)
    raised = await again(f"code,lon,lat,azimuth_deg,ground_m\n{code},120.6,36.2,90,14\n")
    assert (raised.ground_m, raised.state, raised.view, await references()) == (14.0, "online", first.view, 0)
