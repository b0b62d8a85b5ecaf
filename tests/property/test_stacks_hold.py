"""Two legs hold and resume each other in any order: what was last wanted is what they agree on.

The user agents and the negotiations are the real ones, wire and media are not.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.sdp.offer_answer import LocalMedia, NegotiatedMedia, OfferAnswer
from telephony.sip import events as sip
from telephony.sip.config import UserAgentConfig
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.negotiation import Negotiation
from tests.sip.wire import Endpoint, Network, body, header
from tests.support.fake_call import FACTS

_ONE = ("192.0.2.1", 5060)
_OTHER = ("192.0.2.2", 5060)
_REACT = {
    sip.LegConfirmed: NativeLeg.confirmed,
    sip.OfferReceived: NativeLeg.offer_received,
    sip.OfferWithdrawn: NativeLeg.offer_withdrawn,
    sip.AnswerReceived: NativeLeg.answer_received,
    sip.ReinviteFailed: NativeLeg.reinvite_failed,
    sip.LegEnded: NativeLeg.leg_ended,
    sip.CallProgressed: NativeLeg.call_progressed,
    sip.CallAnswered: NativeLeg.call_answered,
}


class _Media:
    """Remembers what was negotiated."""

    port = 4000

    def __init__(self) -> None:
        self.agreed: NegotiatedMedia | None = None

    @property
    def caller_away(self) -> bool:
        return self.agreed is not None and self.agreed.hold

    def negotiated(self, media: NegotiatedMedia) -> None:
        self.agreed = media

    def keep_encoding(self) -> None: ...


class _Leg(NativeLeg):
    """A leg whose media opens no sockets."""

    def _open_media(self) -> Negotiation:
        host, port = self.local
        self._media = _Media()  # type: ignore[assignment]
        local = LocalMedia(host, port)
        self._negotiation = Negotiation(OfferAnswer(local, Ids.seeded(port)))
        return self._negotiation

    local = ("192.0.2.9", 4000)


class _Shell:
    """Stands for plane and endpoint."""

    def __init__(self, network: Network) -> None:
        self.clock = lambda: network.now

    def flush(self) -> None: ...


class _Side:
    def __init__(self, network: Network, address: tuple[str, int], refreshes: bool) -> None:
        config = UserAgentConfig(session_expires_s=90 if refreshes else 0)
        self.endpoint: Endpoint = network.add(address, address[0].count("1"), config)
        self.shell: Any = _Shell(network)
        self.leg: _Leg | None = None
        self.endpoint.react = self._react

    def make_leg(self, leg_id: str, offer: bytes | None) -> _Leg:
        shell = self.shell
        leg = self.leg = _Leg(self.endpoint.agent, shell, shell, leg_id, FACTS, offer)
        leg.local = (self.endpoint.address[0], 4000)
        return leg

    def _react(self, event: sip.Event, now: float) -> None:
        if isinstance(event, sip.InviteReceived):
            leg = self.make_leg(event.leg_id, event.sdp)
            leg.prepare()
            leg.answer()
        elif self.leg is not None and type(event) in _REACT:
            _REACT[type(event)](self.leg, event)  # type: ignore[operator]

    @property
    def agreed(self) -> NegotiatedMedia:
        assert self.leg is not None
        agreed = self.leg.media.agreed  # type: ignore[attr-defined]
        assert isinstance(agreed, NegotiatedMedia)
        return agreed


def _call(network: Network, refreshes: bool) -> tuple[_Side, _Side]:
    caller, callee = _Side(network, _ONE, refreshes), _Side(network, _OTHER, refreshes)
    leg = caller.make_leg("", None)
    leg.prepare_offer()
    flow = network.flow(_ONE, _OTHER)
    uris = ("sip:b@192.0.2.2", "sip:a@192.0.2.1")
    leg.leg_id = caller.endpoint.agent.invite(*uris, leg.local_sdp, flow, 0.0)
    network.run(2.0)
    return caller, callee


def _assert_versions_grow(network: Network) -> None:
    """RFC 3264 section 8: another description has a higher version, the same one the same."""
    last: dict[tuple[str, int], tuple[int, bytes]] = {}
    for _, source, _, data in network.log:
        sdp = body(data)
        if not sdp or header(data, "Content-Type") != "application/sdp":
            continue
        version = int(sdp.split(b"o=")[1].split()[2])
        text = sdp.split(b"\r\n", 2)[2]
        before = last.get(source, (0, b""))
        assert version > before[0] or (version == before[0] and text == before[1]), sdp
        last[source] = (version, text)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from(["hold", "resume"]),
            st.sampled_from([0.0, 0.0, 0.005, 0.02, 0.3, 2.5, 50.0]),
        ),
        max_size=12,
    ),
    delays=st.lists(st.sampled_from([0.001, 0.02, 0.2]), max_size=12),
    refreshes=st.booleans(),
)
def test_both_sides_agree_on_what_was_last_wanted(
    steps: list[tuple[bool, str, float]], delays: list[float], refreshes: bool
) -> None:
    fates = iter(delays)
    network = Network(lambda _data: [next(fates, 0.01)])
    sides = _call(network, refreshes)
    wanted = ["resume", "resume"]
    for by_other, command, pause_s in steps:
        leg = sides[by_other].leg
        assert leg is not None
        getattr(leg, command)()
        wanted[by_other] = command
        network.run(pause_s)
    network.run(40.0)
    for side, peer, want in zip(sides, reversed(sides), wanted, strict=True):
        assert side.leg is not None
        assert not side.leg.ended
        assert peer.agreed.hold is (want == "hold"), side.endpoint.events
    for side in sides:
        assert side.leg is not None
        side.leg.hangup()
        network.run(100.0)
        assert side.leg.ended
        assert not side.endpoint.agent.dialogs
    _assert_versions_grow(network)
