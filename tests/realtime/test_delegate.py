"""A delegation in Claude's hands: what it is asked, what it may do, what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.realtime.delegate import (
    MAX_LETTERS,
    MAX_LINES,
    Answer,
    DelegateAgent,
    DelegatedTask,
    ToolUse,
    answer_output,
    conversation_of,
    read_answer,
)
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.history import HistoryItem
from telephony.realtime.tools import encode_output

HOURS = FunctionTool(name="hours", description="Opening hours.")
HANGUP = FunctionTool(name="hangup")
SAID = [
    {"role": "user", "text": "When are you open?"},
    {"role": "assistant", "text": "Let me see."},
]


def task(**agent: Any) -> DelegatedTask:
    return DelegatedTask(DelegateAgent(**agent), [HOURS], [HANGUP], SAID, "Be kind.")


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def use(name: str, use_id: str = "toolu_1", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": use_id, "name": name, "input": given}


def reply(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content), "stop_reason": "end_turn"}


def test_the_request_has_the_call_so_far_and_nothing_the_api_refuses() -> None:
    body = task().request()
    assert body["model"] == "claude-haiku-5-5"
    assert body["thinking"] == {"type": "disabled"}
    assert not {"temperature", "top_p", "top_k"} & body.keys()
    [message] = body["messages"]
    assert "Caller: When are you open?\nAssistant: Let me see." in message["content"]
    assert body["system"].endswith("Be kind.")
    assert [tool["name"] for tool in body["tools"]] == ["hours", "hangup"]
    assert body["tools"][0]["input_schema"] == {"type": "object", "properties": {}}
    assert task(instructions="Be brief.").request()["system"].endswith("Be brief.")


def test_without_tools_none_are_named() -> None:
    alone = DelegatedTask(DelegateAgent(), [], [], [])
    assert "tools" not in alone.request()
    assert "nothing was said yet" in alone.request()["messages"][0]["content"]


def test_a_reply_in_words_is_the_answer() -> None:
    work = task()
    work.request()
    assert work.receive(reply(text("From nine"), text("to five."))) == []
    assert work.answer == Answer("From nine to five.")


def test_tools_run_and_their_results_go_back() -> None:
    work = task()
    work.request()
    content = [text("One moment."), use("hours", "toolu_1", day="monday"), use("hours", "toolu_2")]
    first, second = work.receive(reply(*content))
    assert (first.name, first.arguments, first.use_id) == ("hours", {"day": "monday"}, "toolu_1")
    work.take_results([(first, "nine to five", False), (second, "no such day", True)])
    messages = work.request()["messages"]
    assert messages[1] == {"role": "assistant", "content": content}
    assert messages[2] == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "nine to five"},
            {
                "type": "tool_result",
                "tool_use_id": "toolu_2",
                "content": "no such day",
                "is_error": True,
            },
        ],
    }
    assert work.answer is None


def test_an_action_ends_the_work() -> None:
    work = task()
    work.request()
    assert work.receive(reply(text("Goodbye!"), use("hangup", reason="done"))) == []
    assert work.answer == Answer("Goodbye!", (ToolUse("hangup", {"reason": "done"}, "toolu_1"),))


def test_an_action_waits_for_the_tools_of_the_same_reply() -> None:
    work = task()
    work.request()
    [wanted] = work.receive(reply(use("hours", "toolu_1"), use("hangup", "toolu_2")))
    work.take_results([(wanted, "nine to five", False)])
    results = work.request()["messages"][-1]["content"]
    assert [block["tool_use_id"] for block in results] == ["toolu_1", "toolu_2"]
    assert results[1]["is_error"]


def test_the_loop_has_an_end() -> None:
    work = task(max_steps=2)
    work.request()
    [wanted] = work.receive(reply(use("hours")))
    work.take_results([(wanted, "nine to five", False)])
    assert work.request()["tool_choice"] == {"type": "none"}
    assert work.receive(reply(use("hours"))) == []
    assert work.answer is not None
    assert work.answer.text


@pytest.mark.parametrize("message", [{}, {"content": None}, {"content": [3, {"type": "x"}]}])
def test_a_reply_that_says_nothing_is_an_answer_too(message: dict[str, Any]) -> None:
    work = task()
    work.request()
    assert work.receive(message) == []
    assert work.answer is not None
    assert "Ask the caller" in work.answer.text


@pytest.mark.parametrize(
    "answer", [Answer("It is noon."), Answer("Bye.", (ToolUse("hangup", {"reason": "done"}),))]
)
def test_answers_there_and_back(answer: Answer) -> None:
    assert read_answer(encode_output(answer_output(answer))) == answer


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("It is noon.", "It is noon."),
        ('{"temperature": 20}', '{"temperature": 20}'),
        ('{"say": "Hi."}', "Hi."),
        ('{"say": 5, "calls": "x"}', ""),
        ("{broken", "{broken"),
        ("[1]", "[1]"),
    ],
)
def test_outputs_of_all_kinds(output: str, text: str) -> None:
    assert read_answer(output) == Answer(text)


def test_an_error_is_put_into_words() -> None:
    assert read_answer('{"error": "no line"}').text.endswith("Reason: no line")


def item(role: Any, words: str) -> HistoryItem:
    return HistoryItem(f"i{words[:20]}", "message", role, words)


def test_the_conversation_is_what_was_heard_of_it() -> None:
    cut = item("assistant", "We are open from nine to five.")
    cut.heard_ms, cut.generated_ms = 500.0, 1000.0
    call = HistoryItem("c", "function_call", name="delegate", call_id="c")
    assert conversation_of([item("user", "Hello?"), call, cut, item("system", "  ")]) == [
        {"role": "user", "text": "Hello?"},
        {"role": "assistant", "text": "We are open"},
    ]


def test_the_newest_of_a_long_conversation_is_kept() -> None:
    many = conversation_of([item("user", f"{n}") for n in range(100)])
    assert len(many) == MAX_LINES
    assert many[-1]["text"] == "99"
    long = conversation_of([item("user", f"{n} " + "word " * 1000) for n in range(10)])
    assert sum(len(line["text"]) for line in long) <= MAX_LETTERS
    assert long[-1]["text"].startswith("9 ")
