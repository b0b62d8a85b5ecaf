from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import structlog

from telephony.base.ids import Ids
from telephony.calls.agent import Agent, AgentLanguage
from telephony.calls.call_tasks import CallTasks
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.handoff import Handoff
from telephony.calls.handoff_tool import FAILED
from telephony.calls.hosted_conversation import UNWATCHED, HostedConversation
from telephony.calls.hosted_lacks import as_hosted, watches_bot
from telephony.calls.hosted_plan import brief_of
from telephony.calls.sideband_link import SidebandPlace
from telephony.realtime.approvals import ProviderApprovals
from telephony.realtime.events import ApprovalRequested
from telephony.realtime.guardrails import Guardrails, Rule
from telephony.realtime.hosted.sideband import sideband_of
from telephony.realtime.prices import Price
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.session_fields import ServerVad
from telephony.realtime.tool_limits import ToolLimits
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import ToolRegistry, tool_from_function
from tests.support.eventually import eventually
from tests.support.fake_call import FakeConnector, agent, services
from tests.support.phones import Watcher


class Unrecorded:
    """A recording that there is none of."""

    state = "off"

    def pause(self) -> None: ...

    def resume(self) -> None: ...


SALES = {"destination": "sales"}


class Scene:
    """A conversation whose server is the test."""

    def __init__(self, tasks: CallTasks, result: TransferResult, **changes: Any) -> None:
        self.connector = FakeConnector()
        self.watcher = Watcher()
        self.sent_on: list[Destination] = []
        self._result = result
        agents = changes.pop("agents", {})
        someone = as_hosted(agent(**changes), agents)
        dialect = sideband_of(
            someone.source.model,
            brief_of(someone),
            Ids.seeded(1),
            "rtc_1",
            held=watches_bot(someone),
        )
        self.conversation = HostedConversation(
            someone,
            dialect,
            SidebandPlace("https://api.openai.com/v1", {}),
            tasks,
            services(
                connector=self.connector,
                observer=self.watcher,
                metrics=self.watcher,
                agents=agents,
            ),
            structlog.get_logger(),
            ToolContext("call", "+15550199", "+15550100"),
            self.send_on,
            Unrecorded(),
        )

    async def send_on(self, destination: Destination) -> TransferResult:
        self.sent_on.append(destination)
        return self._result

    @property
    def kinds(self) -> list[str]:
        return self.connector.opened[-1].kinds

    def hear(self, kind: str, **fields: Any) -> None:
        self.connector.opened[-1].hear(kind, **fields)

    @property
    def told(self) -> list[str]:
        """The outputs of tools and the facts that the model was given."""
        items = [m["item"] for m in self.connector.opened[-1].sent if "item" in m]
        return [i["output"] if "output" in i else i["content"][0]["text"] for i in items]

    def begin(self, response_id: str, words: str = "") -> None:
        self.hear("response.created", response={"id": response_id})
        if words:
            item = {"response_id": response_id, "item_id": f"item_{response_id}"}
            self.hear("response.output_audio_transcript.delta", delta=words, **item)

    def turn(self) -> None:
        """Let the caller say something."""
        self.hear("input_audio_buffer.speech_started", item_id="i", audio_start_ms=0)
        self.hear("input_audio_buffer.speech_stopped", item_id="i", audio_end_ms=900)

    def play(self, response_id: str, end: str = "stopped") -> None:
        self.hear("output_audio_buffer.started", response_id=response_id)
        self.hear(f"output_audio_buffer.{end}", response_id=response_id)

    def answer(
        self,
        response_id: str,
        *calls: str,
        words: str = "",
        arguments: Any = SALES,
        **done: Any,
    ) -> None:
        """Let the model respond, with words and calls of tools."""
        self.begin(response_id, words)
        if words:
            item = {"response_id": response_id, "item_id": f"item_{response_id}"}
            self.hear("response.output_audio_transcript.done", transcript=words, **item)
        output = [
            {
                "type": "function_call",
                "id": f"item_{name}",
                "call_id": f"call_{response_id}_{name}",
                "name": name,
                "arguments": json.dumps(
                    {"destination": "sales"} if arguments is None else arguments
                ),
            }
            for name in calls
        ]
        response = {"id": response_id, "status": "completed", "output": output} | done
        self.hear("response.done", response=response)


