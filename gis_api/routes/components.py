"""The census of city components 部件: how many of each class, how many impaired."""

from fastapi import APIRouter, Depends
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.wire.world import ComponentClass
from grid.world import components

router = APIRouter(prefix="/api/components", tags=["components"], responses=RESPONSES)


@router.get("/census")
async def component_census(caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[ComponentClass]:
    """Every class with its accuracy and how many stand in the caller's region today."""
    found = await components.census(connection, caller.scope)
    same = ComponentClass.model_fields.keys() - {"accuracy_m"}
    return [ComponentClass(**{name: getattr(c, name) for name in same}, accuracy_m=components.ACCURACY_M[c.accuracy]) for c in found]
