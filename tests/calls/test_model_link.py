from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import structlog

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.base.interfaces import ModelUnavailable
from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.model_breakers import REFUSED_S, ModelBreakers
from telephony.calls.model_link import STABLE_S, ModelLink
from telephony.calls.model_source import ModelSource
from telephony.realtime.dialect import Brief, Dialect
from telephony.realtime.events import NO_RESPONSE, ModelError
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.session_config import SessionConfig
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock, FakeConnector, agent, services
from tests.support.models import config_of


class FakeBridge:
    """Tells a link of sessions and errors as the bridge does, and notes the rest."""

    def __init__(self, dialect: OpenAIRealtime) -> None:
        self.dialect = dialect
        self.link: ModelLink | None = None
        self.connections: list[Any] = []
        self.lost = 0
        self.timers = 0
        self.error: Exception | None = None
        self.spoken_response_id = ""
        self.quiet = True

    def change_session(self, agent: Any, dialect: OpenAIRealtime) -> None:
        self.dialect = dialect

    def attach(self, connection: Any) -> None:
        self.connections.append(connection)
        for message in self.dialect.messages_to_send():
            connection.send(message)

    def connected(self, connection: Any) -> None:
        self.connections.append(connection)
        self.dialect.connection_made(0.0)

    def disconnected(self) -> None:
        self.lost += 1
        self.dialect.connection_lost(0.0)

    def message_received(self, message: bytes | str) -> None:
        if self.error is not None:
            raise self.error
        assert self.link is not None
        self.dialect.receive_message(message, 0.0)
        for event in self.dialect.events_received():
            if type(event).__name__ == "SessionReady":
                self.link.session_ready()
            elif isinstance(event, ModelError):
                self.link.failed(event)

    def handle_timer(self) -> None:
        self.timers += 1
        self.dialect.handle_timer(1e9)
        self.dialect.events_received()


class Scene:
    def __init__(self, tasks: CallTasks, errors: list[Exception], **changes: Any) -> None:
        connector = changes.pop("connector", None) or FakeConnector()
        self.connector: FakeConnector = connector
        self.tasks = tasks
        self.clock = FakeClock()
        bot = agent(**changes)
        self.services = services(
            connector=connector, clock=self.clock, breakers=ModelBreakers(self.clock)
        )
        self.metrics: Any = self.services.metrics
        self.dialect = OpenAIRealtime(config_of(bot), Ids.seeded(1), PCMU, PCMU)
        self.bridge = FakeBridge(self.dialect)
        self.happened: list[str] = []
        self.gaps = 0
        self.errors = errors
        self.link = self.bridge.link = ModelLink(
            bot,
            self.bridge,  # type: ignore[arg-type]
            self.services,
            tasks,
            structlog.get_logger(),
            self._new_dialect,
            on_restored=lambda: self.happened.append("restored"),
            on_lost=lambda: self.happened.append("lost"),
            on_gap=self._gap,
        )

    def _gap(self) -> None:
        self.gaps += 1

    def _new_dialect(
        self, bot: Agent, source: ModelSource, history: Iterable[HistoryItem]
    ) -> Dialect:
        return source.new_dialect(Brief(bot.instructions, (), tuple(history)), PCMU, Ids.seeded(2))


@asynccontextmanager
async def scene(**changes: Any) -> AsyncIterator[Scene]:
    """Give a link in the TaskGroup of a call that ends with the test."""
    errors: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, errors.append)
        made = Scene(tasks, errors, **changes)
        yield made
        tasks.close()
        await made.link.close()
    expected = [made.bridge.error] if made.bridge.error else []
    assert errors == expected
    assert all(connection.closed for connection in made.connector.opened)


async def test_a_session_that_gets_ready_is_open() -> None:
    async with scene() as s:
        await s.link.open()
        assert len(s.bridge.connections) == 1
        assert s.happened == []
        s.link.session_ready()
    assert s.bridge.lost == 1


async def test_a_refused_connection_is_told() -> None:
    async with scene(connector=FakeConnector(ModelUnavailable("401", fatal=True))) as s:
        with pytest.raises(ModelUnavailable) as caught:
            await s.link.open()
        assert caught.value.fatal
    assert s.bridge.lost == 0


