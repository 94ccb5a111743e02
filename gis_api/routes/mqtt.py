"""The MQTT devices that an administrator lets in, and the messages that could not be taken."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from psycopg import AsyncConnection

from gis_api.auth import Caller, may
from gis_api.gateways import mqtt, mqtt_devices
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.mqtt import DeadLetterOut, LetterTaken, MqttDeviceIn, MqttDeviceOut, MqttOut
from grid.database import driver_errors
from grid.errors import Conflict
from grid.settings import Settings

router = APIRouter(prefix="/api/mqtt", tags=["gateways"], responses=RESPONSES)
SHOWN = 2_000


def _out(device: mqtt_devices.Device) -> MqttDeviceOut:
    same = MqttDeviceOut.model_fields.keys() - {"cameras"}
    return MqttDeviceOut(**{name: getattr(device, name) for name in same}, cameras=len(device.cameras))


@router.get("/devices")
async def list_mqtt_devices(
    caller: Caller = Depends(may("staff")), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> MqttOut:
    """The MQTT devices of the caller's region, and the broker that they publish at."""
    return MqttOut(address=settings.mqtt_url, topic=settings.mqtt_topic, devices=[_out(device) for device in await mqtt_devices.page(connection, caller.scope)])


@router.post("/devices", status_code=201)
async def add_mqtt_device(body: MqttDeviceIn, caller: Caller = Depends(may("staff")), connection: AsyncConnection = Depends(database)) -> MqttDeviceOut:
    """Lets a device in for the caller's region, with the sources and cameras it speaks for; audited."""
    sources, cameras = (list(dict.fromkeys(given)) for given in (body.sources, body.cameras))
    return _out(await mqtt_devices.add(connection, caller.scope, body.username, body.name, sources, cameras, caller.id))


@router.delete("/devices/{username}", status_code=204)
async def delete_mqtt_device(username: str, caller: Caller = Depends(may("staff")), connection: AsyncConnection = Depends(database)) -> Response:
    """Shuts a device out; what it handed in stays. Audited."""
    await mqtt_devices.remove(connection, caller.scope, username, caller.id)
    return Response(status_code=204)


@router.get("/dead-letters")
async def list_dead_letters(
    limit: Annotated[int, Query(ge=1, le=500)] = 100, caller: Caller = Depends(may("staff")), connection: AsyncConnection = Depends(database)
) -> list[DeadLetterOut]:
    """Messages that could not be taken, the last to come first."""
    same = DeadLetterOut.model_fields.keys() - {"text"}
    found = await mqtt_devices.letters(connection, caller.scope, limit)
    return [DeadLetterOut(**{name: getattr(each, name) for name in same}, text=each.body[:SHOWN].decode(errors="replace").replace("\x00", "\ufffd")) for each in found]


@router.post("/dead-letters/{letter_id}/retry")
async def retry_dead_letter(letter_id: int, caller: Caller = Depends(may("staff")), connection: AsyncConnection = Depends(database)) -> LetterTaken:
    """Takes a dead letter in as if it came now, and forgets it; refused again, it stays. Audited."""
    found = await mqtt_devices.letter(connection, caller.scope, letter_id)
    if found.bytes > len(found.body):
        raise Conflict(f"只保留了前 {len(found.body):,} 字节 · only the beginning of it was kept", remedy="have the device send it again, in smaller messages")
    await mqtt_devices.discard(connection, found, caller.id, "mqtt.retried")
    async with driver_errors():
        return LetterTaken(new=await mqtt.store(connection, found.username, [found.body]))


@router.delete("/dead-letters/{letter_id}", status_code=204)
async def delete_dead_letter(letter_id: int, caller: Caller = Depends(may("staff")), connection: AsyncConnection = Depends(database)) -> Response:
    """Forgets a dead letter; audited."""
    await mqtt_devices.discard(connection, await mqtt_devices.letter(connection, caller.scope, letter_id), caller.id, "mqtt.discarded")
    return Response(status_code=204)
