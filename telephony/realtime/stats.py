"""What a session with a model counts."""

from __future__ import annotations

from dataclasses import dataclass, field

_MAX_UNKNOWN_TYPES = 64
_MAX_TYPE_LENGTH = 80


@dataclass(slots=True)
class RealtimeStats:
    """Counters over all connections of one session."""

    connections: int = 0
    messages_received: int = 0
    malformed: int = 0
    audio_deltas: int = 0
    audio_bytes: int = 0
    bad_audio: int = 0
    fenced_deltas: int = 0
    late_parts: int = 0
    responses: int = 0
    requests_refused: int = 0
    requests_unanswered: int = 0
    stalled: int = 0
    benign_errors: int = 0
    errors: int = 0
    tool_calls: int = 0
    remote_tool_calls: int = 0
    remote_tool_failures: int = 0
    rate_limited: int = 0
    truncated: int = 0
    deleted: int = 0
    format_changes: int = 0
    appends_dropped: int = 0
    unknown: int = 0
    unknown_types: dict[str, int] = field(default_factory=dict)

    def count_unknown(self, kind: str) -> None:
        """Count by type; from the 65th distinct one on, only the total grows."""
        self.unknown += 1
        kind = kind[:_MAX_TYPE_LENGTH]
        if kind in self.unknown_types or len(self.unknown_types) < _MAX_UNKNOWN_TYPES:
            self.unknown_types[kind] = self.unknown_types.get(kind, 0) + 1
