"""Session timers over a wire that loses: the call stays up, and ends when one side dies."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.sip.config import UserAgentConfig
from telephony.sip.events import (
    AnswerReceived,
    Event,
    InviteReceived,
    LegEnded,
    OfferReceived,
    ReinviteFailed,
)
from telephony.sip.session_timer import Refresher
from tests.sip.wire import OTHER_SDP, SDP, Delays, Endpoint, Network

_CALLER = ("192.0.2.1", 5060)
_CALLEE = ("192.0.2.2", 5060)
_HOURS_S = 4 * 3600.0
_losses = st.tuples(st.integers(0, 2**32), st.floats(0.0, 0.12))
# RFC 4028 section 4: nothing is shorter.
_intervals = st.one_of(st.sampled_from([90, 180, 1800]), st.integers(90, 3600))


def _wire(losses: tuple[int, float]) -> Delays:
    """Lose a part of the messages: one in which 64*T1 of repetition always get something through.

    ``losses`` are a seed and the share that is lost.
    """
    seed, share = losses
    chance = random.Random(seed)
    return lambda _data: [] if chance.random() < share else [0.02]


def _answering(endpoint: Endpoint, sdp: bytes) -> None:
    def react(event: Event, now: float) -> None:
        if isinstance(event, InviteReceived):
            endpoint.agent.answer(event.leg_id, sdp, now)
        elif isinstance(event, OfferReceived):
            endpoint.agent.answer_offer(event.leg_id, sdp, now)

    endpoint.react = react


def _call(
    losses: tuple[int, float],
    caller_config: UserAgentConfig,
    callee_config: UserAgentConfig,
) -> tuple[Network, Endpoint, Endpoint]:
    network = Network(_wire(losses))
    caller = network.add(_CALLER, 1, caller_config)
    callee = network.add(_CALLEE, 2, callee_config)
    _answering(caller, OTHER_SDP)
    _answering(callee, SDP)
    flow = network.flow(_CALLER, _CALLEE)
    caller.agent.invite("sip:b@192.0.2.2", "sip:a@192.0.2.1", OTHER_SDP, flow, 0.0)
    network.run(5.0)
    return network, caller, callee


@settings(max_examples=40, deadline=None)
@given(
    losses=_losses,
    asks_s=_intervals,
    grants_s=_intervals,
    minimum_s=st.integers(90, 2000),
    refresher=st.sampled_from(["us", "peer"]),
    bys=st.lists(st.tuples(st.booleans(), st.floats(1.0, 900.0)), max_size=4),
    caller_dies=st.booleans(),
)
def test_a_call_lasts_for_hours_and_ends_with_either_side(
    losses: tuple[int, float],
    asks_s: int,
    grants_s: int,
    minimum_s: int,
    refresher: Refresher,
    bys: list[tuple[bool, float]],
    caller_dies: bool,
) -> None:
    callee_config = UserAgentConfig(
        session_expires_s=grants_s, min_session_expires_s=minimum_s, session_refresher=refresher
    )
    network, caller, callee = _call(
        losses, UserAgentConfig(session_expires_s=asks_s), callee_config
    )
    for by_caller, pause_s in bys:
        network.run(pause_s)
        endpoint = caller if by_caller else callee
        for leg_id, leg in list(endpoint.agent.legs.items()):
            if leg.confirmed:
                endpoint.agent.reinvite(leg_id, OTHER_SDP if by_caller else SDP, network.now)
    network.run(_HOURS_S)
    for endpoint in (caller, callee):
        assert not endpoint.of(LegEnded), endpoint.events
        assert len(endpoint.agent.legs) == 1
    refreshed = caller.agent.stats.sessions_refreshed + callee.agent.stats.sessions_refreshed
    interval_s = next(iter(callee.agent.legs.values())).session.interval_s
    assert minimum_s <= interval_s
    assert refreshed >= _HOURS_S / interval_s
    dead, alive = (caller, callee) if caller_dies else (callee, caller)
    del network.endpoints[dead.address]
    network.run(interval_s + 100.0)
    (ended,) = alive.of(LegEnded)
    assert isinstance(ended, LegEnded)
    assert (ended.by, ended.status) == ("error", 408)
    network.run(100.0)
    assert not alive.agent.dialogs
    assert alive.agent.next_timer() is None
    assert alive.agent.transaction_count == 0


@settings(max_examples=25, deadline=None)
@given(
    losses=_losses,
    interval_s=st.integers(90, 600),
    refresher=st.sampled_from(["us", "peer"]),
)
def test_refreshes_by_reinvite_change_nothing(
    losses: tuple[int, float], interval_s: int, refresher: Refresher
) -> None:
    config = UserAgentConfig(session_expires_s=interval_s, session_refresher=refresher)
    network, caller, callee = _call(losses, config, config)
    for _ in range(360):
        for endpoint in (caller, callee):  # as if neither had named UPDATE in its Allow
            for leg in endpoint.agent.legs.values():
                leg.peer_methods = frozenset()
        network.run(10.0)
    for endpoint in (caller, callee):
        (leg,) = endpoint.agent.legs.values()
        assert {leg.local_sdp, leg.remote_sdp} == {SDP, OTHER_SDP}
        for kind in (LegEnded, AnswerReceived, ReinviteFailed):
            assert not endpoint.of(kind), endpoint.events
    assert "UPDATE" not in network.ladder()
    refreshed = caller.agent.stats.sessions_refreshed + callee.agent.stats.sessions_refreshed
    assert refreshed >= 3600 / interval_s
