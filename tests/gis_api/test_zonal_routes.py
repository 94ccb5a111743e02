"""How green each grid is, through HTTP: the grids of that day, inside the caller's region, with the share that the scene shows."""

from pathlib import Path

import pytest
import shapely

from imagery.scenes import catalogue, indices, simulate
from imagery.scenes.raster import write_geotiff

BOUNDS = (120.555, 36.160, 120.570, 36.172)
CUT = shapely.box(120.560, 36.165, 120.5635, 36.167)


async def test_the_grids_of_a_scene(app_client, login, settings, conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "isolated", lambda function, *arguments, **limits: function(*arguments))
    made = simulate.pair(BOUNDS, 10, [("forest", shapely.box(*BOUNDS))], [("clear_cut", CUT)], 3)
    content = write_geotiff(tmp_path / "a.tif", made.after, made.transform, made.crs, nodata=0).read_bytes()
    await login(app_client, "shuju")
    data = {"datetime": "2026-09-20T10:45:00+08:00", "bands": "blue,green,red,nir,swir1,swir2", "id": "after"}
    assert (await app_client.post("/api/scenes", files={"file": ("a.tif", content, "image/tiff")}, data=data)).status_code == 201
    shapes = {"felled": CUT.buffer(-0.0003), "forest": shapely.box(120.565, 36.161, 120.569, 36.164), "half": shapely.box(120.5675, 36.1645, 120.5725, 36.166), "far": shapely.box(121, 36, 121.01, 36.01)}
    for number, (name, shape) in enumerate(shapes.items(), 1):
        await conn.execute(
            "INSERT INTO cells (code, name, region_code, geom) VALUES (%s, %s, '370212', ST_Multi(ST_GeomFromText(%s, 4326)))", (f"370212001001{number:03d}", name, shape.wkt)
        )
    await conn.commit()
    answer = await app_client.get("/api/scenes/after/zonal", params={"index": "ndvi"})
    assert answer.status_code == 200
    found = {one["properties"]["name"]: one["properties"] for one in answer.json()["features"]}
    assert set(found) == {"felled", "forest", "half"} and answer.json()["step"] == indices.STEP
    assert found["felled"]["mean"] < 0.35 < 0.6 < found["forest"]["mean"] and found["forest"]["least"] <= found["forest"]["mean"] <= found["forest"]["most"]
    assert found["forest"]["share"] > 0.999 and found["half"]["share"] == pytest.approx(0.5, abs=0.1)
    assert (await app_client.get("/api/scenes/after/zonal", params={"index": "colour"})).status_code == 422
    await login(app_client, "shinan")
    assert (await app_client.get("/api/scenes/after/zonal")).status_code == 404
