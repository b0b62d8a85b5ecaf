"""What a far end of a speech service can be told to do wrong."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class FarEndFaults(BaseModel):
    """``requests`` limits them to the first so many requests and connections of a server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests: int | None = Field(None, ge=1)
    refuse_status: Annotated[int, Field(ge=400, le=599)] | None = None
    """Refuse the request, or the handshake."""
    slow_ms: Annotated[int, Field(ge=0)] = 0
    """Answer so much later."""
    drop_after_messages: Annotated[int, Field(ge=0)] | None = None
    """Drop the TCP connection after so many messages (of audio too), or chunks of a body."""
    garbage: Annotated[int, Field(ge=0)] = 0
    """So many messages that mean nothing come before the first one that does."""
    mute: bool = False
    """Take everything and answer nothing."""
    error: str | None = None
    """Report this error, in the service's own way, instead of the first result."""


NO_FAULTS = FarEndFaults.model_validate({})