@asynccontextmanager
async def scene(
    result: TransferResult | None = None, **changes: Any
) -> AsyncIterator[tuple[Scene, asyncio.Task[Any]]]:
    failures: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, failures.append)
        s = Scene(tasks, result or TransferResult("transferred", 202), **changes)
        await s.conversation.connect()
        running = group.create_task(s.conversation.run())
        await asyncio.sleep(0)
        yield s, running
        running.cancel()
        await s.conversation.close()
    assert failures == []


async def test_the_goodbye_is_heard_before_the_call_ends() -> None:
    async with scene() as (s, running):
        s.answer("r1", "hangup", words="Goodbye!")
        await asyncio.sleep(0)
        assert not running.done()
        s.hear("output_audio_buffer.started", response_id="r1")
        s.hear("output_audio_buffer.stopped", response_id="r1")
        assert (await running).cause == "bot_hung_up"


async def test_a_goodbye_that_was_not_said_is_asked_for() -> None:
    async with scene() as (s, running):
        s.answer("r1", "hangup")
        assert s.kinds[-2:] == ["conversation.item.create", "response.create"]
        s.answer("r2", words="Goodbye!")
        s.hear("output_audio_buffer.started", response_id="r2")
        assert not running.done()
        s.hear("output_audio_buffer.stopped", response_id="r2")
        assert (await running).cause == "bot_hung_up"


async def test_a_caller_who_cuts_the_goodbye_off_stays() -> None:
    async with scene() as (s, running):
        s.answer("r1", "hangup", words="Goodbye!")
        s.hear("output_audio_buffer.started", response_id="r1")
        s.hear("output_audio_buffer.cleared", response_id="r1")
        await asyncio.sleep(0)
        assert not running.done()
        assert s.conversation.bridge.stats.barge_ins == 1
        output = s.connector.opened[-1].last("conversation.item.create")["item"]["output"]
        assert "interrupted the goodbye" in output


@pytest.mark.parametrize(("rules", "approve"), [((), False), ((("crm", True),), True)])
async def test_remote_tools_that_ask_first(
    rules: tuple[tuple[str, bool], ...], approve: bool
) -> None:
    async with scene(provider_approvals=ProviderApprovals(rules)) as (s, _):
        s.conversation.approval_requested(ApprovalRequested("mcpr_1", "crm", "delete", "{}"))
        answer = s.connector.opened[-1].last("conversation.item.create")["item"]
        assert answer["approval_request_id"] == "mcpr_1"
        assert answer["approve"] is approve


async def test_where_the_caller_is_sent_on_to() -> None:
    sales = {"sales": Destination("+15550123")}
    async with scene(transfers=sales) as (s, _):
        s.answer("r1", "transfer", words="One moment.")
        s.hear("output_audio_buffer.started", response_id="r1")
        s.hear("output_audio_buffer.stopped", response_id="r1")
        await eventually(lambda: s.sent_on)
        assert s.sent_on == [sales["sales"]]
    async with scene(TransferResult("not_taken", 0, "HTTP 400"), transfers=sales) as (s, running):
        s.answer("r1", "transfer", words="One moment.")
        s.hear("output_audio_buffer.stopped", response_id="r1")
        await eventually(lambda: s.kinds[-1] == "response.create")
        output = s.connector.opened[-1].last("conversation.item.create")["item"]["output"]
        assert "The transfer to sales failed" in output
        assert not running.done()


async def test_what_was_said_and_what_it_cost() -> None:
    async with scene() as (s, _):
        usage = {"input_tokens": 10, "output_tokens": 5}
        s.answer("r1", words="Hello.", usage=usage)
        s.hear("input_audio_buffer.speech_started", item_id="i", audio_start_ms=0)
        s.hear("input_audio_buffer.speech_stopped", item_id="i", audio_end_ms=900)
        assert s.watcher.transcripts == [("assistant", "Hello.")]
        stats = s.conversation.bridge.stats
        assert (stats.responses, stats.turns) == (1, 1)
        assert (stats.input_tokens, stats.output_tokens) == (10, 5)


async def test_an_account_that_is_empty_ends_the_call() -> None:
    async with scene() as (s, running):
        s.hear("error", error={"type": "invalid_request_error", "code": "insufficient_quota"})
        assert (await running).cause == "model_lost"


NO_PRICES = Guardrails((Rule("prices", "output", phrases=(("euro",),), message="No prices."),))


