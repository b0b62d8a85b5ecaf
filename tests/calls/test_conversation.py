from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from telephony.audio.format import PCMU
from telephony.audio.g711 import l16_to_pcmu
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import DigitsSent
from telephony.calls import cause
from telephony.calls.agent import AgentLanguage
from telephony.calls.call_tasks import CallTasks
from telephony.calls.conversation import Conversation
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.handoff import Handoff
from telephony.calls.keypad import KeypadConfig
from telephony.calls.model_talk import REPROMPT
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.tool_routing import CallPowers
from telephony.calls.transfer_tool import CALLING, CANCELLED, NOT_CANCELLED, UNDER_WAY
from telephony.realtime.approvals import ProviderApprovals
from telephony.realtime.events import (
    ApprovalRequested,
    ResponseFinished,
    ToolCallRequested,
    Usage,
    UsageReported,
)
from telephony.realtime.guardrails import Guardrails, Rule, read_phrase
from telephony.realtime.tool_limits import ToolLimits
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import ToolRegistry, tool_from_function
from telephony.turns.silence import SilencePolicy
from tests.support.eventually import eventually
from tests.support.fake_call import (
    FakeClock,
    FakeConnector,
    FakeMedia,
    Line20ms,
    agent,
    services,
)
from tests.support.phones import Watcher
from tests.support.scenes import speech


class FakePausable:
    def __init__(self) -> None:
        self.state = "on"

    def pause(self) -> None:
        self.state = "paused"

    def resume(self) -> None:
        self.state = "on"


class Scene:
    def __init__(self, tasks: CallTasks, **changes: Any) -> None:
        self.connector = FakeConnector()
        self.watcher = Watcher()
        self.clock = FakeClock()
        self.recording = FakePausable()
        self.conversation = Conversation(
            agent(**changes),
            FakeMedia(),
            tasks,
            services(
                connector=self.connector,
                metrics=self.watcher,
                observer=self.watcher,
                clock=self.clock,
            ),
            structlog.get_logger(),
            ToolContext("call-1", "+15550199", "+15550100"),
            CallPowers(self._transfer, self._give_up, self._press, self.recording),
        )
        self.pressed: list[str] = []
        self.sent: asyncio.Future[DigitsSent] = asyncio.get_running_loop().create_future()
        self.transfers: list[Destination] = []
        self.result: asyncio.Future[TransferResult] = asyncio.get_running_loop().create_future()

    async def _transfer(self, destination: Destination) -> TransferResult:
        self.transfers.append(destination)
        return await self.result

    async def _press(self, digits: str) -> DigitsSent:
        self.pressed.append(digits)
        return await self.sent

    def _give_up(self) -> bool:
        if not self.transfers or self.result.done():
            return False
        self.result.set_result(TransferResult("cancelled", 0, ""))
        return True

    @property
    def model(self) -> Any:
        return self.connector.opened[-1]

    def finished(
        self, response_id: str, *names: str, status: str = "completed", arguments: str = "{}"
    ) -> None:
        """Let a response end that called these tools."""
        for name in names:
            self.model.hear(
                "response.output_item.done",
                response_id=response_id,
                item={
                    "id": f"item_{response_id}_{name}",
                    "type": "function_call",
                    "name": name,
                    "call_id": f"call_{response_id}_{name}",
                    "arguments": arguments,
                    "status": "completed",
                },
            )
        self.model.hear("response.done", response={"id": response_id, "status": status})


@asynccontextmanager
async def scene(**changes: Any) -> AsyncIterator[Scene]:
    errors: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, errors.append)
        made = Scene(tasks, **changes)
        await made.conversation.connect()
        yield made
        tasks.close()
        await made.conversation.close()
    assert errors == []


async def test_the_model_pauses_and_resumes_the_recording() -> None:
    async with scene(recording_tools=("pause_recording", "resume_recording")) as s:
        session = s.model.last("session.update")["session"]
        names = [tool["name"] for tool in session["tools"]]
        assert names == ["hangup", "pause_recording", "resume_recording"]
        s.finished("r1", "pause_recording")
        assert s.recording.state == "paused"
        item = s.model.last("conversation.item.create")["item"]
        assert item["output"] == '{"recording":"paused"}'
        assert s.model.kinds[-1] == "response.create"
        s.finished("r2", "resume_recording")
        assert s.recording.state == "on"


async def test_an_agent_without_them_has_no_tools_for_the_recording() -> None:
    async with scene() as s:
        s.finished("r1", "pause_recording")
        assert s.recording.state == "on"


async def test_the_session_offers_the_agents_tools_and_hangup() -> None:
    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    async with scene(tools=ToolRegistry([look_up])) as s:
        session = s.model.last("session.update")["session"]
        assert [tool["name"] for tool in session["tools"]] == ["look_up", "hangup"]
    async with scene(can_hang_up=False) as s:
        assert not s.model.last("session.update")["session"].get("tools")


async def test_a_tool_named_hangup_of_the_agents_own_is_just_a_tool() -> None:
    ran: list[bool] = []

    async def hangup() -> None:
        """Do something else."""
        ran.append(True)

    async with scene(tools=ToolRegistry([hangup])) as s:
        s.finished("r1", "hangup")
        await eventually(lambda: ran)
        assert s.model.last("conversation.item.create")["item"]["output"] == "done"