async def test_a_session_that_does_not_get_ready_in_time_is_given_up() -> None:
    async with scene(connector=FakeConnector(ready=False), connect_timeout_s=0.01) as s:
        with pytest.raises(ModelUnavailable, match="no session within"):
            await s.link.open()
        [connection] = s.connector.opened
        await eventually(lambda: connection.closed)
        connection.get_ready()
        connection.on_closed(1000, "")
        await asyncio.sleep(0)
        assert s.happened == []


async def test_a_connection_closed_before_it_was_ready_is_told() -> None:
    async with scene(connector=FakeConnector(ready=False)) as s:
        opening = asyncio.ensure_future(s.link.open())
        await eventually(lambda: s.connector.opened)
        s.connector.opened[0].on_closed(1008, "policy")
        s.connector.opened[0].on_closed(1008, "policy")
        with pytest.raises(ModelUnavailable, match="closed with 1008 policy") as caught:
            await opening
        assert caught.value.fatal
        assert s.happened == []


async def test_an_error_before_it_was_ready_is_told_once() -> None:
    async with scene(connector=FakeConnector(ready=False)) as s:
        opening = asyncio.ensure_future(s.link.open())
        await eventually(lambda: s.connector.opened)
        connection = s.connector.opened[0]
        connection.hear("error", error={"code": "invalid_model", "message": "no such model"})
        connection.on_closed(1000, "")
        with pytest.raises(ModelUnavailable, match="no such model"):
            await opening
        await asyncio.sleep(0.01)
        assert s.connector.tries == 1


async def test_a_caller_who_hangs_up_while_it_opens_leaves_no_connection() -> None:
    async with scene(connector=FakeConnector(ready=False)) as s:
        opening = asyncio.ensure_future(s.link.open())
        await eventually(lambda: s.connector.opened)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert s.connector.opened[0].closed


async def test_a_lost_connection_is_opened_again() -> None:
    async with scene() as s:
        await s.link.open()
        s.connector.opened[0].on_closed(1006, "")
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]
        assert s.link.stats.reconnects == 1
        assert s.metrics.reconnects == ["restored"]
        assert s.bridge.lost == 1
        # What the old one still says is nobody's business.
        s.connector.opened[0].get_ready()
        s.connector.opened[0].on_closed(1006, "")
        await asyncio.sleep(0.01)
        assert len(s.connector.opened) == 2


async def test_the_tries_have_an_end() -> None:
    async with scene(reconnect_attempts=2) as s:
        await s.link.open()
        s.connector.refusals = [ModelUnavailable("busy") for _ in range(9)]
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert s.happened == ["lost"]
        assert s.connector.tries == 3
        assert s.metrics.reconnects == ["lost"]


async def test_what_would_not_help_is_not_tried() -> None:
    async with scene() as s:
        await s.link.open()
        s.connector.refusals = [ModelUnavailable("401", fatal=True)]
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert (s.happened, s.connector.tries) == (["lost"], 2)
    for code in (1008, 4000):
        async with scene() as s:
            await s.link.open()
            s.connector.opened[0].on_closed(code, "go away")
            await eventually(lambda: s.happened)
            assert (s.happened, s.connector.tries) == (["lost"], 1)
    async with scene() as s:
        await s.link.open()
        s.connector.opened[0].hear("error", error={"code": "insufficient_quota", "message": ""})
        await eventually(lambda: s.happened)
        assert (s.happened, s.connector.tries) == (["lost"], 1)


async def test_an_error_that_is_not_fatal_costs_nothing() -> None:
    async with scene() as s:
        await s.link.open()
        s.connector.opened[0].hear("error", error={"code": "oops", "message": ""})
        await asyncio.sleep(0.01)
        assert s.happened == []
        assert s.bridge.lost == 0