async def test_an_answer_that_breaks_a_rule_is_cut_off_by_the_server() -> None:
    async with scene(guardrails=NO_PRICES) as (s, _):
        s.begin("r1", "It costs one euro, ")
        assert s.kinds[-3:] == [
            "response.cancel",
            "output_audio_buffer.clear",
            "conversation.item.create",
        ]
        assert "No prices." in s.told[-1]
        s.hear("response.done", response={"id": "r1", "status": "cancelled", "output": []})
        assert s.kinds[-1] == "response.create"
        assert s.watcher.guardrail_trips == [("prices", "output")]


async def test_an_answer_that_was_generated_is_cut_off_where_it_plays() -> None:
    slow = asyncio.Event()

    async def check(text: str, context: ToolContext) -> bool:
        await slow.wait()
        return True

    rules = Guardrails((Rule("slow", "output", function=check),), max_trips=0)
    async with scene(guardrails=rules) as (s, running):
        s.answer("r1", words="Goodbye!", arguments={})
        s.hear("output_audio_buffer.started", response_id="r1")
        slow.set()
        await eventually(lambda: s.kinds[-1] == "output_audio_buffer.clear")
        # There is no recorded goodbye to be played.
        assert (await running).cause == "guardrail"


async def test_a_caller_who_breaks_a_rule_is_sent_on() -> None:
    rule = Rule("angry", "input", phrases=(("lawyer",),), remedy="transfer", transfer_to="sales")
    sales = {"sales": Destination("+15550123")}
    async with scene(guardrails=Guardrails((rule,)), transfers=sales) as (s, _):
        done = {"item_id": "i", "transcript": "My lawyer calls."}
        s.hear("conversation.item.input_audio_transcription.completed", **done)
        await eventually(lambda: s.sent_on)
        assert s.sent_on == [sales["sales"]]


async def test_what_nobody_watched_is_cut_off_and_said_again() -> None:
    async with scene(guardrails=NO_PRICES, reconnect_initial_s=0.001) as (s, _):
        s.answer("r1", words="Let me see.")
        s.hear("output_audio_buffer.started", response_id="r1")
        s.connector.opened[-1].on_closed(1011, "")
        await eventually(lambda: len(s.connector.opened) == 2)
        await eventually(lambda: "output_audio_buffer.clear" in s.kinds)
        assert s.kinds[-2:] == ["response.cancel", "output_audio_buffer.clear"]
        s.hear("output_audio_buffer.cleared", response_id="r1")
        assert s.told[-1] == UNWATCHED
        assert s.kinds[-1] == "response.create"
        assert s.watcher.reconnects == ["restored"]


async def test_of_an_old_sideband_nothing_is_heard_any_more() -> None:
    async with scene(reconnect_initial_s=0.001) as (s, running):
        old = s.connector.opened[-1]
        old.on_closed(1011, "")
        await eventually(lambda: len(s.connector.opened) == 2)
        await eventually(lambda: s.conversation.link.reconnects == 1)
        old.hear("response.created", response={"id": "r9"})
        old.on_closed(1000, "")
        await asyncio.sleep(0)
        assert s.conversation.bridge.stats.responses == 0
        assert not running.done()
        # Nobody is cut off where nothing has to be watched.
        assert "output_audio_buffer.clear" not in s.kinds


async def test_tools_wait_for_the_caller_to_agree() -> None:
    done: list[str] = []

    def cancel_order() -> str:
        """Cancel it."""
        done.append("yes")
        return "cancelled"

    tools = ToolRegistry([replace(tool_from_function(cancel_order), approval="caller")])
    async with scene(tools=tools) as (s, _):
        s.answer("r1", "cancel_order", arguments={})
        await eventually(lambda: s.told)
        token = json.loads(s.told[-1])["token"]
        s.answer("r2", "confirm_action", arguments={"token": token, "agreed": True})
        assert "has not answered yet" in s.told[-1]
        s.answer("r3", words="Shall I?")
        s.turn()
        s.answer("r4", "confirm_action", arguments={"token": token, "agreed": True})
        await eventually(lambda: done)
        await eventually(lambda: s.told[-1] == "cancelled")


async def test_a_model_that_calls_tools_without_end_is_made_to_talk() -> None:
    def look() -> str:
        """Look."""
        return "nothing"

    limits = ToolLimits(max_repeats=1)
    async with scene(tools=ToolRegistry([look]), tool_limits=limits) as (s, _):
        for number in range(4):
            s.answer(f"r{number}", "look", arguments={})
            await asyncio.sleep(0.01)
        refused = [text for text in s.told if "error" in text]
        assert refused
        assert s.watcher.tool_limits[0] == "repeats"
        await eventually(
            lambda: (
                s.connector.opened[-1]
                .last("response.create")
                .get("response", {})
                .get("tool_choice")
                == "none"
            )
        )


