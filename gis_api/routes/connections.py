"""Connections to other systems: OGC API Features, WFS, ArcGIS and PostgreSQL sources that datasets follow on a schedule."""

import asyncio

from fastapi import APIRouter, Depends, Response
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, may_apart
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.connections import (
    Connection,
    ConnectionChange,
    ConnectionCheck,
    ConnectionFault,
    ConnectionIn,
    ConnectionList,
    ConnectionSeen,
    OfferedCollection,
    SourceKind,
)
from grid.settings import Settings
from layers import connections
from layers.connections import Connected, Plan
from layers.connectors import connectors

router = APIRouter(prefix="/api/connections", tags=["imports"], responses=RESPONSES)
_NAMES = {"key": "key_name", "secret": "secret_name", "dataset": "dataset_id"}
_CLEARED_BY_EMPTY = ("key", "frame", "secret")


def of(found: Connected) -> Connection:
    """A connection as it goes over the wire."""
    same = (
        "id", "title", "kind", "address", "collection", "mode", "frame", "page_size", "every_minutes", "active", "dataset_id", "region_code", "created_at",
        "last_run_at", "last_good_at", "last_state", "last_features", "next_run_at",
    )  # fmt: skip
    return Connection(
        **{name: getattr(found, name) for name in same},
        key=found.key_name,
        secret=found.secret_name,
        created_by=found.created_by_name,
        last_error=None if found.last_error is None else ConnectionFault(**found.last_error),
    )


@router.get("")
async def list_connections(caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)) -> ConnectionList:
    """The connections of the caller's region with how their last runs went."""
    return ConnectionList(
        hosts=sorted(settings.allowed_hosts),
        kinds=[SourceKind(kind=each.kind, title=each.title, title_en=each.title_en, schemes=list(each.schemes)) for each in connectors().values()],
        connections=[of(found) for found in await connections.page(connection, caller.scope)],
    )


@router.post("", status_code=201)
async def add_connection(
    body: ConnectionIn, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> Connection:
    """Makes a connection and has it run at once; audited."""
    plan = Plan(**{_NAMES.get(name, name): value for name, value in body.model_dump().items()})
    return of(await connections.add(connection, caller.scope, plan, settings.allowed_hosts, caller.id))


@router.post("/check")
async def check_connection(body: ConnectionCheck, caller: Caller = Depends(may_apart("import")), settings: Settings = Depends(settings_of)) -> ConnectionSeen:
    """A dry run: what the source offers and, with a collection, its frame and first features. Nothing is stored."""
    seen = await asyncio.to_thread(connections.check, body.kind, body.address, body.collection, body.secret, settings.allowed_hosts)
    return ConnectionSeen(collections=[OfferedCollection.model_validate(each) for each in seen.collections], frame=seen.frame, features=seen.features, sample=list(seen.sample))


@router.get("/{connection_id}")
async def show_connection(connection_id: int, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database)) -> Connection:
    """One connection."""
    return of(await connections.get(connection, caller.scope, connection_id))


@router.patch("/{connection_id}")
async def change_connection(
    connection_id: int,
    body: ConnectionChange,
    caller: Caller = Depends(may("import")),
    connection: AsyncConnection = Depends(database),
    settings: Settings = Depends(settings_of),
) -> Connection:
    """Changes what is given and leaves the rest; audited."""
    given = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    wanted = {_NAMES.get(name, name): None if name in _CLEARED_BY_EMPTY and value == "" else value for name, value in given.items()}
    return of(await connections.change(connection, caller.scope, connection_id, wanted, settings.allowed_hosts, caller.id))


@router.delete("/{connection_id}", status_code=204)
async def delete_connection(connection_id: int, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database)) -> Response:
    """Ends a connection; its dataset stays. Audited."""
    await connections.remove(connection, caller.scope, connection_id, caller.id)
    return Response(status_code=204)


@router.post("/{connection_id}/run", status_code=202)
async def run_connection(connection_id: int, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database)) -> Connection:
    """Has it run as soon as a worker is free; audited."""
    return of(await connections.ask_to_run(connection, caller.scope, connection_id, caller.id))
