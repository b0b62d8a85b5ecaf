from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from telephony.audio.echo import EchoEstimate
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import LegFacts, MediaStats
from telephony.calls import cause
from telephony.calls.call import Call
from telephony.calls.cdr import Cdr, CdrFile, cdr_of
from telephony.calls.destination import TransferRecord
from telephony.calls.model_link import LinkStats
from tests.support.models import openai_agent

FACTS = LegFacts(
    sip_call_id="abc@10.0.0.1",
    called="+15555550100",
    caller="+15555550199",
    caller_name="Ada",
    source_ip="10.0.0.1",
    transport="udp",
    trunk="",
    headers={},
)
ENDED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class NoMedia:
    facts = FACTS

    @property
    def media(self) -> Any:
        raise LocalProtocolError("media was not negotiated")


def media_leg() -> Any:
    stats = MediaStats(packets_received=500, packets_lost=2, jitter_buffer_delay_ms=41.23456)
    return SimpleNamespace(
        facts=FACTS, media=SimpleNamespace(codec="g722", encoding="l16", stats=lambda: stats)
    )


def conversation(latencies_s: list[float]) -> Any:
    stats = SimpleNamespace(
        responses=3,
        barge_ins=2,
        barge_in_s=[0.012, 0.019],
        cut_offs=1,
        latencies=[SimpleNamespace(total_s=latency) for latency in latencies_s],
        input_tokens=100,
        output_tokens=40,
    )
    uplink = SimpleNamespace(dropped_ms=280)
    echo = SimpleNamespace(estimate=EchoEstimate(21.4, 140.9))
    return SimpleNamespace(
        bridge=SimpleNamespace(stats=stats, uplink=uplink, echo=echo),
        link=SimpleNamespace(stats=LinkStats(1, 2, 3), source=openai_agent().source),
        agents=["front-desk", "billing"],
        spend=SimpleNamespace(usd=0.123456789, unpriced=0),
    )


def recorded_line(path: Path | None, paused_ms: int = 0) -> SimpleNamespace:
    return SimpleNamespace(recording=SimpleNamespace(path=path, paused_ms=paused_ms))


def call(**changes: Any) -> Call:
    values: dict[str, Any] = {
        "call_id": "c1",
        "leg": media_leg(),
        "line": recorded_line(None),
        "facts": FACTS,
        "direction": "inbound",
        "agent_name": "front-desk",
        "transfers": SimpleNamespace(records=[]),
        "moves": SimpleNamespace(count=0),
        "route": SimpleNamespace(extension="main", agent="front-desk"),
        "conversation": conversation([0.9, 0.5, 0.7]),
        "ending": cause.CALLER_HUNG_UP,
        "received_at": 1000.0,
        "answered_at": 1000.25,
        "ended_at": 1010.0,
        "setup_s": 0.25,
        "result": "answered",
    }
    return cast(Call, SimpleNamespace(**(values | changes)))


def test_an_answered_call() -> None:
    line = recorded_line(Path("recordings/c1.wav"), paused_ms=2500)
    cdr = cdr_of(call(line=line), 1010.5, ENDED)
    assert (cdr.received_at, cdr.answered_at, cdr.ended_at) == (
        "2026-01-02T03:03:54.500Z",
        "2026-01-02T03:03:54.750Z",
        "2026-01-02T03:04:04.500Z",
    )
    assert (cdr.setup_s, cdr.talk_s, cdr.status) == (0.25, 9.75, 200)
    assert (cdr.result, cdr.cause, cdr.ended_by) == ("answered", "caller_hung_up", "caller")
    assert (cdr.rule, cdr.agent, cdr.codec) == ("main", "front-desk", "g722")
    assert (cdr.turns, cdr.turn_latency_p50_ms, cdr.turn_latency_max_ms) == (3, 700, 900)
    assert (cdr.barge_ins, cdr.barge_in_max_ms, cdr.model_reconnects) == (2, 19, 1)
    assert cdr.cut_offs == 1
    assert cdr.agents == ("front-desk", "billing")
    assert cdr.model_cost_usd == 0.123457
    assert (cdr.model, cdr.model_failovers, cdr.model_rollovers) == ("openai_realtime/test", 2, 3)
    assert cdr.model_audio_dropped_ms == 280
    assert cdr.recording == "recordings/c1.wav"
    assert cdr.recording_paused_s == 2.5


def test_a_refused_call_has_no_media_and_no_conversation() -> None:
    cdr = cdr_of(
        call(
            leg=NoMedia(),
            route=None,
            agent_name=None,
            conversation=None,
            ending=cause.NO_ROUTE,
            answered_at=None,
            setup_s=None,
            result="rejected",
        ),
        1010.0,
        ENDED,
    )
    assert (cdr.answered_at, cdr.talk_s, cdr.status) == (None, 0.0, 404)
    assert (cdr.codec, cdr.rule, cdr.agent, cdr.turns) == (None, None, None, 0)


def test_a_call_without_an_ending_was_our_mistake() -> None:
    cdr = cdr_of(call(ending=None, ended_at=None), 1010.0, ENDED)
    assert (cdr.cause, cdr.ended_by, cdr.ended_at) == (
        "internal_error",
        "error",
        "2026-01-02T03:04:05.000Z",
    )