async def test_a_session_ready_and_lost_in_one_breath_is_not_taken_for_restored() -> None:
    async with scene(reconnect_attempts=2) as s:
        await s.link.open()
        first = s.connector.opened[0]
        s.connector.ready = False
        first.on_closed(1006, "")
        await eventually(lambda: len(s.connector.opened) == 2)
        second = s.connector.opened[1]
        # Both in one turn of the loop: the task that waits sees them only afterwards.
        second.get_ready()
        second.on_closed(1006, "")
        s.connector.ready = True
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]
        assert len(s.connector.opened) == 3
        assert second.closed


async def test_connections_that_do_not_hold_use_up_the_tries() -> None:
    async with scene(reconnect_attempts=2) as s:
        await s.link.open()
        for index in range(3):
            s.connector.opened[index].on_closed(1006, "")
            await eventually(lambda index=index: len(s.happened) == index + 1)
        assert s.happened == ["restored", "restored", "lost"]


async def test_a_connection_that_held_gives_the_tries_back() -> None:
    async with scene(reconnect_attempts=1) as s:
        await s.link.open()
        for index in range(3):
            s.clock.now += STABLE_S
            s.connector.opened[index].on_closed(1006, "")
            await eventually(lambda index=index: len(s.happened) == index + 1)
        assert s.happened == ["restored"] * 3


async def test_a_session_that_can_be_resumed_goes_on_over_a_new_connection() -> None:
    async with scene() as s:
        s.link.reconnect()
        await s.link.open()
        s.link.reconnect()
        s.link.reconnect()
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]
        assert len(s.connector.opened) == 2


async def test_nothing_is_opened_after_the_end() -> None:
    async with scene() as s:
        await s.link.open()
        await s.link.close()
        s.connector.opened[0].on_closed(1006, "")
        s.link.reconnect()
        s.link.timers_changed()
        await asyncio.sleep(0.01)
        assert s.connector.tries == 1
        assert s.link._timer._timer is None


async def test_the_end_in_the_middle_of_a_try_leaves_no_connection() -> None:
    connector = FakeConnector()
    happened: list[str] = []

    async def end_in_the_middle() -> None:
        async with scene(connector=connector) as s:
            s.happened = happened
            await s.link.open()
            connector.ready = False
            connector.opened[0].on_closed(1006, "")
            await eventually(lambda: len(connector.opened) == 2)
            raise KeyError

    with pytest.raises(BaseExceptionGroup):
        await end_in_the_middle()
    assert all(connection.closed for connection in connector.opened[1:])
    assert happened == []


async def test_a_fault_in_what_a_message_causes_is_reported() -> None:
    async with scene() as s:
        await s.link.open()
        s.bridge.error = RuntimeError("a fault of ours")
        s.connector.opened[0].hear("rate_limits.updated")


async def test_the_dialects_deadlines_are_kept() -> None:
    async with scene() as s:
        await s.link.open()
        s.link.timers_changed()
        timer = s.link._timer._timer
        assert timer is not None
        s.link.timers_changed()
        assert s.link._timer._timer is timer
        # A request for a response starts a countdown that is due at once.
        s.dialect.create_response()
        s.link.timers_changed()
        await eventually(lambda: s.bridge.timers)
        assert timer.cancelled()
        assert s.link._timer._timer is not None


MUTE = ModelError(NO_RESPONSE, "the model began no response", fatal=True)


async def test_a_mute_model_gets_one_new_connection() -> None:
    async with scene() as s:
        await s.link.open()
        s.link.failed(MUTE)
        await eventually(lambda: s.happened == ["restored"])
        s.clock.now += STABLE_S
        s.link.failed(MUTE)
        await eventually(lambda: s.happened == ["restored", "lost"])
        assert len(s.connector.opened) == 2


async def test_a_model_that_spoke_in_between_gets_another_chance() -> None:
    async with scene() as s:
        await s.link.open()
        for number in range(3):
            s.bridge.spoken_response_id = f"resp_{number}"
            s.link.failed(MUTE)
            await eventually(lambda number=number: s.happened == ["restored"] * (number + 1))


# Other models, and sessions opened beside the one in use.


