"""What a rehearsal server can be told to do wrong."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorFault(_Data):
    """An ``error`` event, and what follows it."""

    type: str = "invalid_request_error"
    code: str
    message: str = "The rehearsal scenario asked for this error."
    close: bool = False


class ConnectionFaults(_Data):
    """Faults of whole connections; times count from the accepted handshake.

    ``connections`` limits them to the first so many connections of a server, so that a client
    that reconnects can succeed.
    """

    connections: int | None = Field(None, ge=1)
    refuse_status: int | None = Field(None, ge=400, le=599)
    error: ErrorFault | None = None
    drop_after_ms: int | None = Field(None, ge=0)
    close_code: int | None = Field(None, ge=1000, le=4999)
    """Close with this code instead of an abrupt end of the TCP connection."""
    stall_after_ms: int | None = Field(None, ge=0)
    """Send nothing more, but keep reading."""
    stop_reading_after_ms: int | None = Field(None, ge=0)
    output_format: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] | None = None
    """Send audio in this format, whatever the session says."""

    def of_connection(self, number: int) -> ConnectionFaults:
        """Return the faults of a server's ``number``-th connection, from 1."""
        beyond = self.connections is not None and number > self.connections
        return NO_CONNECTION_FAULTS if beyond else self


class TurnFaults(_Data):
    """Faults of one answer; times count from its ``response.created``."""

    first_delta_ms: int | None = Field(None, ge=0)
    drop_after_ms: int | None = Field(None, ge=0)
    stall_after_ms: int | None = Field(None, ge=0)
    late_deltas: Annotated[int, Field(ge=0)] = 0
    """Audio deltas that still come after the response was cancelled."""
    garbage_frames: Annotated[int, Field(ge=0)] = 0
    """Text frames that are not JSON, sent after ``response.created``."""
    duplicate_events: bool = False
    error: ErrorFault | None = None
    """The response fails with this error instead of speaking."""


NO_CONNECTION_FAULTS = ConnectionFaults.model_validate({})
NO_TURN_FAULTS = TurnFaults.model_validate({})
