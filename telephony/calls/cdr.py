"""Call-detail records: one line of JSON per call, and the same facts as one log line."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import structlog

from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import Leg, MediaStats
from telephony.calls import cause
from telephony.calls.call import Call, Direction
from telephony.calls.destination import TransferRecord

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cdr:
    """What is left of a call. Times are ISO 8601 in UTC; None means that it never happened.

    ``caller`` and ``called`` are in full here and in the file; logs mask them. They and the other
    facts of signalling are those of the leg that the call began with; it had ``legs`` of them, one
    after the other. ``agent`` is the one it began with; ``agents`` are all that talked, in the
    order of the handoffs. ``received_at`` is when a call that we placed was asked for. ``way`` is
    ``hosted`` for a call whose telephone the provider answered, who calls it ``hosted_call_id``.
    ``echo_*`` is what came back of what the bot said: how much quieter, and how late.
    ``barge_ins`` are the caller's; ``cut_offs`` are answers that a guardrail cut off.
    ``turn_latency_*`` run from the caller's last voice to the first RTP packet of the answer.
    """

    call: str
    direction: Direction = "inbound"
    way: Literal["sip", "hosted"] = "sip"
    hosted_call_id: str = ""
    sip_call_id: str
    caller: str
    caller_name: str
    called: str
    source_ip: str
    transport: str
    trunk: str
    diverted_from: str = ""
    attestation: str = ""
    rule: str | None
    agent: str | None
    received_at: str
    answered_at: str | None
    ended_at: str
    setup_s: float | None
    talk_s: float
    result: str
    cause: str
    ended_by: str
    status: int
    agents: tuple[str, ...] = ()
    legs: int = 1
    transfers: tuple[TransferRecord, ...] = ()
    codec: str | None = None
    media: MediaStats = field(default_factory=MediaStats)
    responses: int = 0
    turns: int = 0
    turn_latency_p50_ms: int | None = None
    turn_latency_max_ms: int | None = None
    barge_ins: int = 0
    barge_in_max_ms: int | None = None
    cut_offs: int = 0
    echo_return_loss_db: float | None = None
    echo_delay_ms: float | None = None
    model: str | None = None
    model_reconnects: int = 0
    model_failovers: int = 0
    model_rollovers: int = 0
    model_input_tokens: int = 0
    model_output_tokens: int = 0
    model_cost_usd: float | None = None
    model_audio_dropped_ms: int = 0
    recording: str | None = None
    recording_paused_s: float = 0.0

    def to_json(self) -> str:
        """Return one line without its end."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    def to_log_fields(self) -> dict[str, Any]:
        """Return the facts of the canonical log line: flat, and only those that say something."""
        fields = asdict(self)
        fields.update(fields.pop("media"))
        fields["transfers"] = len(self.transfers)
        if len(self.agents) < 2:
            del fields["agents"]
        if self.transfers:
            fields["transfer_outcome"] = self.transfers[-1].outcome
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in fields.items()
            if value not in (None, "", 0)
        }


def cdr_of(call: Call, now: float, wall_clock: datetime) -> Cdr:
    """Describe a call that is over; ``now`` and ``wall_clock`` are the same instant."""
    facts = call.facts
    ending = call.ending or cause.INTERNAL_ERROR
    ended_at = now if call.ended_at is None else call.ended_at
    answered_at = call.answered_at
    recording = call.line.recording

    def at(instant: float) -> str:
        utc = wall_clock.astimezone(UTC) - timedelta(seconds=now - instant)
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return Cdr(
        call=call.call_id,
        direction=call.direction,
        sip_call_id=facts.sip_call_id,
        caller=facts.caller,
        caller_name=facts.caller_name,
        called=facts.called,
        source_ip=facts.source_ip,
        transport=facts.transport,
        trunk=facts.trunk,
        diverted_from=facts.diverted_from,
        attestation=facts.attestation,
        rule=call.route.extension if call.route is not None else None,
        agent=call.agent_name,
        received_at=at(call.received_at),
        answered_at=None if answered_at is None else at(answered_at),
        ended_at=at(ended_at),
        setup_s=None if call.setup_s is None else round(call.setup_s, 6),
        talk_s=0.0 if answered_at is None else round(ended_at - answered_at, 3),
        result=call.result,
        cause=ending.cause,
        ended_by=ending.ended_by,
        status=ending.status if answered_at is None else 200,
        legs=1 + call.moves.count,
        transfers=tuple(call.transfers.records),
        recording=None if recording.path is None else str(recording.path),
        recording_paused_s=recording.paused_ms / 1000,
        **_media_of(call.leg),
        **_conversation_of(call),
    )


def _media_of(leg: Leg) -> dict[str, Any]:
    try:
        media = leg.media
    except LocalProtocolError:
        # The call ended before media was negotiated.
        return {}
    return {"codec": media.codec, "media": media.stats()}


def _conversation_of(call: Call) -> dict[str, Any]:
    conversation = call.conversation
    if conversation is None:
        return {}
    stats, link = conversation.bridge.stats, conversation.link
    source = link.source
    echo = conversation.bridge.echo.estimate
    latencies_ms = sorted(round(turn.total_s * 1000) for turn in stats.latencies)
    return {
        "agents": tuple(conversation.agents),
        "responses": stats.responses,
        "turns": len(latencies_ms),
        "turn_latency_p50_ms": latencies_ms[(len(latencies_ms) - 1) // 2] if latencies_ms else None,
        "turn_latency_max_ms": latencies_ms[-1] if latencies_ms else None,
        "barge_ins": stats.barge_ins,
        "barge_in_max_ms": round(max(stats.barge_in_s) * 1000) if stats.barge_in_s else None,
        "cut_offs": stats.cut_offs,
        "echo_return_loss_db": None if echo is None else echo.return_loss_db,
        "echo_delay_ms": None if echo is None else echo.delay_ms,
        "model": f"{source.model.api}/{source.model.model}",
        "model_reconnects": link.stats.reconnects,
        "model_failovers": link.stats.failovers,
        "model_rollovers": link.stats.rollovers,
        "model_input_tokens": stats.input_tokens,
        "model_output_tokens": stats.output_tokens,
        "model_cost_usd": None if conversation.spend.unpriced else round(conversation.spend.usd, 6),
        "model_audio_dropped_ms": conversation.bridge.uplink.dropped_ms,
    }


class CdrFile:
    """Appends records to a file of JSON lines, in a thread of its own.

    The file is opened for every record, so that it may be moved away at any time (logrotate). One
    that can't be written is reported with the record itself, once per call. A new one is
    readable to its owner only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        self.failed = 0
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cdr")

    def append(self, cdr: Cdr) -> None:
        """Queue a record; returns at once."""
        self._writer.submit(self._write, cdr)

    def close(self) -> None:
        """Write what is queued and end the thread."""
        self._writer.shutdown(wait=True)

    def _write(self, cdr: Cdr) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            # Whole phone numbers: nobody else's to read.
            descriptor = os.open(self.path, flags, mode=0o600)
            with open(descriptor, "a", encoding="utf-8", errors="backslashreplace") as records:
                records.write(cdr.to_json() + "\n")
            self.written += 1
        except OSError as error:
            self.failed += 1
            log.error("cdr.lost", path=str(self.path), reason=str(error), **cdr.to_log_fields())
