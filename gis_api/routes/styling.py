"""Colours that people give to imported layers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from psycopg import AsyncConnection

from gis_api.auth import Caller, may
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.wire.styling import LayerStyle, style_of
from grid import audit
from layers import datasets, styling

router = APIRouter(prefix="/api", tags=["datasets"], responses=RESPONSES)
DatasetId = Annotated[str, Path(max_length=80)]


@router.put("/datasets/{dataset_id}/style", summary="Colour a layer by one of its attributes")
async def set_style(
    dataset_id: DatasetId,
    wanted: LayerStyle,
    caller: Annotated[Caller, Depends(may("import"))],
    connection: Annotated[AsyncConnection, Depends(database)],
) -> LayerStyle:
    """Categories or graduated classes, saved with the dataset for everybody; without classes they are made from what it holds."""
    found = await datasets.get(connection, caller.scope, dataset_id)
    classes = tuple(styling.Class(each.value, each.label, each.color) for each in wanted.classes)
    look = styling.Look(wanted.field, wanted.kind, classes, wanted.other)
    if not classes:
        look = await styling.suggest(connection, caller.scope, dataset_id, wanted.field, wanted.kind)
    await styling.give(connection, caller.scope, dataset_id, found.attributes, look)
    await audit.note(connection, caller.id, "dataset.styled", f"dataset/{dataset_id}", {"field": look.field, "kind": look.kind})
    return style_of(look)


@router.delete("/datasets/{dataset_id}/style", status_code=204, summary="Give a layer its default look again")
async def drop_style(
    dataset_id: DatasetId, caller: Annotated[Caller, Depends(may("import"))], connection: Annotated[AsyncConnection, Depends(database)]
) -> None:
    """The default look: one quiet colour."""
    found = await datasets.get(connection, caller.scope, dataset_id)
    await styling.give(connection, caller.scope, dataset_id, found.attributes, None)
    await audit.note(connection, caller.id, "dataset.unstyled", f"dataset/{dataset_id}")
