from __future__ import annotations

import sys
from pathlib import Path

import pytest

from telephony.net.http_tools import HttpTools
from telephony.net.mcp_server import McpServer
from tests.app.test_agent_conduct import _here, good, load, problems

__all__ = ["_here"]

ADD = "tests.support.guardrail_functions:remember"


def test_functions_with_and_without_wishes() -> None:
    agent = good(
        f"tools:\n  - hangup\n  - pause_recording\n"
        f"  - function: {{name: '{ADD}', timeout_s: 30, approval: caller, filler: One moment.}}\n"
        f"variables: {{name: }}\n"
    )
    [tool] = agent.tools
    assert (tool.name, tool.timeout_s, tool.approval) == ("remember", 30.0, "caller")
    assert tool.filler == "One moment."
    assert agent.can_hang_up
    assert agent.recording_tools == ("pause_recording",)
    [plain] = good(f"tools: ['{ADD}']\ntool_timeout_s: 4\n").tools
    assert (plain.timeout_s, plain.approval) == (4.0, "never")


def test_an_http_tool() -> None:
    agent = good(
        """\
variables: {shop: main}
tools:
  - http:
      name: order_status
      description: Tell where an order is.
      url: https://api.example.com/{{shop}}/orders/{{order}}
      headers: {Authorization: "Bearer ${CRM_TOKEN}", X-Caller: "{{caller}}"}
      parameters:
        type: object
        properties: {order: {type: string}, detail: {type: boolean}}
        required: [order]
      response: {pick: "$.status", max_bytes: 500}
      timeout_s: 3
      filler: Let me see.
"""
    )
    [tool] = agent.tools
    assert (tool.name, tool.timeout_s, tool.filler) == ("order_status", 3.0, "Let me see.")
    assert tool.parameters["required"] == ["order"]
    assert tool.is_async
    [source] = agent.tools.sources
    assert isinstance(source, HttpTools)
    assert "t0ken" not in repr(tool)


def test_mcp_servers() -> None:
    agent = good(
        f"""\
tools:
  - mcp:
      name: crm
      command: ["{sys.executable}", "-m", "crm"]
      env: {{API_TOKEN: "${{CRM_TOKEN}}"}}
      tools: {{read: , delete: {{approval: caller, timeout_s: 2}}}}
      approval: never
  - mcp: {{name: mail, url: "https://mail.example.com/mcp", tools: [send], timeout_s: 20}}
"""
    )
    crm, mail = agent.tools.sources
    assert isinstance(crm, McpServer)
    assert isinstance(mail, McpServer)
    assert crm.config.env == {"API_TOKEN": "t0ken"}
    assert crm.config.allowed == ("read", "delete")
    assert crm.config.tools["delete"].approval == "caller"
    assert (mail.config.url, mail.config.allowed, mail.config.timeout_s) == (
        "https://mail.example.com/mcp",
        ("send",),
        20.0,
    )
    assert "t0ken" not in repr(crm.config)