def other_model(name: str = "other", timeout_s: float = 5.0) -> ModelSource:
    model = OpenAIRealtimeModel(SessionConfig(model=name))
    return ModelSource(model, "http://other.test/v1", connect_timeout_s=timeout_s)


async def test_the_next_model_takes_a_call_that_the_first_refuses() -> None:
    refusal = ModelUnavailable("401", fatal=True)
    async with scene(connector=FakeConnector(refusal), fallbacks=(other_model(),)) as s:
        await s.link.open()
        assert s.link.source.model.model == "other"
        assert s.connector.urls[1] == "ws://other.test/v1/realtime?model=other"
        assert s.bridge.dialect is not s.dialect


async def test_the_last_refusal_is_told_when_nobody_takes_the_call() -> None:
    refusals = [ModelUnavailable("first"), ModelUnavailable("second")]
    async with scene(connector=FakeConnector(*refusals), fallbacks=(other_model(),)) as s:
        with pytest.raises(ModelUnavailable, match="second"):
            await s.link.open()


async def test_a_model_that_refused_is_left_alone_until_its_time() -> None:
    refusal = ModelUnavailable("401", fatal=True)
    async with scene(connector=FakeConnector(refusal)) as s:
        for _ in range(2):
            with pytest.raises(ModelUnavailable) as caught:
                await s.link.open()
            assert caught.value.fatal
        assert s.connector.tries == 1
        s.clock.now += REFUSED_S
        await s.link.open()
        assert s.connector.tries == 2


async def test_another_model_takes_over_in_the_middle_of_a_call() -> None:
    async with scene(fallbacks=(other_model(),)) as s:
        await s.link.open()
        s.dialect.add_user_text("My name is Ann.")
        s.connector.refusals = [ModelUnavailable("busy")]
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]
        assert s.gaps == 1
        assert s.link.source.model.model == "other"
        assert s.metrics.reconnects == ["failed_over"]
        assert s.link.stats.failovers == 1
        # What was said so far went with the call.
        (item,) = s.bridge.dialect.history
        assert (item.role, item.text) == ("user", "My name is Ann.")


@pytest.mark.parametrize(
    ("refusals", "event"),
    [([], "model.restored"), ([ModelUnavailable("busy")], "model.failed_over")],
)
async def test_the_log_tells_a_connection_made_anew_from_a_model_that_took_over(
    refusals: list[ModelUnavailable], event: str
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with scene(fallbacks=(other_model(),)) as s:
            await s.link.open()
            s.connector.refusals = refusals
            s.connector.opened[0].on_closed(1006, "")
            await eventually(lambda: s.happened)
    assert [entry["event"] for entry in logs][-1] == event


async def test_an_account_without_money_costs_no_second_try_of_the_same_model() -> None:
    async with scene(fallbacks=(other_model(),)) as s:
        await s.link.open()
        s.connector.opened[0].hear("error", error={"code": "insufficient_quota", "message": ""})
        await eventually(lambda: s.happened)
        assert (s.happened, s.connector.tries) == (["restored"], 2)
        assert s.link.source.model.model == "other"
        assert not s.services.breakers.allows(s.link.agent.source)
        # Nor in another voice.
        model = OpenAIRealtimeModel(SessionConfig(model="test", voice="coral"))
        assert not s.services.breakers.allows(replace(s.link.agent.source, model=model))


async def test_a_model_that_is_slow_to_come_back_does_not_keep_the_caller() -> None:
    async with scene(fallbacks=(other_model(),), failover_after_s=0.02) as s:
        await s.link.open()
        s.connector.ready = False
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: len(s.connector.opened) == 2)
        s.connector.ready = True
        await eventually(lambda: s.happened)
        assert s.link.source.model.model == "other"
        assert s.connector.opened[1].closed


async def test_the_others_are_tried_though_no_try_is_left_for_the_first() -> None:
    async with scene(fallbacks=(other_model(),), reconnect_attempts=0) as s:
        await s.link.open()
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]
        assert s.link.source.model.model == "other"


async def test_the_tries_of_many_models_have_an_end_too() -> None:
    async with scene(fallbacks=(other_model(), other_model("third")), reconnect_attempts=2) as s:
        await s.link.open()
        s.connector.refusals = [ModelUnavailable("busy") for _ in range(99)]
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert s.happened == ["lost"]
        assert s.connector.tries <= 1 + 3 * 3


