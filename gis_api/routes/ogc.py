"""The open standards of gis_api/ogc."""

from fastapi import APIRouter

from gis_api.ogc import features, stac, tiles

router = APIRouter()
router.include_router(features.router)
router.include_router(tiles.router)
router.include_router(stac.router)