async def test_the_caller_is_greeted_when_the_line_is_there() -> None:
    async with scene(greeting="Say hello.") as s:
        assert "response.create" not in s.model.kinds
        running = asyncio.ensure_future(s.conversation.run())
        await asyncio.sleep(0)
        assert s.model.last("response.create")["response"] == {"instructions": "Say hello."}
        running.cancel()


async def test_without_a_greeting_the_caller_speaks_first() -> None:
    async with scene() as s:
        running = asyncio.ensure_future(s.conversation.run())
        await asyncio.sleep(0)
        assert "response.create" not in s.model.kinds
        running.cancel()


async def test_a_tool_answers_the_model() -> None:
    async def who(context: ToolContext) -> str:
        """Tell who calls."""
        return context.caller

    async with scene(tools=ToolRegistry([who])) as s:
        s.finished("r1", "who")
        await eventually(lambda: "response.create" in s.model.kinds)
        assert s.model.last("conversation.item.create")["item"] == {
            "id": s.model.last("conversation.item.create")["item"]["id"],
            "type": "function_call_output",
            "call_id": "call_r1_who",
            "output": "+15550199",
        }


async def test_a_tool_that_ends_after_the_call_answers_nobody() -> None:
    never = tool_from_function(lambda: None, name="never")
    async with scene(tools=ToolRegistry([never])) as s:
        await s.conversation.close()
        call = ToolCallRequested("call_never", "never", "{}", "item_never", "r1")
        s.conversation.response_finished(ResponseFinished("r1", "completed", tool_calls=(call,)))
    assert "conversation.item.create" not in s.model.kinds


async def test_the_hangup_tool_ends_the_conversation() -> None:
    async with scene() as s:
        running = asyncio.ensure_future(s.conversation.run())
        s.conversation.bridge.spoken_response_id = "r1"
        s.finished("r1", "hangup")
        assert await running is cause.BOT_HUNG_UP


async def test_a_hangup_cut_off_by_the_caller_is_refused() -> None:
    for status, interrupted_id in (("cancelled", ""), ("completed", "r1")):
        async with scene() as s:
            running = asyncio.ensure_future(s.conversation.run())
            s.conversation.bridge.spoken_response_id = "r1"
            s.conversation.bridge.interrupted_response_id = interrupted_id
            s.finished("r1", "hangup", status=status)
            await asyncio.sleep(0)
            assert not running.done()
            assert "interrupted" in s.model.last("conversation.item.create")["item"]["output"]
            running.cancel()


async def test_a_silent_caller_is_asked_and_then_left() -> None:
    async with scene() as s:
        running = asyncio.ensure_future(s.conversation.run())
        s.conversation.caller_silent(False)
        assert s.model.last("response.create")["response"] == {"instructions": REPROMPT}
        s.conversation.caller_silent(True)
        s.conversation.caller_silent(True)
        assert await running is cause.SILENT_CALLER


async def test_what_happens_is_observed() -> None:
    async with scene() as s:
        s.conversation.transcript("user", "hello")
        s.conversation.interrupted("digit", 0.08)
        s.conversation.interrupted("digit", None)
        assert s.watcher.transcripts == [("user", "hello")]
        assert s.watcher.barge_ins == [("digit", 0.08)]


async def lose(s: Scene) -> None:
    """Lose the connection and wait for the next one."""
    s.model.on_closed(1006, "")
    await eventually(lambda: s.watcher.reconnects)


async def test_a_greeting_lost_before_it_was_heard_is_asked_for_again() -> None:
    async with scene(greeting="Say hello.") as s:
        running = asyncio.ensure_future(s.conversation.run())
        await asyncio.sleep(0)
        s.model.hear("response.created", response={"id": "r1"})
        await lose(s)
        assert s.model.last("response.create")["response"] == {"instructions": "Say hello."}
        running.cancel()


async def test_an_answer_lost_after_the_greeting_is_asked_for_without_it() -> None:
    async with scene(greeting="Say hello.") as s:
        s.conversation.bridge.speech.was_heard = True
        s.model.hear("response.created", response={"id": "r1"})
        await lose(s)
        assert "response" not in s.model.last("response.create")


async def test_nobody_waits_for_what_was_interrupted() -> None:
    async with scene() as s:
        s.model.hear("response.created", response={"id": "r1"})
        s.conversation.bridge.digit_received("1")
        await lose(s)
        assert "response.create" not in s.model.kinds


async def test_a_quiet_call_is_not_answered_after_a_reconnect() -> None:
    async with scene(greeting="Say hello.") as s:
        await lose(s)
        assert s.model.kinds == ["session.update"]
        assert s.conversation.link.stats.reconnects == 1


async def test_a_caller_who_spoke_meanwhile_is_answered_by_the_model_itself() -> None:
    async with scene() as s:
        s.model.hear("response.created", response={"id": "r1"})
        s.model.on_closed(1006, "")
        await asyncio.sleep(0)
        s.conversation.bridge._caller._held_voice.heard_ms = 500.0
        await eventually(lambda: s.watcher.reconnects)
        assert "response.create" not in s.model.kinds


async def test_a_model_lost_for_good_ends_the_conversation() -> None:
    async with scene(reconnect_attempts=0) as s:
        running = asyncio.ensure_future(s.conversation.run())
        s.model.on_closed(1006, "")
        assert await running is cause.MODEL_LOST


