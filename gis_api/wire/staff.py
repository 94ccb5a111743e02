"""People who sign in, on the wire."""

from datetime import datetime

from pydantic import Field

from gis_api.wire.base import Wire
from gis_api.wire.session import Role


class StaffMember(Wire):
    """A person who may sign in. Passwords and telephone numbers stay where they are."""

    id: int
    username: str
    name: str
    role: Role
    department: str
    region_code: str = Field(description="prefix of all this person may see", examples=["370202"])
    region_name: str
    grids: int = Field(description="grids this person looks after")
    disabled: bool
    simulated: bool
    seen_at: datetime | None = Field(description="when a session of theirs was last used; null: none is open")


class StaffPage(Wire):
    """People by user name."""

    items: list[StaffMember]
    total: int = Field(description="how many match, beyond this page")
