"""What a person decides about a file in quarantine: the fix is applied and the layer published, or it is published as declared, or let go."""

from dataclasses import fields
from pathlib import Path
from typing import Literal

from psycopg import AsyncConnection

from grid.database import Scope
from layers import datasets, originals, quarantine
from layers.datasets import About
from layers.quarantine import Held
from layers.reading.batches import Options
from layers.reading.correcting import Correction

Decision = Literal["fix", "override", "discard"]
_STATES = {"fix": "fixed", "override": "overridden", "discard": "discarded"}


async def decide(
    connection: AsyncConnection, data_dir: Path, scope: Scope, quarantine_id: int, decision: Decision, reason: str = "", staff_id: int | None = None
) -> Held:
    """Carries out a decision, in the caller's transaction; the same decision twice is one. An override needs a reason.

    The file is read again from its original; the fix reads each row as the verdict said. Raises NotFound, Conflict (decided otherwise, or a dataset of
    this id stands there), InvalidInput (no reason) and what importing raises. Each decision is audited.
    """
    held = await quarantine.get(connection, scope, quarantine_id)
    fresh = await quarantine.decide(connection, held, _STATES[decision], reason, staff_id)
    if fresh and decision != "discard":
        case = await quarantine.case(connection, quarantine_id)
        known = {f.name for f in fields(About)}
        about = About(**{k: v for k, v in case.about.items() if k in known} | {"id": held.dataset_id})
        options = Options(**{k: v for k, v in case.options.items() if k in {f.name for f in fields(Options)}})
        correction = case.correction if decision == "fix" else Correction(case.correction.readings[:1], case.correction.choice[:0])
        await datasets.import_file(
            connection, data_dir, originals.path_of(data_dir, held.source_sha256), held.source_name, about, options, scope=scope, settled=correction
        )
        await connection.execute("UPDATE datasets SET quarantine_id = %(held)s WHERE id = %(id)s", {"held": held.id, "id": held.dataset_id})
    return await quarantine.get(connection, scope, quarantine_id)