async def test_a_session_is_prepared_beside_the_present_one_and_takes_its_place() -> None:
    async with scene() as s:
        await s.link.open()
        s.dialect.add_user_text("before")
        assert await s.link.prepare(s.link.agent)
        first, second = s.connector.opened
        assert not first.closed
        assert second.kinds[0] == "session.update"
        # The conversation goes on meanwhile.
        s.dialect.add_user_text("meanwhile")
        assert s.link.switch()
        assert [item.text for item in s.bridge.dialect.history] == ["before", "meanwhile"]
        assert second.kinds.count("conversation.item.create") == 2
        await eventually(lambda: first.closed)
        assert s.happened == []
        # And the new one is guarded as the old one was.
        second.on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]


async def test_a_session_that_was_prepared_takes_over_at_once_when_the_present_one_is_lost() -> (
    None
):
    async with scene() as s:
        await s.link.open()
        assert await s.link.prepare(s.link.agent)
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]
        assert s.connector.tries == 2
        # One change, counted once.
        assert (s.link.stats.reconnects, s.link.stats.rollovers) == (1, 0)
        assert s.metrics.reconnects == ["restored"]


async def test_a_colleague_who_takes_over_from_a_lost_session_is_no_failover() -> None:
    async with scene() as s:
        await s.link.open()
        assert await s.link.prepare(agent(name="billing"))
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert s.link.agent.name == "billing"
        assert s.link.stats.failovers == 0
        assert s.metrics.reconnects == ["restored"]


async def test_a_prepared_session_that_is_lost_again_is_no_session() -> None:
    async with scene() as s:
        await s.link.open()
        assert await s.link.prepare(s.link.agent)
        s.connector.opened[1].on_closed(1006, "")
        assert not s.link.prepared
        assert not s.link.switch()
        assert s.link.established
        # Another one can be had.
        assert await s.link.prepare(s.link.agent)
        assert s.link.switch()
        await eventually(lambda: s.connector.opened[1].closed)


async def test_a_session_that_gets_ready_while_the_lost_one_is_replaced_is_given_up() -> None:
    async with scene() as s:
        await s.link.open()
        s.connector.ready = False
        preparing = asyncio.ensure_future(s.link.prepare(s.link.agent))
        await eventually(lambda: len(s.connector.opened) == 2)
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: len(s.connector.opened) == 3)
        standby, restored = s.connector.opened[1:]
        standby.get_ready()
        assert not await preparing
        assert not s.link.switch()
        assert standby.closed
        # Nor is one prepared as long as there is none to replace.
        assert not await s.link.prepare(s.link.agent)
        restored.get_ready()
        await eventually(lambda: s.happened == ["restored"])
        assert s.bridge.connections == [s.connector.opened[0], restored]
        assert not restored.closed


async def test_a_session_that_was_left_is_closed_though_the_call_ends_at_once() -> None:
    async with scene() as s:
        await s.link.open()
        assert await s.link.prepare(s.link.agent)
        # Nothing is started any more.
        s.tasks.close()
        assert s.link.switch()
        await asyncio.sleep(0)
        assert not s.connector.opened[0].closed


async def test_what_cannot_be_prepared_changes_nothing() -> None:
    async with scene() as s:
        await s.link.open()
        s.connector.refusals = [ModelUnavailable("busy")]
        assert not await s.link.prepare(s.link.agent)
        assert not s.link.switch()
        assert s.link.established
        # Nor does one that is refused on the open socket.
        s.connector.ready = False
        preparing = asyncio.ensure_future(s.link.prepare(s.link.agent))
        await eventually(lambda: len(s.connector.opened) == 2)
        s.connector.opened[1].hear("error", error={"code": "oops", "message": ""})
        assert not await preparing
        assert s.connector.opened[1].closed
        s.connector.ready = True
        assert await s.link.prepare(s.link.agent)