async def test_a_session_near_its_limit_waits_for_a_pause() -> None:
    async with scene() as s:
        s.model.hear("response.created", response={"id": "r1"})
        s.conversation.session_expiring(None)
        # The next session is opened at once, and waits.
        await eventually(lambda: len(s.connector.opened) == 2)
        assert not s.connector.opened[0].closed
        s.connector.opened[0].hear("response.done", response={"id": "r1", "status": "completed"})
        s.conversation.playout_drained()
        await eventually(lambda: s.watcher.reconnects)
        assert s.watcher.reconnects == ["rolled_over"]
        await eventually(lambda: s.connector.opened[0].closed)
        assert len(s.connector.opened) == 2


async def test_the_end_of_the_call_is_no_lost_answer() -> None:
    async with scene() as s:
        s.model.hear("response.created", response={"id": "r1"})
        await s.conversation.close()
    assert not s.conversation._owed._owed


async def test_hold_and_digits_reach_the_bridge() -> None:
    async with scene(keypad=KeypadConfig(inter_digit_ms=0)) as s:
        s.conversation.caller_held(True)
        s.conversation.digit_received("#")
        assert "pressed #" in str(s.model.last("conversation.item.create"))


def output_of(s: Scene, call_id: str) -> Any:
    (item,) = (
        message["item"]
        for message in s.model.sent
        if message["type"] == "conversation.item.create"
        and message["item"].get("call_id") == call_id
    )
    return json.loads(item["output"])


async def test_the_model_presses_keys_and_hears_when_they_are_sent() -> None:
    async with scene(can_send_digits=True) as s:
        session = s.model.last("session.update")["session"]
        assert [tool["name"] for tool in session["tools"]] == ["hangup", "send_digits"]
        s.finished("r1", "send_digits", arguments='{"digits": "1,2#"}')
        await eventually(lambda: s.pressed)
        assert s.pressed == ["1,2#"]
        assert "conversation.item.create" not in s.model.kinds
        s.sent.set_result(DigitsSent("1,2#", "rfc4733"))
        await eventually(lambda: "response.create" in s.model.kinds)
        assert output_of(s, "call_r1_send_digits") == {"sent": "1,2#"}


async def test_keys_that_there_are_not_are_the_models_mistake() -> None:
    async with scene(can_send_digits=True) as s:
        s.finished("r1", "send_digits", arguments='{"digits": "one"}')
        await eventually(lambda: "response.create" in s.model.kinds)
        assert s.pressed == []
        assert "no such keys" in output_of(s, "call_r1_send_digits")["error"]


async def test_keys_that_could_not_be_sent_are_an_error() -> None:
    async with scene(can_send_digits=True) as s:
        s.sent.set_exception(LocalProtocolError("the peer takes no telephone-events"))
        s.finished("r1", "send_digits", arguments='{"digits": "1"}')
        await eventually(lambda: "response.create" in s.model.kinds)
        error = {"error": "the peer takes no telephone-events"}
        assert output_of(s, "call_r1_send_digits") == error


async def test_a_tool_named_send_digits_of_the_agents_own_is_just_a_tool() -> None:
    async def send_digits(digits: str) -> str:
        """Do something else."""
        return f"own {digits}"

    async with scene(tools=ToolRegistry([send_digits]), can_send_digits=True) as s:
        s.finished("r1", "send_digits", arguments='{"digits": "1"}')
        await eventually(lambda: "response.create" in s.model.kinds)
        assert s.pressed == []
        assert s.model.last("conversation.item.create")["item"]["output"] == "own 1"


async def test_only_who_may_press_keys_can() -> None:
    async with scene() as s:
        s.finished("r1", "send_digits", arguments='{"digits": "1"}')
        await eventually(lambda: "response.create" in s.model.kinds)
        assert "there is no tool" in output_of(s, "call_r1_send_digits")["error"]


TRANSFERS = {
    "sales": Destination("+15550100", description="Orders."),
    "desk": Destination("sip:desk@pbx", "attended"),
}
TO_SALES = '{"destination": "sales"}'
TO_DESK = '{"destination": "desk"}'
TO_NOBODY = '{"destination": "cancel"}'


def outputs(s: Scene) -> list[str]:
    items = [m["item"] for m in s.model.sent if m["type"] == "conversation.item.create"]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


def notes(s: Scene) -> list[str]:
    items = [m["item"] for m in s.model.sent if m["type"] == "conversation.item.create"]
    return [item["content"][0]["text"] for item in items if item.get("role") == "system"]


async def test_the_model_chooses_from_names_and_never_dials() -> None:
    async with scene(transfers=TRANSFERS) as s:
        session = s.model.last("session.update")["session"]
        tool = next(tool for tool in session["tools"] if tool["name"] == "transfer")
        assert tool["parameters"]["properties"]["destination"]["enum"] == [
            "sales",
            "desk",
            "cancel",
        ]
        assert "sales: Orders.\ndesk" in str(
            tool["parameters"]["properties"]["destination"]
        ).replace("\\n", "\n")
        assert "5550100" not in str(session)


@pytest.mark.parametrize("arguments", ["{}", "", "[1]", '{"destination": "+15550100"}'])
async def test_a_destination_that_there_is_not(arguments: str) -> None:
    async with scene(transfers=TRANSFERS) as s:
        s.finished("r1", "transfer", arguments=arguments)
        assert "no such destination" in outputs(s)[0]
        assert s.transfers == []


