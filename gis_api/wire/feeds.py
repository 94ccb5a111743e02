"""Subscriptions, deliveries, and CAP messages taken, on the wire."""

from pydantic import Field

from gis_api.wire.base import Wire


class CapTaken(Wire):
    """What became of a CAP message."""

    identifier: str
    sender: str
    msg_type: str
    status: str
    signed: bool = Field(description="it carries an XML signature, which is not judged")
    new: bool = Field(description="false: it was known already")
    observations: list[int] = Field(description="ids of its areas in the city, as findings of kind official_warning")
    remarks: list[str] = Field(description="what was left out, and why")
