from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import NoReturn

import pytest

from telephony.app import cli
from telephony.app.commands import call
from telephony.base.interfaces import MediaStats
from telephony.rehearsal.caller import CallFailed, CallRecord, SipCaller
from telephony.rehearsal.network import Network, shipped_profile, shipped_profiles


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("bob", "'bob' is no SIP address; write sip:user@192.0.2.7:5060"),
        ("tel:+15550100", "'tel:+15550100' is no SIP address; write sip:user@192.0.2.7:5060"),
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
        ("--network=mobile_bad", "no network 'mobile_bad'; did you mean mobile-bad?"),
        ("--network-seed=x", "invalid int value: 'x'"),
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


def test_the_help_lists_the_networks(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["call", "--help"])
    out = capsys.readouterr().out
    for name, profile in shipped_profiles().items():
        assert f"{name} " in out
        assert f"  {profile.about}\n" in out


def test_a_network_tells_what_it_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def no_call(args: Namespace, network: Network) -> tuple[CallRecord, MediaStats]:
        for number in range(500):
            network.outbound.admit(172, number * 0.02)
            network.inbound.admit(172, number * 0.02)
        record = CallRecord(dialled_at=1.0, answered_at=1.01, ended_at=11.0, ended_by="local")
        return record, MediaStats(concealed_ms=120, packets_late=3, jitter_buffer_delay_ms=61.7)

    monkeypatch.setattr(call, "_call", no_call)
    arguments = ["call", "sip:bob@127.0.0.1", "--network", "bursty-loss", "--network-seed", "7"]
    assert cli.main(arguments) == 0
    network = Network(shipped_profile("bursty-loss"), 7)
    lost = [
        sum(not path.admit(172, number * 0.02) for number in range(500))
        for path in (network.outbound, network.inbound)
    ]
    out = capsys.readouterr().out
    assert "network bursty-loss, seed 7" in out
    assert f"to the callee    500 packets, {lost[0]} lost ({lost[0]} in bursts, 0 in" in out
    assert f"from the callee  500 packets, {lost[1]} lost" in out
    assert "delayed by 25 ms (at most 25)" in out
    assert "120 ms concealed, 0 ms of gaps, 0 packets lost, 3 late" in out
    assert "jitter buffer 62 ms" in out


@pytest.mark.parametrize("name", [None, "clean"])
def test_the_call_takes_the_network(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Network | None] = []

    def telephone(
        host: str, *, network: Network | None, dtmf: str, codecs: tuple[str, ...]
    ) -> NoReturn:
        taken.append(network)
        raise CallFailed(503, "enough seen")

    monkeypatch.setattr(call, "telephone", telephone)
    arguments = [] if name is None else ["--network", name]
    assert cli.main(["call", "sip:bob@127.0.0.1", *arguments]) == 1
    assert (taken[0] is None) == (name is None)


@pytest.mark.parametrize(
    ("arguments", "offered"), [([], ("pcmu", "pcma")), (["--codec", "g722"], ("g722",))]
)
def test_the_call_offers_the_codec(
    arguments: list[str], offered: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, ...]] = []

    def telephone(
        host: str, *, network: Network | None, dtmf: str, codecs: tuple[str, ...]
    ) -> NoReturn:
        seen.append(codecs)
        raise CallFailed(503, "enough seen")

    monkeypatch.setattr(call, "telephone", telephone)
    assert cli.main(["call", "sip:bob@127.0.0.1", *arguments]) == 1
    assert seen == [offered]


def test_a_codec_without_its_library(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("telephony.app.codec_checks.is_available", lambda codec: codec != "opus")
    assert cli.main(["call", "sip:bob@127.0.0.1", "--codec", "opus"]) == 2
    said = capsys.readouterr().err
    assert "the library of opus is not installed: pip install" in said
