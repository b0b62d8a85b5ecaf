from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app import cli
from telephony.app.commands import call
from telephony.rehearsal.caller import CallFailed, SipCaller


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("bob", "'bob' is no SIP address; write sip:user@192.0.2.7:5060"),
        ("sip:bob@example.com", "names such as 'example.com' are not looked up; write sip:"),
        ("sip:1@127.0.0.1:99999", "'sip:1@127.0.0.1:99999' has a wrong port; ports are 1 to"),
        ("sip:1@127.0.0.1:0", "'sip:1@127.0.0.1:0' has a wrong port; ports are 1 to"),
        ("sip:1@127.0.0.1;transport=tls", "telephony call speaks UDP and TCP; write sip: with"),
        ("sips:1@127.0.0.1", "telephony call speaks UDP and TCP; write sip: with ;transport=tcp"),
        ("sip:1@127.0.0.1;transport=ws", "telephony call speaks UDP and TCP; write sip: with"),
    ],
)
def test_an_address_that_leads_nowhere(
    uri: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["call", uri]) == 2
    assert capsys.readouterr().err.startswith(f"telephony call: {said}")


def test_a_file_that_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["call", "sip:bob@127.0.0.1", "--play", "none.wav"]) == 2
    assert "none.wav" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--digits=12x", "no such keys: 'x'; there are 0-9 * # A-D, and , for a pause"),
        ("--dtmf=tones", "invalid choice: 'tones'"),
        ("--from=nobody", "'nobody' is no caller; write +15550199 or sip:"),
        ("--from=http://x", "'http://x' is no caller"),
        ("--timeout=nan", "'nan' is no time in seconds"),
        ("--hangup-after=-1", "'-1' is no time in seconds"),
        ("--interrupt-at=soon", "'soon' is no time in seconds"),
    ],
)
def test_a_wrong_option(argument: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["call", "sip:bob@127.0.0.1", argument])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_recording_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["call", "sip:bob@127.0.0.1", "--record"]
    assert cli.main([*arguments, str(tmp_path / "none" / "a.wav")]) == 2
    assert f"there is no directory {tmp_path / 'none'}" in capsys.readouterr().err
    assert cli.main([*arguments, str(tmp_path)]) == 2
    assert "it is a directory" in capsys.readouterr().err
    monkeypatch.setattr(call.os, "access", lambda path, mode: path != tmp_path)
    assert cli.main([*arguments, str(tmp_path / "a.wav")]) == 2
    assert "it is not writable" in capsys.readouterr().err


@pytest.mark.parametrize(("timeout", "ringing_s"), [("120", 30.0), ("2.5", 2.5)])
def test_a_number_calls_and_waits_no_longer_than_the_call_may_last(
    timeout: str,
    ringing_s: float,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dialled: list[tuple[str, str, float]] = []

    async def dial(self: SipCaller, uri: str, from_uri: str, *, timeout_s: float) -> None:
        dialled.append((uri, from_uri, timeout_s))
        raise CallFailed(486, "Busy Here")

    monkeypatch.setattr(SipCaller, "dial", dial)
    arguments = ["call", "sip:bob@127.0.0.1", "--from", "+15550123", "--timeout", timeout]
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err == "not answered: 486 Busy Here\n"
    assert dialled == [("sip:bob@127.0.0.1", "sip:+15550123@localhost", ringing_s)]


def test_the_help_tells_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["call", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "silence before we hang up (5.0)" in out
    assert "if below 30 (120.0)" in out
