"""No sequence of facts, however absurd, makes the controller do harm."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.turns.controller import CreateResponse, Interrupt, TurnController
from telephony.turns.policy import BargeInPolicy

POLICIES = st.builds(
    BargeInPolicy,
    mode=st.sampled_from(["both", "local", "server", "off"]),
    min_speech_ms=st.sampled_from([0, 80, 300]),
    ignore_first_ms=st.sampled_from([0, 250]),
    digits=st.booleans(),
    server_interrupts=st.booleans(),
    protect_greeting=st.booleans(),
    false_interruption_ms=st.sampled_from([0, 1500]),
)

IDS = st.sampled_from(["r1", "r2", "r3", "r4"])

FACTS = st.lists(
    st.tuples(
        st.floats(0, 2, allow_nan=False),
        st.one_of(
            st.tuples(
                st.sampled_from(["local_speech_started", "local_speech_continued"]),
                st.integers(0, 2000),
            ),
            st.tuples(st.sampled_from(["response_started", "response_finished"]), IDS),
            st.tuples(st.just("audio_received"), IDS, st.just("item")),
            st.tuples(
                st.sampled_from(
                    [
                        "local_speech_stopped",
                        "server_speech_started",
                        "server_speech_stopped",
                        "digit_received",
                        "interrupt",
                        "playout_started",
                        "playout_drained",
                        "model_disconnected",
                        "handle_timer",
                    ]
                )
            ),
        ),
    ),
    max_size=60,
)


class World:
    """What is true outside, worked out from the facts without the controller's tables."""

    def __init__(self) -> None:
        self.begun: set[str] = set()
        self.finished: set[str] = set()
        self.interrupted: set[str] = set()
        self.latest: str | None = None
        self.sound = False

    def note(self, name: str, args: tuple[object, ...]) -> None:
        if name in ("response_started", "audio_received"):
            response_id = str(args[0])
            if response_id not in self.begun and response_id not in self.finished:
                self.latest = response_id
            self.begun.add(response_id)
            self.sound = self.sound or name == "audio_received"
        elif name == "response_finished":
            self.finished.add(str(args[0]))
        elif name == "model_disconnected" and self.latest is not None:
            self.finished.add(self.latest)
        elif name == "playout_started":
            self.sound = True
        elif name == "playout_drained":
            self.sound = False

    @property
    def pending(self) -> bool:
        return bool(self.begun - self.finished - self.interrupted)

    def check(self, command: Interrupt | CreateResponse) -> None:
        if isinstance(command, CreateResponse):
            return
        assert self.sound or self.pending, "nothing to interrupt"
        if command.cancel:
            assert command.response_id is not None
            assert command.response_id not in self.finished, "cancel after the end"
        if command.response_id is not None:
            assert command.response_id in self.begun
            assert command.response_id not in self.interrupted, "interrupted twice"
            self.interrupted.add(command.response_id)
        self.interrupted |= self.begun
        self.sound = False


@settings(max_examples=400, deadline=None)
@given(POLICIES, FACTS)
def test_any_sequence_of_facts(policy: BargeInPolicy, facts) -> None:
    turns, world, now = TurnController(policy), World(), 0.0
    for elapsed_s, (name, *args) in facts:
        now += elapsed_s
        before = turns.next_timer()
        getattr(turns, name)(*args, now)
        world.note(name, tuple(args))
        for command in turns.commands():
            if isinstance(command, CreateResponse):
                assert name == "handle_timer"
                assert before is not None
                assert before <= now
            world.check(command)
        due = turns.next_timer()
        assert due is None or due >= now or due == before


@settings(max_examples=100, deadline=None)
@given(POLICIES, FACTS)
def test_every_fact_twice_is_as_good_as_once(policy: BargeInPolicy, facts) -> None:
    once, twice, now = TurnController(policy), TurnController(policy), 0.0
    for elapsed_s, (name, *args) in facts:
        now += elapsed_s
        getattr(once, name)(*args, now)
        getattr(twice, name)(*args, now)
        first = twice.commands()
        if name not in ("handle_timer", "local_speech_started"):
            getattr(twice, name)(*args, now)
            assert twice.commands() == []
        assert first == once.commands()
        assert once.turn is twice.turn
