"""Who did what: the only writer of `audit`. A line is written in the transaction of what it tells, so it stands exactly when that happened."""

import json
from typing import Any

from psycopg import AsyncConnection


async def note(connection: AsyncConnection, staff_id: int | None, action: str, entity: str = "", detail: dict[str, Any] | None = None) -> None:
    """One line: `action` as noun.verb, `entity` as noun/id, `detail` in words of JSON; `staff_id` None for a machine or a stranger."""
    await connection.execute(
        "INSERT INTO audit (staff_id, action, entity, detail) VALUES (%(staff)s, %(action)s, %(entity)s, %(detail)s::jsonb)",
        {"staff": staff_id, "action": action, "entity": entity, "detail": json.dumps(detail or {}, ensure_ascii=False, default=str)},
    )
