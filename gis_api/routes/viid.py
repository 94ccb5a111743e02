"""GA/T 1400: the doors of devices under /VIID, in their own words, and the devices that an administrator lets in."""

import orjson
from fastapi import APIRouter, Depends, Request, Response
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gis_api.auth import Caller, may
from gis_api.gateways import devices, gat1400
from gis_api.params import database, pool_of
from gis_api.problems import RESPONSES
from gis_api.wire.viid import ViidDeviceIn, ViidDeviceOut

router = APIRouter(tags=["gateways"], responses=RESPONSES)


def _out(device: devices.Device) -> ViidDeviceOut:
    same = ViidDeviceOut.model_fields.keys() - {"cameras"}
    return ViidDeviceOut(**{name: getattr(device, name) for name in same}, cameras=len(device.apes))


@router.get("/api/viid-devices")
async def list_viid_devices(caller: Caller = Depends(may("staff")), connection: AsyncConnection = Depends(database)) -> list[ViidDeviceOut]:
    """The GA/T 1400 devices of the caller's region."""
    return [_out(device) for device in await devices.page(connection, caller.scope)]


@router.post("/api/viid-devices", status_code=201)
async def add_viid_device(body: ViidDeviceIn, caller: Caller = Depends(may("staff")), connection: AsyncConnection = Depends(database)) -> ViidDeviceOut:
    """Lets a device in, with the cameras it speaks for; audited."""
    return _out(await devices.add(connection, caller.scope, body.device_id, body.name, body.username, body.password, list(dict.fromkeys(body.cameras)), caller.id))


@router.delete("/api/viid-devices/{device_id}", status_code=204)
async def delete_viid_device(device_id: str, caller: Caller = Depends(may("staff")), connection: AsyncConnection = Depends(database)) -> Response:
    """Shuts a device out; what it handed in stays. Audited."""
    await devices.remove(connection, caller.scope, device_id, caller.id)
    return Response(status_code=204)


@router.api_route("/VIID/{path:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
async def viid(path: str, request: Request, pool: AsyncConnectionPool = Depends(pool_of)) -> Response:
    """One message of a device: GA/T 1400.4 over HTTP Digest."""
    query = request.scope["query_string"].decode("latin-1")
    uri = (request.scope.get("raw_path") or request.scope["path"].encode()).decode("latin-1") + (f"?{query}" if query else "")
    address = request.client.host if request.client else "unknown"
    answer = await gat1400.handle(pool, gat1400.Asked(request.method, path.rstrip("/"), uri, request.headers, address, request.body))
    response = Response(orjson.dumps(answer.content), answer.status, media_type=gat1400.MEDIA_TYPE)
    for name, value in answer.headers:
        response.headers.append(name, value)
    return response
