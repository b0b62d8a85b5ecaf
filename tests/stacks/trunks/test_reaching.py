from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from telephony.net.dns import ResolutionFailed
from telephony.sip.credentials import Credentials
from telephony.sip.events import RequestFinished
from telephony.sip.flow import Address, Flow
from telephony.sip.location import Target
from telephony.stacks.trunks.reaching import Asker, Question, Reach

A, B = Target("udp", "192.0.2.1", 5060, "x"), Target("tls", "192.0.2.2", 5061, "x")


class Names:
    async def resolve(self, uri: str, transport: str | None = None) -> list[Target]:
        if uri != "sip:x":
            raise ResolutionFailed(uri, "DNS knows no such host", temporary=False)
        return [A, B]


class Endpoint:
    unroutable: str = ""
    failure: str = ""

    def flow_to(self, remote: Address, transport: Any, server_name: str = "") -> Flow:
        if remote[0] == self.unroutable:
            raise OSError(101, "Network is unreachable")
        return Flow(transport, remote, ("192.0.2.9", 5060), server_name=server_name)

    def failure_of(self, flow: Flow) -> str:
        return self.failure


class Sender:
    """Answers at once, with a status per host; None never answers."""

    def __init__(self, **statuses: int | None) -> None:
        self.statuses = statuses
        self.sent: list[tuple[str, int, Sequence[tuple[str, str]]]] = []

    def send_request(
        self,
        method: str,
        uri: str,
        from_uri: str,
        to_uri: str,
        flow: Flow,
        on_finished: Callable[[RequestFinished], None],
        *,
        headers: Sequence[tuple[str, str]] = (),
        routes: Sequence[str] = (),
        credentials: Credentials | None = None,
        call_id: str = "",
        cseq: int = 0,
    ) -> str:
        self.sent.append((flow.remote[0], cseq, headers))
        status = self.statuses["ab"[flow.remote[0] == B.host]]
        if status is not None:
            on_finished(RequestFinished("1", method, status, "Whatever"))
        return "1"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def question(cseq: int = 0) -> Question:
    return Question(
        "OPTIONS", "sip:x", "sip:x", "sip:x", lambda flow: [("X", flow.transport)], cseq=cseq
    )


def asker(**statuses: int | None) -> tuple[Asker, Sender, Reach, Clock]:
    clock, sender = Clock(), Sender(**statuses)
    reach = Reach(Names(), Endpoint(), clock)
    return Asker(sender, reach), sender, reach, clock


async def test_the_first_answer_counts_whatever_it_says() -> None:
    asking, sender, _, _ = asker(a=403, b=200)
    answer = await asking.ask("sip:x", question(), 1.0)
    assert (answer.status, answer.alive) == (403, True)
    assert answer.flow is not None
    assert sender.sent == [("192.0.2.1", 0, [("X", "udp")])]


@pytest.mark.parametrize("status", [503, 408, None])
async def test_silence_and_503_lead_to_the_next_target(status: int | None) -> None:
    asking, sender, _, _ = asker(a=status, b=200)
    answer = await asking.ask("sip:x", question(100), 0.01)
    assert answer.status == 200
    # A registrar takes only growing numbers of one Call-ID.
    assert [cseq for _, cseq, _ in sender.sent] == [100, 110]
    assert sender.sent[1][2] == [("X", "tls")]


async def test_a_target_that_failed_is_tried_last_for_a_while() -> None:
    asking, _sender, reach, clock = asker(a=503, b=200)
    await asking.ask("sip:x", question(), 1.0)
    assert await reach.targets("sip:x") == [B, A]
    clock.now = 61.0
    assert await reach.targets("sip:x") == [A, B]
    reach.failed(A)
    reach.worked(A)
    assert await reach.targets("sip:x") == [A, B]


async def test_nothing_that_answers_or_resolves() -> None:
    asking, _, _, _ = asker(a=503, b=None)
    answer = await asking.ask("sip:x", question(), 0.01)
    assert (answer.status, answer.alive) == (408, False)
    answer = await asking.ask("sip:unknown", question(), 0.01)
    assert (answer.status, answer.alive, answer.flow) == (503, False, None)


async def test_no_route_is_no_answer() -> None:
    clock, sender, endpoint = Clock(), Sender(a=200, b=200), Endpoint()
    endpoint.unroutable = A.host
    reach = Reach(Names(), endpoint, clock)
    answer = await Asker(sender, reach).ask("sip:x", question(), 1.0)
    assert answer.status == 200
    assert [host for host, _, _ in sender.sent] == [B.host]


async def test_who_could_not_be_asked_is_told_with_the_reason() -> None:
    endpoint = Endpoint()
    endpoint.failure = "connection refused"
    asking = Asker(Sender(a=503, b=503), Reach(Names(), endpoint, Clock()))
    answer = await asking.ask("sip:x", question(), 1.0)
    assert (answer.status, answer.reason) == (503, "could not connect: connection refused")


async def test_failures_remembered_are_bounded() -> None:
    _, _, reach, _ = asker()
    for number in range(3000):
        reach.failed(Target("udp", f"host-{number}", 5060, ""))
    assert len(reach._failed_at) <= 1000


def test_the_flow_names_the_server() -> None:
    _, _, reach, _ = asker()
    flow = reach.flow(B)
    assert (flow.transport, flow.remote, flow.server_name) == ("tls", ("192.0.2.2", 5061), "x")