def test_a_secret_that_is_not_set_is_missing() -> None:
    loaded = load(
        "base_url: rehearsal\ntools:\n"
        "  - http: {name: a, url: 'https://a.example', headers: {X-Key: '${OTHER}'}}\n"
    )
    assert loaded.problems == ()
    [missing] = loaded.missing
    assert "OTHER is not set" in missing.message
    assert missing.line == 3


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("hangupp", "names no function"),
        ("{htp: {name: a}}", "this is no tool | did you mean http?"),
        ("{a: 1, b: 2}", "this is no tool | write package.module:function"),
        ("[hangup]", "this is no tool"),
        ("7", "this is no tool"),
        ("{function: {name: 'os:nothing'}}", "has no function 'nothing'"),
        ("{function: {name: x, aproval: caller}}", "did you mean approval?"),
        ("{function: {name: 'os:getcwd', approval: boss}}", "tools[0].function.approval"),
        ("{http: {name: a}}", "the key 'url' is missing"),
        ("{http: {name: a b, url: 'https://a.example'}}", "'a b' is no name for a tool"),
        ("{http: {name: a, url: 'ftp://a.example'}}", "no URL of a server"),
        ("{http: {name: a, url: 'https://{{x}}.example'}}", "no URL of a server"),
        ("{http: {name: a, url: 'https://u:p@a.example'}}", "must not hold a secret"),
        ("{http: {name: a, url: 'https://a.example/#x'}}", "fragment"),
        ("{http: {name: a, url: 'https://a.example:x/'}}", "no URL of a server"),
        ("{http: {name: a, url: 'http://a.example'}}", "read on the way | write https://"),
        ("{http: {name: a, url: 'https://10.0.0.1/'}}", "no public address | write allow_private"),
        ("{http: {name: a, url: 'https://a.example/{{x}}'}}", "there is no value 'x'"),
        (
            "{http: {name: a, url: 'https://a.example/{{x}}', "
            "parameters: {properties: {x: {type: string}}}}}",
            "the path needs x, which the model may leave out",
        ),
        (
            "{http: {name: a, url: 'https://a.example', "
            "parameters: {properties: {caller: {type: string}}}}}",
            "the call has a value 'caller' already",
        ),
        (
            "{http: {name: a, url: 'https://a.example', parameters: {type: strng}}}",
            "the parameters of a tool are an object",
        ),
        (
            "{http: {name: a, url: 'https://a.example', "
            "parameters: {properties: {x: {type: strng}}}}}",
            "this is no JSON Schema: properties.x.type",
        ),
        ("{http: {name: a, url: 'https://a.example', body: {a: b}}}", "GET has no body"),
        (
            "{http: {name: a, url: 'https://a.example', method: POST, body: {a: '{{b}}'}}}",
            "tools[0].http.body.a: there is no value 'b'",
        ),
        ("{http: {name: a, url: 'https://a.example', response: {pick: a.b}}}", "begins with $"),
        (
            "{http: {name: a, url: 'https://a.example', headers: {Authorization: Bearer x}}}",
            "a secret must not be written into a file",
        ),
        ("{mcp: {name: a}}", "either a program or a URL"),
        ("{mcp: {name: a, command: [sh], url: 'https://a.example'}}", "either a program or a URL"),
        ("{mcp: {name: a, command: [no-such-program]}}", "there is no program 'no-such-program'"),
        ("{mcp: {name: a, command: [sh], headers: {X-A: b}}}", "a program takes no headers"),
        ("{mcp: {name: a, url: 'http://a.example/mcp'}}", "read on the way"),
        ("{mcp: {name: a, url: 'https://u:p@a.example/mcp'}}", "must not hold a secret"),
        ("{mcp: {name: a, url: nowhere}}", "no URL of a server"),
        ("{mcp: {name: a, command: [sh], env: {TOKEN: abc}}}", "must not be written into a file"),
    ],
)
def test_mistakes(item: str, expected: str) -> None:
    [problem] = problems(f"tools:\n  - {item}\n")
    assert problem.startswith("bot.yaml:3:")
    assert expected in problem


def test_names_that_are_taken() -> None:
    http = "  - http: {name: remember, url: 'https://a.example'}\n"
    [problem] = problems(f"tools:\n  - {ADD}\n{http}")
    assert problem == "bot.yaml:4:18: tools[1].http.name: there are two tools named 'remember'"
    mcp = "  - mcp: {name: a, command: [sh]}\n"
    [problem] = problems(f"tools:\n{mcp}{mcp}")
    assert "two servers named 'a'" in problem
    confirm = "  - http: {name: confirm_action, url: 'https://a.example', approval: caller}\n"
    [problem] = problems(f"tools:\n{confirm}")
    assert "takes the place of our confirm_action" in problem


def test_without_the_package_there_are_no_mcp_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telephony.app.mcp_reader.importlib.util.find_spec", lambda name: None)
    [problem] = problems("tools:\n  - mcp: {name: a, command: [sh]}\n")
    assert "pip install 'telephony-voice-bot[mcp]'" in problem


def test_loopback_and_private_networks_may_be_meant(tmp_path: Path) -> None:
    good(
        "tools:\n"
        "  - http: {name: a, url: 'http://127.0.0.1:8080/'}\n"
        "  - http: {name: b, url: 'https://10.0.0.1/', allow_private: true}\n"
        "  - http: {name: c, url: 'http://a.example/', allow_http: true}\n"
        "  - mcp: {name: d, url: 'http://localhost:8000/mcp'}\n"
    )