async def test_a_transfer_that_fails_is_the_tools_output() -> None:
    async with scene(transfers=TRANSFERS) as s:
        s.conversation.bridge.spoken_response_id = "r1"
        s.finished("r1", "transfer", arguments=TO_SALES)
        await eventually(lambda: s.transfers)
        assert s.transfers == [TRANSFERS["sales"]]
        assert outputs(s) == []
        s.result.set_result(TransferResult("busy", 486, "Busy Here"))
        await eventually(lambda: outputs(s))
        assert "to sales failed: the line is busy" in outputs(s)[0]
        assert "response.create" in s.model.kinds


async def test_a_transfer_that_succeeds_leaves_the_model_alone() -> None:
    async with scene(transfers=TRANSFERS) as s:
        s.conversation.bridge.spoken_response_id = "r1"
        s.finished("r1", "transfer", arguments=TO_SALES)
        s.result.set_result(TransferResult("transferred", 200, "OK"))
        await eventually(lambda: s.transfers)
        await asyncio.sleep(0)
        assert outputs(s) == []
        assert "response.create" not in s.model.kinds


async def test_the_announcement_is_asked_for_and_the_failure_told_as_a_fact() -> None:
    async with scene(transfers=TRANSFERS) as s:
        s.finished("r1", "transfer", arguments=TO_SALES)
        assert "putting them through" in outputs(s)[0]
        assert s.transfers == []
        s.model.hear("response.created", response={"id": "r2"})
        s.finished("r2")
        await eventually(lambda: s.transfers)
        s.result.set_result(TransferResult("no_answer", 480, ""))
        await eventually(lambda: notes(s))
        assert "nobody answered" in notes(s)[0]
        assert len(outputs(s)) == 1


async def test_the_model_stays_with_a_caller_who_waits() -> None:
    async with scene(transfers=TRANSFERS) as s:
        s.conversation.bridge.spoken_response_id = "r1"
        s.finished("r1", "transfer", arguments=TO_DESK)
        await eventually(lambda: s.transfers)
        assert outputs(s) == [CALLING]
        assert "response.create" not in s.model.kinds
        s.model.hear("response.created", response={"id": "r2"})
        s.model.hear(
            "response.output_item.done",
            response_id="r2",
            item={
                "id": "item_again",
                "type": "function_call",
                "name": "transfer",
                "call_id": "call_again",
                "arguments": TO_SALES,
                "status": "completed",
            },
        )
        s.model.hear("response.done", response={"id": "r2", "status": "completed"})
        assert outputs(s) == [CALLING, UNDER_WAY]
        s.result.set_result(TransferResult("rejected", 603, "Decline"))
        await eventually(lambda: notes(s))
        assert "declined" in notes(s)[0]


async def test_the_model_gives_up_for_a_caller_who_waits_no_longer() -> None:
    async with scene(transfers=TRANSFERS) as s:
        s.finished("r0", "transfer", arguments=TO_NOBODY)
        assert outputs(s) == [NOT_CANCELLED]
        s.model.hear("response.created", response={"id": "r1"})
        s.conversation.bridge.spoken_response_id = "r1"
        s.finished("r1", "transfer", arguments=TO_DESK)
        await eventually(lambda: s.transfers)
        s.model.hear("response.created", response={"id": "r2"})
        s.finished("r2", "transfer", arguments=TO_NOBODY)
        assert outputs(s)[-1] == CANCELLED
        await asyncio.sleep(0)
        assert notes(s) == []
        # Another one may be tried at once.
        s.result = asyncio.get_running_loop().create_future()
        s.model.hear("response.created", response={"id": "r3"})
        s.conversation.bridge.spoken_response_id = "r3"
        s.finished("r3", "transfer", arguments=TO_DESK)
        await eventually(lambda: len(s.transfers) == 2)
        s.result.set_result(TransferResult("transferred", 200, "OK"))


async def test_an_interrupted_announcement_keeps_the_caller() -> None:
    async with scene(transfers=TRANSFERS) as s:
        s.conversation.bridge.spoken_response_id = "r1"
        s.conversation.bridge.interrupted_response_id = "r1"
        s.finished("r1", "transfer", arguments=TO_SALES)
        assert "interrupted" in outputs(s)[0]
        await asyncio.sleep(0)
        assert s.transfers == []


async def test_a_tool_named_transfer_of_the_agents_own_is_just_a_tool() -> None:
    async def transfer() -> str:
        """Transfer money."""
        return "paid"

    async with scene(tools=ToolRegistry([transfer]), transfers=TRANSFERS) as s:
        s.finished("r1", "transfer")
        await eventually(lambda: outputs(s) == ["paid"])


async def test_held_and_parked_are_one_absence() -> None:
    async with scene() as s:
        told: list[bool] = []
        s.conversation.bridge.caller_held = told.append  # type: ignore[method-assign]
        s.conversation.park(True)
        s.conversation.caller_held(True)
        s.conversation.park(False)
        s.conversation.caller_held(False)
        assert told == [True, False]


async def test_falling_silent_has_a_limit() -> None:
    async with scene() as s:
        await s.conversation.fall_silent(60.0)
        s.conversation.bridge.speech.talking = True
        await s.conversation.fall_silent(0.0)
        waiting = asyncio.ensure_future(s.conversation.fall_silent(60.0))
        await asyncio.sleep(0)
        assert not waiting.done()
        s.conversation.bridge.speech.talking = False
        s.conversation.playout_drained()
        await waiting


async def test_a_conversation_may_be_lost_before_it_begins() -> None:
    async with scene(reconnect_attempts=0) as s:
        s.model.on_closed(1006, "")
        assert await s.conversation.lost() is cause.MODEL_LOST


