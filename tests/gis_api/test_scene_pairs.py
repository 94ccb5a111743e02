"""Pairs that do not go together at once: other grids, a band that is lacking, a scene that is all cloud."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from gis_api.tasks import JobContext
from gis_api.tasks.surveys import TASKS as SURVEYS
from grid.database import make_pool
from imagery.scenes import catalogue
from imagery.scenes.raster import write_geotiff
from tests.gis_api.test_scene_doors import UTM51, picture, post
from tests.imagery.scenes import products


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decodes in this process: that the decoder is confined is test_engine's concern."""
    monkeypatch.setattr(catalogue, "isolated", lambda function, *arguments, **limits: function(*arguments))


def later(place: Path) -> Path:
    """The same product five months on."""
    for file in place.glob("*.xml"):
        file.write_text(file.read_text().replace("URI>S2B_MSIL2A_20260503", "URI>S2B_MSIL2A_20261003"))
    (tile,) = place.rglob("MTD_TL.xml")
    tile.write_text(tile.read_text().replace("2026-05-03", "2026-10-03"))
    return place


async def test_a_survey_of_pairs_that_do_not_go_together(app_client, login, settings, tmp_path: Path) -> None:
    """Different grids are compared on one; a band that is lacking is named; a scene that is all cloud shows nothing, which is not no change."""
    await login(app_client, "shuju")

    async def survey(before: str, after: str) -> dict:
        asked = await app_client.post("/api/surveys", json={"analysis": "vegetation_loss", "before": before, "after": after})
        if asked.status_code != 202:
            return asked.json() | {"status": asked.status_code}
        async with make_pool(settings.database_url, size=2) as pool:
            await SURVEYS["survey"](JobContext(settings, pool), asked.json()["id"])
        return (await app_client.get(f"/api/surveys/{asked.json()['id']}")).json()

    clear = products.zipped(products.safe(tmp_path / "clear"), tmp_path / "clear.zip")
    cloudy = products.zipped(later(products.safe(tmp_path / "cloudy", cloud=1.0)), tmp_path / "cloudy.zip")
    for archive, name in ((clear, "clear"), (cloudy, "cloudy")):
        assert (await post(app_client, archive, id=name, datetime="")).status_code == 201
    nothing = await survey("clear", "cloudy")
    assert nothing["state"] == "failed" and "nothing is visible: 100.0 % of cloudy is cloud or shadow" in nothing["error"] and nothing["result"] == {}
    assert (await post(app_client, picture(tmp_path / "rgb.tif", bands=3, place=products_place()), id="rgb", datetime="2026-11-01T10:45:00+08:00")).status_code == 201
    lacking = await survey("clear", "rgb")
    assert lacking["status"] == 422 and "do not both have nir" in lacking["detail"] and "name the bands when registering" in lacking["remedy"]
    ground = np.random.default_rng(8).integers(2000, 4000, (40, 40)).astype(np.uint16)
    red, nir = np.kron(ground, np.ones((3, 3), np.uint16)) // 4, np.kron(ground, np.ones((3, 3), np.uint16))
    fine = write_geotiff(tmp_path / "fine.tif", np.stack([red, nir]), products_place(), UTM51, bands=("red", "nir"), nodata=0)
    coarse_red, coarse_nir = red[1::3, 1::3].copy(), nir[1::3, 1::3].copy()
    coarse_red[10:20, 10:20], coarse_nir[10:20, 10:20] = 2500, 2600
    coarse = write_geotiff(tmp_path / "coarse.tif", np.stack([coarse_red, coarse_nir]), products_place(30.0), UTM51, bands=("red", "nir"), nodata=0)
    for path, name, when in ((fine, "fine", "2026-05-05T10:45:00+08:00"), (coarse, "coarse", "2026-09-05T10:45:00+08:00")):
        assert (await post(app_client, path, id=name, datetime=when, bands="red,nir")).status_code == 201
    compared = await survey("fine", "coarse")
    assert compared["state"] == "done" and compared["result"]["grid"] == {"width": 40, "height": 40, "resolution_m": 30.0}, compared
    assert compared["result"]["patches"] == 1 and compared["result"]["area_m2"] == pytest.approx(300 * 300, rel=0.15)


def products_place(metres: float = 10.0) -> rasterio.Affine:
    """Where the products of the tests lie."""
    return from_origin(products.LEFT, products.TOP, metres, metres)
