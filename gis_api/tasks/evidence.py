"""Jobs that make the copy of a picture which people may see."""

import asyncio

from gis_api.tasks import JobContext
from grid import events, evidence
from imagery.cameras import frames, privacy, weights


def _derivative(content: bytes, context: JobContext) -> bytes:
    engine = privacy.people_engine(weights.models_dir(context.data_dir), context.settings.detector_threads)
    return frames.encode(privacy.blurred(frames.decode(content), engine))


async def blur(context: JobContext, sha256: str) -> None:
    """Makes persons and plates of a stored picture unrecognisable and names the copy as the one to show. Running twice is the same."""
    shown = await asyncio.to_thread(lambda: _derivative(evidence.read_bytes(context.data_dir, sha256), context))
    shown_sha256 = await asyncio.to_thread(evidence.write_bytes, context.data_dir, shown)
    async with context.connection() as connection:
        region_code = await evidence.set_shown(connection, sha256, shown_sha256)
        if region_code is not None:
            await events.publish(connection, "evidence.shown", sha256, region_code, {"sha256": sha256})


TASKS = {"blur": blur}