async def test_tools_know_of_a_new_caller() -> None:
    async def who(context: ToolContext) -> str:
        """Tell who calls."""
        return context.caller

    async with scene(tools=ToolRegistry([who])) as s:
        s.conversation.caller_changed("+15550177")
        s.finished("r1", "who")
        await eventually(lambda: outputs(s) == ["+15550177"])


def cancelling(done: list[str]) -> ToolRegistry:
    async def cancel(order: str) -> str:
        """Cancel an order."""
        done.append(order)
        return "cancelled"

    return ToolRegistry([replace(tool_from_function(cancel), approval="caller")])


def speak(s: Scene, response_id: str) -> None:
    """Let the bot say something."""
    s.model.hear("response.created", response={"id": response_id})
    ids = {"response_id": response_id, "item_id": f"i_{response_id}", "content_index": 0}
    audio = base64.b64encode(b"\x20" * 800).decode()
    s.model.hear("response.output_audio.delta", delta=audio, **ids)
    s.model.hear("response.done", response={"id": response_id, "status": "completed"})


def take_a_turn(s: Scene) -> None:
    """Let the caller say something."""
    s.model.hear("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    s.model.hear("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=500)


async def test_a_tool_that_needs_the_caller_runs_after_question_and_answer() -> None:
    done: list[str] = []
    async with scene(tools=cancelling(done)) as s:
        names = [tool["name"] for tool in s.model.last("session.update")["session"]["tools"]]
        assert names == ["cancel", "hangup", "confirm_action"]
        s.finished("r1", "cancel", arguments='{"order": "7"}')
        [asked] = outputs(s)
        yes = json.dumps({"token": json.loads(asked)["token"], "agreed": True})
        s.finished("r2", "confirm_action", arguments=yes)
        assert "not answered yet" in outputs(s)[-1]
        speak(s, "r3")
        s.finished("r4", "confirm_action", arguments=yes)
        assert "not answered yet" in outputs(s)[-1]
        assert done == []
        take_a_turn(s)
        s.finished("r5", "confirm_action", arguments=yes)
        await eventually(lambda: done)
        await eventually(lambda: outputs(s)[-1] == "cancelled")


async def test_a_provider_may_call_what_the_agents_file_allows() -> None:
    rules = ProviderApprovals((("crm", True), ("crm.delete", False)))
    async with scene(provider_approvals=rules) as s:
        for number, name in enumerate(("read", "delete")):
            s.conversation.approval_requested(ApprovalRequested(f"p{number}", "crm", name, "{}"))
        answers = [m["item"] for m in s.model.sent if m["type"] == "conversation.item.create"]
        assert [(a["type"], a["approval_request_id"], a["approve"]) for a in answers] == [
            ("mcp_approval_response", "p0", True),
            ("mcp_approval_response", "p1", False),
        ]
        assert "telephone" in answers[1]["reason"]


async def test_outputs_that_the_model_no_longer_wants_are_not_sent() -> None:
    release = asyncio.Event()

    async def slow() -> str:
        """Take long."""
        await release.wait()
        return "late"

    async with scene(tools=ToolRegistry([slow])) as s:
        s.finished("r1", "slow")
        await asyncio.sleep(0)
        s.conversation.tool_calls_cancelled(["call_r1_slow"])
        release.set()
        await asyncio.sleep(0.01)
        assert outputs(s) == []


async def test_instructions_and_greeting_are_those_of_the_call() -> None:
    async with scene(
        instructions="Serve {{caller}} of {{shop}}.",
        greeting="Greet {{called}}.",
        variables={"shop": "main"},
    ) as s:
        session = s.model.last("session.update")["session"]
        assert session["instructions"] == "Serve +15550199 of main."
        assert s.conversation.agent.greeting == "Greet +15550100."


async def test_a_broken_rule_cuts_the_bot_off_and_is_told_to_the_model() -> None:
    rule = Rule("refund", "output", (read_phrase("refund"),), message="No refunds.")
    async with scene(guardrails=Guardrails((rule,))) as s:
        s.model.hear("response.created", response={"id": "r1"})
        ids = {"response_id": "r1", "item_id": "a1", "content_index": 0}
        s.model.hear("response.output_audio_transcript.delta", delta="A refund for ", **ids)
        assert "response.cancel" in s.model.kinds
        told = s.model.last("conversation.item.create")["item"]
        assert told["role"] == "system"
        assert "No refunds." in told["content"][0]["text"]
        s.model.hear("response.done", response={"id": "r1", "status": "cancelled"})
        assert s.model.kinds[-1] == "response.create"


async def test_too_many_broken_rules_end_the_call_or_transfer_it() -> None:
    rule = Rule("refund", "input", (read_phrase("refund"),), remedy="hangup")
    async with scene(guardrails=Guardrails((rule,))) as s:
        running = asyncio.ensure_future(s.conversation.run())
        s.conversation.transcript("user", "a refund please", "u1")
        assert await running is cause.GUARDRAIL
    away = replace(rule, remedy="transfer", transfer_to="sales")
    sales = Destination("sip:sales@example.com")
    async with scene(guardrails=Guardrails((away,)), transfers={"sales": sales}) as s:
        running = asyncio.ensure_future(s.conversation.run())
        s.conversation.transcript("user", "a refund please", "u1")
        await eventually(lambda: s.transfers)
        s.result.set_result(TransferResult("busy", 486, ""))
        assert await running is cause.GUARDRAIL


