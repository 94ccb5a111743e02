"""Signing in and out, and who one is."""

from fastapi import APIRouter, Depends, Request, Response
from psycopg import AsyncConnection

from gis_api.auth import (
    COOKIE,
    Caller,
    Throttle,
    close_session,
    find_caller,
    forget_scope,
    open_session,
    perhaps_signed_in,
    set_cookie,
)
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.session import DEMO_PASSWORD, FACES, DemoAccount, Home, LoginIn, Me
from grid import audit
from grid.database import row, rows
from grid.errors import NotSignedIn
from grid.settings import Settings

router = APIRouter(prefix="/api", tags=["session"])

by_person = Throttle(limit=8, window_s=600)
by_address = Throttle(limit=40, window_s=600)


@router.post("/login", responses={status: RESPONSES[status] for status in (401, 403, 422, 503)})
async def login(
    request: Request, response: Response, body: LoginIn, connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> Me:
    """Opens a session. A wrong name, a wrong password and a disabled account get one and the same answer; eight failures in ten minutes, a pause."""
    address = request.client.host if request.client else "unknown"
    by_address.check(address)
    by_person.check(body.username)
    opened = await open_session(connection, body.username, body.password, settings.session_hours)
    if opened is None:
        by_person.failed(body.username)
        by_address.failed(address)
        raise NotSignedIn("用户名或密码不正确 · wrong user name or password", remedy="check both; after eight failures wait ten minutes")
    by_person.succeeded(body.username)
    token, staff_id = opened
    await audit.note(connection, staff_id, "session.open", address)
    set_cookie(response, token, settings.session_hours, secure=request.url.scheme == "https")
    caller = await find_caller(connection, token)
    return await _me(connection, caller, settings)


@router.post("/logout", status_code=204)
async def logout(request: Request, response: Response, connection: AsyncConnection = Depends(database)) -> None:
    """Ends the session; ending none is no error."""
    token = request.cookies.get(COOKIE)
    if token:
        if caller := await find_caller(connection, token):
            await audit.note(connection, caller.id, "session.close")
        await close_session(connection, token)
        forget_scope(token)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


@router.get("/me")
async def me(
    connection: AsyncConnection = Depends(database), caller: Caller | None = Depends(perhaps_signed_in), settings: Settings = Depends(settings_of)
) -> Me:
    """Who is signed in. Signed out is an answer, not an error; the demo then names its accounts."""
    return await _me(connection, caller, settings)


async def _me(connection: AsyncConnection, caller: Caller | None, settings: Settings) -> Me:
    if caller is None:
        return Me(signed_in=False, demo=settings.demo, simulated=settings.demo, accounts=await _accounts(connection) if settings.demo else None)
    region = await row(connection, "SELECT name FROM regions WHERE code = %(code)s", {"code": caller.scope.prefix})
    return Me(
        signed_in=True,
        id=caller.id,
        username=caller.username,
        name=caller.name,
        role=caller.role,
        face=FACES[caller.role],
        region_code=caller.scope.prefix,
        region_name=region["name"] if region else None,
        cell_codes=list(caller.cell_codes),
        home=await _home(connection, caller),
        permissions=sorted(caller.permissions),
        demo=settings.demo,
        simulated=settings.demo,
    )


ZOOM = {4: 10.5, 6: 12.5, 9: 14.5, 12: 15.5}
CITY_CENTRE = Home(lon=120.383, lat=36.072, zoom=11.4)


async def _home(connection: AsyncConnection, caller: Caller) -> Home | None:
    """A point inside the person's grids, else inside their region; the city's heart for those who see all of it."""
    if len(caller.scope.prefix) <= 4:
        return CITY_CENTRE
    found = await row(
        connection,
        """
        SELECT ST_X(p) AS lon, ST_Y(p) AS lat FROM (SELECT ST_PointOnSurface(coalesce(
            (SELECT ST_Collect(geom) FROM cells WHERE code = ANY(%(cells)s) AND valid @> hdq_today()), (SELECT geom FROM regions WHERE code = %(code)s))) AS p) AS place
        WHERE p IS NOT NULL
        """,
        {"cells": list(caller.cell_codes), "code": caller.scope.prefix},
    )
    zoom = 16.0 if caller.cell_codes else ZOOM.get(len(caller.scope.prefix), 13.0)
    return Home(lon=found["lon"], lat=found["lat"], zoom=zoom) if found else None


async def _accounts(connection: AsyncConnection) -> list[DemoAccount]:
    people = await rows(connection, "SELECT username, name, role FROM staff WHERE simulated AND NOT disabled ORDER BY id LIMIT 12")
    return [DemoAccount(username=person["username"], password=DEMO_PASSWORD, name=person["name"], role=person["role"], face=FACES[person["role"]]) for person in people]