async def test_a_refusal_that_is_told_twice_counts_once() -> None:
    async with scene(connector=FakeConnector(ready=False)) as s:
        opening = asyncio.ensure_future(s.link.open())
        await eventually(lambda: s.connector.opened)
        # By the model as an error, and by the connection as its end.
        s.connector.opened[0].hear("error", error={"code": "insufficient_quota", "message": ""})
        with pytest.raises(ModelUnavailable):
            await opening
        s.clock.now += REFUSED_S
        assert s.services.breakers.allows(s.link.source)


async def test_a_session_prepared_in_the_middle_of_an_answer_is_told_all_of_it() -> None:
    async with scene() as s:
        await s.link.open()
        for number in range(20):
            s.dialect.add_user_text(f"before {number}")
        first = s.connector.opened[0]
        words = {"response_id": "resp_1", "item_id": "item_1", "content_index": 0}
        first.hear("response.created", response={"id": "resp_1"})
        first.hear("response.output_audio_transcript.delta", **words, delta="It costs ")
        s.bridge.quiet = False
        assert await s.link.prepare(s.link.agent)
        first.hear("response.output_audio_transcript.done", **words, transcript="It costs ten.")
        first.hear("response.done", response={"id": "resp_1", "status": "completed"})
        s.dialect.add_user_text("after")
        assert s.link.switch()
        texts = [item.text for item in s.bridge.dialect.history]
        assert texts == [*(f"before {number}" for number in range(20)), "It costs ten.", "after"]
        told = [m["item"] for m in s.connector.opened[1].sent if "item" in m]
        assert [item["content"][0]["text"] for item in told] == texts


async def test_the_end_while_a_session_is_given_up_leaves_no_complaint() -> None:
    complaints: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    gate = asyncio.Event()
    async with scene(reconnect_attempts=0) as s:
        await s.link.open()
        s.connector.gate = gate
        preparing = asyncio.ensure_future(s.link.prepare(s.link.agent))
        await eventually(lambda: s.connector.tries == 2)
        assert not s.link.switch()
        preparing.cancel()
        await asyncio.wait([preparing])
        del preparing
        gc.collect()
    assert complaints == []


async def test_a_session_that_was_prepared_closes_the_breaker_too() -> None:
    async with scene() as s:
        await s.link.open()
        s.services.breakers.refused(s.link.source, of_account=True)
        s.clock.now += REFUSED_S
        assert await s.link.prepare(s.link.agent)
        s.services.breakers.refused(s.link.source, of_account=True)
        [(_, left_s)] = s.services.breakers.open_breakers()
        assert left_s == REFUSED_S


async def test_after_a_handoff_the_tries_are_those_of_the_agent_in_charge() -> None:
    async with scene(reconnect_attempts=0) as s:
        await s.link.open()
        assert await s.link.prepare(agent(name="billing", reconnect_attempts=2))
        assert s.link.switch()
        s.connector.opened[-1].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]


async def test_nobody_waits_for_the_goodbye_of_a_model_that_never_got_ready() -> None:
    async with scene(fallbacks=(other_model(),), failover_after_s=0.02) as s:
        await s.link.open()
        s.connector.ready = False
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: len(s.connector.opened) == 2)
        mute = s.connector.opened[1]
        goodbye = asyncio.Event()
        close = mute.close

        async def slow_close(code: int = 1000) -> None:
            await goodbye.wait()
            await close(code)

        mute.close = slow_close  # type: ignore[method-assign]
        s.connector.ready = True
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]
        assert not mute.closed
        goodbye.set()
        await eventually(lambda: mute.closed)


async def test_one_connection_that_cannot_be_closed_keeps_no_other_open() -> None:
    async with scene() as s:
        await s.link.open()
        assert await s.link.prepare(s.link.agent)
        present, standby = s.connector.opened
        close = standby.close

        async def fail(code: int = 1000) -> None:
            await close(code)
            raise RuntimeError("the library beneath failed")

        standby.close = fail  # type: ignore[method-assign]
        with pytest.raises(RuntimeError):
            await s.link.close()
        assert present.closed
        standby.close = close  # type: ignore[method-assign]