async def test_an_agent_is_handed_over_to_in_another_language() -> None:
    languages = {"en": AgentLanguage(), "es": AgentLanguage((), "Habla {{language}}.")}
    bot = agent(instructions="Help.", languages=languages)
    async with scene(instructions="Help.", languages=languages, name="bot") as s:
        s.conversation._services.agents["bot"] = bot  # type: ignore[index]
        assert s.conversation.agent.language == "en"
        handing = asyncio.ensure_future(s.conversation.hand_off("bot", "fr"))
        assert not await handing
        assert await s.conversation.hand_off("bot", "es")
        assert s.conversation.agent.language == "es"
        session = s.model.last("session.update")["session"]
        assert session["instructions"] == "Help.\nHabla es."


async def test_tools_of_ours_run_away_no_more_than_others() -> None:
    limits = ToolLimits(max_repeats=2)
    async with scene(recording_tools=("pause_recording",), tool_limits=limits) as s:
        for number in range(3):
            s.finished(f"r{number}", "pause_recording")
        assert "too often in a row" in outputs(s)[-1]
        assert s.watcher.tool_limits == ["repeats"]
        assert s.model.last("response.create")["response"]["tool_choice"] == "none"
        running = asyncio.ensure_future(s.conversation.run())
        s.conversation.bridge.spoken_response_id = "r9"
        s.finished("r9", "hangup")
        assert await running is cause.BOT_HUNG_UP


async def test_a_goodbye_that_the_model_took_back_ends_nothing() -> None:
    async with scene() as s:
        running = asyncio.ensure_future(s.conversation.run())
        s.finished("r1", "hangup")
        assert s.conversation._tools.farewell.pending
        s.conversation.tool_calls_cancelled(["call_r1_hangup"])
        assert not s.conversation._tools.farewell.pending
        running.cancel()


async def test_a_failed_transfer_is_told_though_the_call_of_the_tool_wants_no_output() -> None:
    async with scene(transfers=TRANSFERS) as s:
        s.conversation.bridge.spoken_response_id = "r1"
        s.finished("r1", "transfer", arguments=TO_SALES)
        await eventually(lambda: s.transfers)
        # The session that there is now has never heard of the call.
        s.conversation.dialect.send_tool_output("call_r1_transfer", "gone", respond=False)
        s.result.set_result(TransferResult("busy", 486, "Busy Here"))
        await eventually(lambda: notes(s))
        assert "the line is busy" in notes(s)[0]


async def test_a_transfer_that_the_model_took_back_is_told_of_as_a_fact() -> None:
    async with scene(transfers=TRANSFERS) as s:
        s.conversation.bridge.spoken_response_id = "r1"
        s.finished("r1", "transfer", arguments=TO_SALES)
        await eventually(lambda: s.transfers)
        s.conversation.tool_calls_cancelled(["call_r1_transfer"])
        s.result.set_result(TransferResult("busy", 486, "Busy Here"))
        await eventually(lambda: notes(s))
        assert outputs(s) == []


async def test_a_caller_waits_though_the_tools_call_wants_no_output() -> None:
    async with scene(transfers=TRANSFERS) as s:
        s.conversation.bridge.spoken_response_id = "r1"
        s.finished("r1", "transfer", arguments=TO_DESK)
        s.conversation.dialect.send_tool_output("call_r1_transfer", "gone", respond=False)
        await eventually(lambda: s.transfers)
        s.result.set_result(TransferResult("transferred", 200, "OK"))
        assert notes(s) == [CALLING]


@pytest.mark.parametrize("tool", ["pause_recording", "send_digits", "transfer", "handoff"])
async def test_an_output_that_nobody_waits_for_ends_no_call(tool: str) -> None:
    fields = {"recording_tools": ("pause_recording",), "can_send_digits": True}
    handoffs = {"billing": Handoff("billing")}
    async with scene(transfers=TRANSFERS, handoffs=handoffs, **fields) as s:
        called = ToolCallRequested("call_unknown", tool, "{}", "item", "r1")
        finished = ResponseFinished("r1", "completed", tool_calls=(called,))
        s.conversation.response_finished(finished)
        await asyncio.sleep(0.01)
        assert outputs(s) == []


async def test_a_handoff_goes_on_though_its_call_wants_no_output() -> None:
    handoffs = {"billing": Handoff("billing-bot")}
    async with scene(handoffs=handoffs) as s:
        s.conversation._services.agents["billing-bot"] = agent(name="billing-bot")  # type: ignore[index]
        s.conversation.bridge.spoken_response_id = "r1"
        s.model.hear("response.created", response={"id": "r1"})
        called = ToolCallRequested("call_unknown", "handoff", '{"to": "billing"}', "item", "r1")
        s.conversation.response_finished(ResponseFinished("r1", "completed", tool_calls=(called,)))
        s.finished("r1")
        await eventually(lambda: s.conversation.agent.name == "billing-bot")