PRICE = Price(text_input=1.0, text_output=1.0, audio_input=1.0, audio_output=1.0)
USAGE = {"input_tokens": 1_000_000, "output_tokens": 0}
USAGE_TEXT = {**USAGE, "input_token_details": {"text_tokens": 1_000_000}}


async def test_a_call_that_cost_too_much_ends_with_a_goodbye(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("telephony.calls.succession.QUIET_POLL_S", 0.001)
    async with scene(spend_limit_usd=0.5) as (s, running):
        source = replace(s.conversation.agent.source, price=PRICE)
        s.conversation._agent = replace(s.conversation.agent, source=source)
        s.answer("r1", words="Hello.", usage=USAGE_TEXT)
        s.play("r1")
        assert s.conversation.spend.usd == 1.0
        await eventually(lambda: s.kinds[-1] == "response.create")
        s.begin("r2", "Goodbye.")
        await asyncio.sleep(0.01)
        s.hear("response.done", response={"id": "r2", "status": "completed", "output": []})
        s.play("r2")
        assert (await running).cause == "spend_limit"


def billing(**changes: Any) -> Agent:
    return replace(agent(instructions="You do bills.", **changes), name="billing")


async def handed_over(s: Scene) -> None:
    """Let the model ask for the handoff, and the server hear of it."""
    s.answer("r1", "handoff", words="One moment.", arguments={"to": "billing"})
    s.play("r1")
    await eventually(lambda: s.kinds[-1] == "session.update")


async def test_another_agent_takes_the_call_over() -> None:
    agents = {"billing": billing(guardrails=NO_PRICES)}
    bot = {"handoffs": {"billing": Handoff("billing")}}
    async with scene(agents=agents, **bot) as (s, _):
        await handed_over(s)
        assert s.connector.opened[-1].sent[-1]["session"]["instructions"] == "You do bills."
        # Not theirs yet.
        assert s.conversation.agent.name == "bot"
        s.hear("session.updated", session={})
        await eventually(lambda: s.conversation.agent.name == "billing")
        assert s.conversation.agents == ["bot", "billing"]
        await eventually(lambda: s.kinds[-1] == "response.create")
        s.begin("r2", "That is one euro, ")
        assert s.watcher.guardrail_trips == [("prices", "output")]


async def test_a_handoff_that_the_server_refuses_changes_nothing() -> None:
    agents = {"billing": billing()}
    async with scene(agents=agents, handoffs={"billing": Handoff("billing")}) as (s, _):
        await handed_over(s)
        event_id = s.connector.opened[-1].sent[-1]["event_id"]
        error = {"type": "invalid_request_error", "code": "invalid_value", "event_id": event_id}
        s.hear("error", error=error)
        await eventually(lambda: s.told[-1] == FAILED)
        assert s.conversation.agent.name == "bot"


async def test_the_language_is_switched() -> None:
    languages = {"en": AgentLanguage(), "es": AgentLanguage(instructions_suffix="Habla español.")}
    bot = agent(languages=languages)
    agents = {"bot": bot}
    async with scene(agents=agents, languages=languages, language="en") as (s, _):
        s.answer("r1", "switch_language", words="Claro.", arguments={"language": "es"})
        s.play("r1")
        await eventually(lambda: s.kinds[-1] == "session.update")
        s.hear("session.updated", session={})
        await eventually(lambda: s.conversation.agent.language == "es")
        assert "Habla español." in s.conversation.agent.instructions


async def test_without_an_answer_of_its_own_the_server_is_asked_for_one() -> None:
    detection = ServerVad(create_response=False)
    config = SessionConfig(model="test", turn_detection=detection)
    async with scene(session=config) as (s, _):
        s.hear("input_audio_buffer.committed", item_id="i")
        assert s.kinds[-1] == "response.create"


async def test_a_model_is_told_that_it_may_answer_once_it_is_watched() -> None:
    async with scene(guardrails=NO_PRICES) as (s, running):
        (update,) = [m for m in s.connector.opened[-1].sent if m["type"] == "session.update"]
        assert update["session"]["audio"]["input"]["turn_detection"]["create_response"] is True
        # That was confirmed; what is refused later is something else.
        s.conversation.session_changed(False)
        assert not running.done()


async def test_a_model_that_may_never_answer_is_of_no_use() -> None:
    async with scene() as (s, running):
        s.conversation._held = True
        s.conversation.session_changed(False)
        assert (await running).cause == "model_lost"