def test_no_turn_has_no_latency() -> None:
    cdr = cdr_of(call(conversation=conversation([])), 1010.0, ENDED)
    assert (cdr.turns, cdr.turn_latency_p50_ms, cdr.turn_latency_max_ms) == (0, None, None)


def test_the_file_has_everything_on_one_line() -> None:
    line = cdr_of(call(), 1010.0, ENDED).to_json()
    assert "\n" not in line
    record = json.loads(line)
    assert record["caller"] == "+15555550199"
    assert record["media"]["packets_received"] == 500


def test_the_log_line_is_flat_and_says_only_what_happened() -> None:
    fields = cdr_of(call(), 1010.0, ENDED).to_log_fields()
    assert fields["packets_received"] == 500
    assert fields["jitter_buffer_delay_ms"] == 41.235
    assert fields["call"] == "c1"
    assert not {"trunk", "recording", "packets_late", "media"} & set(fields)
    assert all(not isinstance(value, dict) for value in fields.values())
    assert fields["agents"] == ("front-desk", "billing")
    alone = replace(cdr_of(call(), 1010.0, ENDED), agents=("front-desk",))
    assert "agents" not in alone.to_log_fields()


def test_what_is_not_known_of_the_media_is_null_in_the_file_and_not_in_the_log() -> None:
    cdr = cdr_of(call(), 1010.0, ENDED)
    media = json.loads(cdr.to_json())["media"]
    assert (media["mos"], media["round_trip_ms"], media["rtcp_bye_received"]) == (None, None, False)
    assert not {"mos", "round_trip_ms", "rtcp_bye_received"} & set(cdr.to_log_fields())
    cdr.media.mos, cdr.media.round_trip_ms, cdr.media.rtcp_bye_received = 4.31, 52.5, True
    fields = cdr.to_log_fields()
    assert (fields["mos"], fields["round_trip_ms"], fields["rtcp_bye_received"]) == (
        4.31,
        52.5,
        True,
    )


def records(path: Path) -> list[str]:
    return [json.loads(line)["call"] for line in path.read_text().splitlines()]


def some_cdr(call_id: str) -> Cdr:
    return cdr_of(call(call_id=call_id), 1010.0, ENDED)


def test_records_are_appended_in_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cdr.jsonl"
    for run in (("a", "b"), ("c",)):
        file = CdrFile(path)
        for call_id in run:
            file.append(some_cdr(call_id))
        file.close()
    assert records(path) == ["a", "b", "c"]


def test_the_file_may_be_moved_away(tmp_path: Path) -> None:
    path = tmp_path / "cdr.jsonl"
    file = CdrFile(path)
    file.append(some_cdr("a"))
    file._writer.submit(path.rename, tmp_path / "cdr.jsonl.1").result()
    file.append(some_cdr("b"))
    file.close()
    assert records(tmp_path / "cdr.jsonl.1") == ["a"]
    assert records(path) == ["b"]


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    file = CdrFile(tmp_path / "cdr.jsonl")
    file.append(some_cdr("a"))
    file.close()
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_caller_name_in_broken_text_is_written_all_the_same(tmp_path: Path) -> None:
    facts = LegFacts("id", "1", "2", "caf\udce9", "10.0.0.1", "udp", "", {})
    file = CdrFile(tmp_path / "cdr.jsonl")
    file.append(cdr_of(call(facts=facts), 0, ENDED))
    file.close()
    assert file.written == 1
    assert "caf" in json.loads((tmp_path / "cdr.jsonl").read_text())["caller_name"]


def test_a_record_that_can_not_be_written_is_in_the_log(tmp_path: Path) -> None:
    file = CdrFile(tmp_path)
    with structlog.testing.capture_logs() as logs:
        file.append(some_cdr("a"))
        file.close()
    assert (file.written, file.failed) == (0, 1)
    assert logs[0]["event"] == "cdr.lost"
    assert logs[0]["call"] == "a"


@pytest.mark.parametrize("field", ["caller", "called"])
def test_numbers_are_under_keys_that_logs_mask(field: str) -> None:
    assert field in cdr_of(call(), 1010.0, ENDED).to_log_fields()


def test_transfers_and_legs_are_in_the_record() -> None:
    record = TransferRecord("+15555550111", "attended", "busy", 486, 3.25)
    facts = replace(FACTS, diverted_from="+15555550122", attestation="A")
    cdr = cdr_of(
        call(
            facts=facts,
            transfers=SimpleNamespace(records=[record]),
            moves=SimpleNamespace(count=1),
            direction="outbound",
        ),
        1010.0,
        ENDED,
    )
    assert (cdr.direction, cdr.legs) == ("outbound", 2)
    assert (cdr.diverted_from, cdr.attestation) == ("+15555550122", "A")
    assert json.loads(cdr.to_json())["transfers"] == [
        {
            "to": "+15555550111",
            "mode": "attended",
            "outcome": "busy",
            "status": 486,
            "seconds": 3.25,
        }
    ]
    fields = cdr.to_log_fields()
    assert (fields["transfers"], fields["transfer_outcome"]) == (1, "busy")
    assert "+15555550111" not in str(fields)