async def test_after_a_handoff_manners_and_limits_are_those_of_the_agent_in_charge() -> None:
    billing = agent(
        name="billing",
        filler="tone:busy",
        tool_limits=ToolLimits(max_repeats=1),
        recording_tools=("pause_recording",),
        keypad=KeypadConfig(terminator="*"),
    )
    async with scene(filler="tone:ringback") as s:
        conversation = s.conversation
        played: list[bytes] = []
        conversation.bridge.fill = played.append  # type: ignore[method-assign]
        conversation._services.agents["billing"] = billing  # type: ignore[index]
        assert await conversation.hand_off("billing")
        assert conversation.agents == ["bot", "billing"]
        # It is asked to speak; the connection is lost before it has.
        s.model.hear("response.created", response={"id": "r1"})
        s.watcher.reconnects.clear()
        await lose(s)
        busy = await PromptAudio().fetch("tone:busy", PCMU)
        assert played == [busy]
        for number in range(2):
            s.finished(f"t{number}", "pause_recording")
        assert "too often in a row" in outputs(s)[-1]
        for digit in "1#*":
            conversation.digit_received(digit)
        last = s.model.last("conversation.item.create")["item"]
        assert last["content"][0]["text"] == "The caller pressed 1#* on the keypad."


async def test_after_a_handoff_a_silent_caller_is_asked_when_the_agent_in_charge_says() -> None:
    billing = agent(name="billing", silence=SilencePolicy(reprompt_after_s=3.0))
    async with scene(silence=SilencePolicy(reprompt_after_s=30.0)) as s:
        s.conversation._services.agents["billing"] = billing  # type: ignore[index]
        assert await s.conversation.hand_off("billing")
        speak(s, "r1")
        line = Line20ms(s.conversation.bridge, s.clock)
        line.tick(times=10)
        s.clock.now += 3.0
        line.tick()
        assert s.model.last("response.create")["response"] == {"instructions": REPROMPT}


async def test_a_caller_whose_turn_ends_while_the_model_is_gone_hears_a_filler() -> None:
    async with scene(filler="tone:ringback") as s:
        line = Line20ms(s.conversation.bridge, s.clock)
        s.connector.gate = asyncio.Event()
        said = l16_to_pcmu(speech("caller_yes"))
        line.say(said[: len(said) // 2])
        s.model.on_closed(1006, "")
        await eventually(lambda: s.connector.tries == 2)
        line.say(said[len(said) // 2 :])
        assert set(line.spoken) == {None}
        line.tick(times=100)
        assert not set(line.spoken) <= {None}
        s.connector.gate.set()
        await eventually(lambda: s.watcher.reconnects)


async def test_a_caller_whose_turn_ends_before_a_model_that_is_there_hears_no_filler() -> None:
    async with scene(filler="tone:ringback") as s:
        line = Line20ms(s.conversation.bridge, s.clock)
        line.say(l16_to_pcmu(speech("caller_yes")))
        line.tick(times=100)
        assert set(line.spoken) == {None}


async def test_a_filler_that_cannot_be_read_is_no_reason_to_refuse_a_call(tmp_path: Path) -> None:
    async with scene(filler=str(tmp_path / "gone.wav")) as s:
        s.model.hear("response.created", response={"id": "r1"})
        await lose(s)
        assert s.conversation.bridge.speak(s.clock.now) is None


async def test_what_a_call_may_cost_is_for_the_agent_in_charge_to_say() -> None:
    async with scene(spend_limit_usd=5.0) as s:
        s.conversation._services.agents["billing"] = agent(name="billing", spend_limit_usd=0.5)  # type: ignore[index]
        assert s.conversation.spend.limit_usd == 5.0
        assert await s.conversation.hand_off("billing")
        assert s.conversation.spend.limit_usd == 0.5


async def test_what_the_first_agent_called_before_the_change_is_its_own_to_run() -> None:
    ran: list[str] = []

    async def look() -> str:
        """Look."""
        ran.append("look")
        return "seen"

    async with scene(tools=ToolRegistry([look])) as s:
        s.model.hear("response.created", response={"id": "r1"})
        item = {"id": "i1", "type": "function_call", "name": "look", "call_id": "c1"}
        item |= {"arguments": "{}", "status": "completed"}
        s.model.hear("response.output_item.done", response_id="r1", item=item)
        # No quiet moment came: the answer is in the midst.
        assert await s.conversation.link.prepare(agent(name="billing"))
        assert s.conversation.link.switch()
        assert s.conversation.agent.name == "billing"
        await eventually(lambda: ran)
        await eventually(lambda: outputs(s) == ["seen"])


async def test_what_the_session_that_is_left_has_used_is_paid_at_its_own_price() -> None:
    async with scene() as s:
        priced: list[str] = []
        report = s.conversation.usage_reported

        def usage_reported(usage: Usage, name: str) -> None:
            priced.append(s.conversation.link.source.base_url)
            report(usage, name)

        s.conversation.usage_reported = usage_reported  # type: ignore[method-assign]
        lost = s.conversation.dialect.connection_lost

        def connection_lost(now: float) -> None:
            lost(now)
            s.conversation.dialect._session.events.append(UsageReported(Usage(input_tokens=1)))  # type: ignore[attr-defined]

        s.conversation.dialect.connection_lost = connection_lost  # type: ignore[method-assign]
        before = s.conversation.link.source.base_url
        billing = agent(name="billing", base_url="http://other.test/v1")
        assert await s.conversation.link.prepare(billing)
        assert s.conversation.link.switch()
        assert priced == [before]


async def test_what_was_answered_in_the_moment_of_the_change_is_known_to_the_next_agent() -> None:
    async with scene(recording_tools=("pause_recording",)) as s:
        assert await s.conversation.link.prepare(agent(name="billing"))
        s.connector.opened[0].hear("response.created", response={"id": "r1"})
        item = {"id": "i1", "type": "function_call", "name": "pause_recording", "call_id": "c1"}
        item |= {"arguments": "{}", "status": "completed"}
        s.connector.opened[0].hear("response.output_item.done", response_id="r1", item=item)
        assert s.conversation.link.switch()
        assert s.recording.state == "paused"
        assert outputs(s) == ['{"recording":"paused"}']


async def test_an_entry_made_while_the_model_was_gone_is_answered() -> None:
    async with scene() as s:
        s.connector.gate = asyncio.Event()
        s.model.on_closed(1006, "")
        await eventually(lambda: s.connector.tries == 2)
        for digit in "12#":
            s.conversation.digit_received(digit)
        s.connector.gate.set()
        await eventually(lambda: s.watcher.reconnects)
        told = [m["item"] for m in s.model.sent if m["type"] == "conversation.item.create"]
        assert told[-1]["content"][0]["text"] == "The caller pressed 12# on the keypad."
        assert s.model.kinds.count("response.create") == 1


async def test_a_tool_that_ended_while_the_model_was_gone_is_spoken_about() -> None:
    release = asyncio.Event()

    async def slow() -> str:
        """Take long."""
        await release.wait()
        return "late"

    async with scene(tools=ToolRegistry([slow])) as s:
        s.model.hear("response.created", response={"id": "r1"})
        s.finished("r1", "slow")
        s.connector.gate = asyncio.Event()
        s.model.on_closed(1006, "")
        await eventually(lambda: s.connector.tries == 2)
        release.set()
        await asyncio.sleep(0.01)
        s.connector.gate.set()
        await eventually(lambda: s.watcher.reconnects)
        assert outputs(s) == ["late"]
        await eventually(lambda: "response.create" in s.model.kinds)


async def test_what_a_guardrail_corrects_while_the_model_is_gone_is_said_once() -> None:
    rule = Rule("refund", "input", (read_phrase("refund"),), message="No refunds.")
    async with scene(guardrails=Guardrails((rule,))) as s:
        s.connector.gate = asyncio.Event()
        s.model.on_closed(1006, "")
        await eventually(lambda: s.connector.tries == 2)
        s.conversation.transcript("user", "a refund please", "u1")
        s.connector.gate.set()
        await eventually(lambda: s.watcher.reconnects)
        assert s.model.kinds.count("response.create") == 1


async def test_a_caller_is_not_kept_from_a_transfer_by_a_rule_that_sends_them_away_too() -> None:
    rule = Rule("refund", "input", (read_phrase("refund"),), remedy="transfer", transfer_to="sales")
    async with scene(guardrails=Guardrails((rule,)), transfers=TRANSFERS) as s:
        running = asyncio.ensure_future(s.conversation.run())
        s.conversation.bridge.spoken_response_id = "r1"
        s.finished("r1", "transfer", arguments=TO_DESK)
        await eventually(lambda: s.transfers)
        s.conversation.transcript("user", "a refund please", "u1")
        await asyncio.sleep(0.01)
        assert not running.done()
        assert s.transfers == [TRANSFERS["desk"]]
        # Nothing comes of it: there is no way back to the model.
        s.result.set_result(TransferResult("busy", 486, ""))
        assert await running is cause.GUARDRAIL


async def test_a_caller_agrees_though_the_next_model_does_not_tell_of_turns() -> None:
    done: list[str] = []
    async with scene(tools=cancelling(done)) as s:
        # This one tells, and so our own detector counts for nothing.
        take_a_turn(s)
        s.finished("r1", "cancel", arguments='{"order": "7"}')
        yes = json.dumps({"token": json.loads(outputs(s)[0])["token"], "agreed": True})
        await lose(s)
        speak(s, "r2")
        s.conversation.caller_turn_ended(by_model=False)
        s.finished("r3", "confirm_action", arguments=yes)
        await eventually(lambda: done)


def fail(s: Scene, response_id: str) -> None:
    """Let a response begin and fail, while the session goes on."""
    s.model.hear("response.created", response={"id": response_id})
    error = {"type": "server_error", "code": "server_error", "message": "sorry"}
    details = {"type": "failed", "error": error}
    answer = {"id": response_id, "status": "failed", "status_details": details}
    s.model.hear("response.done", response=answer)


async def test_an_answer_that_failed_is_asked_for_once_more() -> None:
    async with scene(greeting="Say hello.") as s:
        fail(s, "r1")
        await eventually(lambda: "response.create" in s.model.kinds)
        assert s.model.last("response.create")["response"] == {"instructions": "Say hello."}
        fail(s, "r2")
        await asyncio.sleep(0.01)
        assert s.model.kinds.count("response.create") == 1
        # Another turn is another answer.
        speak(s, "r3")
        fail(s, "r4")
        await eventually(lambda: s.model.kinds.count("response.create") == 2)


async def test_an_answer_that_failed_with_its_session_is_asked_for_once_of_the_next() -> None:
    async with scene() as s:
        s.model.hear("response.created", response={"id": "r1"})
        await lose(s)
        await asyncio.sleep(0.01)
        assert len(s.connector.opened) == 2
        assert [c.kinds.count("response.create") for c in s.connector.opened] == [0, 1]


async def test_nobody_is_asked_again_for_an_answer_that_the_caller_cut_off() -> None:
    async with scene() as s:
        s.conversation.bridge.interrupted_response_id = "r1"
        fail(s, "r1")
        await asyncio.sleep(0.01)
        assert "response.create" not in s.model.kinds
