from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from telephony.app.settings import Settings
from telephony.app.trunks import LoadedTrunk, load_trunk, load_trunks
from telephony.audio import opus
from telephony.audio.processing import ProcessingConfig
from telephony.sip.credentials import Credentials
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.trunk import InboundPolicy, RegisterPolicy, Trunk

SHIPPED = Path(__file__).parents[2] / "config" / "trunks"

SIX_LINES = """\
servers: sip.carrier.example
username: "15550100"
password: ${CARRIER_PASSWORD}
register: true
numbers: {region: US}
caller_id: {number: "+1 (555) 010-0"}
"""


def load(folder: Path, text: str, settings: Settings | None = None, **environ: str) -> LoadedTrunk:
    file = folder / "carrier.yaml"
    file.write_text(text, encoding="utf-8")
    return load_trunk(file, settings or Settings(), {"CARRIER_PASSWORD": "secret", **environ})


def trunk(folder: Path, text: str, settings: Settings | None = None) -> Trunk:
    loaded = load(folder, text, settings)
    assert loaded.problems == ()
    assert loaded.trunk is not None
    return loaded.trunk


def problems(folder: Path, text: str, **environ: str) -> list[str]:
    loaded = load(folder, text, **environ)
    assert loaded.trunk is None
    return [
        str(problem).rpartition("carrier.yaml:")[2].replace("\n    fix: ", " | ")
        for problem in loaded.problems
    ]


def test_a_carrier_takes_six_lines(tmp_path: Path) -> None:
    found = trunk(tmp_path, SIX_LINES)
    assert found.name == "carrier"
    assert found.servers == found.next_hops == ("sip:sip.carrier.example",)
    assert found.credentials == Credentials("15550100", "secret")
    assert found.register == RegisterPolicy()
    assert found.inbound == InboundPolicy()
    assert found.outbound
    assert found.caller_id.number == "+15550100"
    assert "secret" not in repr(found)


def test_the_shipped_examples_are_off_and_without_mistakes(tmp_path: Path) -> None:
    settings = Settings.model_validate({"trunks": {"dir": str(SHIPPED)}})
    loaded, of_directory = load_trunks(settings, {})
    assert of_directory == []
    assert [(item.name, item.enabled, item.problems) for item in loaded] == [
        ("carrier", False, ()),
        ("pbx", False, ()),
    ]
    for path in SHIPPED.iterdir():
        on = re.sub("^enabled: false$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert load(tmp_path, on).problems == ()


def test_the_shipped_carrier_shows_every_key() -> None:
    text = (SHIPPED / "carrier.yaml").read_text(encoding="utf-8")
    from telephony.app.trunk_schema import TrunkFile

    for name, field in TrunkFile.model_fields.items():
        assert re.search(rf"^(# )?{field.alias or name}:", text, re.MULTILINE), name


@pytest.mark.parametrize(
    ("text", "hops"),
    [
        ("servers: 192.0.2.7", ("sip:192.0.2.7",)),
        ("servers: [a.example, 'b.example:5080']", ("sip:a.example", "sip:b.example:5080")),
        ("servers: 2001:db8::1", ("sip:[2001:db8::1]",)),
        ("servers: a.example\ntransport: tcp", ("sip:a.example;transport=tcp",)),
        (
            "servers: ['sip:a.example;transport=udp', 'sips:b.example']\ntransport: tls",
            ("sip:a.example;transport=udp", "sips:b.example"),
        ),
        ("servers: a.example\noutbound_proxy: edge.example", ("sip:edge.example",)),
    ],
)
def test_servers_are_written_as_people_do(tmp_path: Path, text: str, hops: tuple[str, ...]) -> None:
    assert trunk(tmp_path, text).next_hops == hops


@pytest.mark.parametrize(
    ("text", "inbound"),
    [
        ("servers: a.example", InboundPolicy()),
        ("servers: a.example\ninbound: false", InboundPolicy(from_servers=False)),
        (
            "inbound: {addresses: [192.0.2.7, 198.51.100.9/24, sbc.example, servers]}",
            InboundPolicy(
                networks=(ip_network("192.0.2.7"), ip_network("198.51.100.0/24")),
                hosts=("sbc.example",),
            ),
        ),
        (
            "inbound: {certificate_names: PBX.example}",
            InboundPolicy(from_servers=False, certificate_names=("pbx.example",)),
        ),
        (
            "inbound: {authenticate: {username: u, password: '${CARRIER_PASSWORD}'}}",
            InboundPolicy(from_servers=False, credentials=Credentials("u", "secret")),
        ),
    ],
)
def test_who_may_call(tmp_path: Path, text: str, inbound: InboundPolicy) -> None:
    assert trunk(tmp_path, text).inbound == inbound


def test_media_is_that_of_the_settings_unless_the_trunk_has_its_own(tmp_path: Path) -> None:
    settings = Settings.model_validate({"media": {"srtp": "optional"}})
    assert trunk(tmp_path, "servers: a", settings).media == MediaPolicy(srtp="optional")
    own = trunk(tmp_path, "servers: a\nsrtp: off\ncodecs: [pcma]", settings).media
    assert own == MediaPolicy(("pcma",), "off")
    assert trunk(tmp_path, "servers: a\ndtmf: info", settings).media.dtmf == "info"


def test_processing_is_that_of_the_settings_key_by_key(tmp_path: Path) -> None:
    processing = {"echo_cancellation": "on", "noise_suppression": "low"}
    settings = Settings.model_validate({"media": {"processing": processing}})
    whole = trunk(tmp_path, "servers: a", settings).media.processing
    assert whole == ProcessingConfig(echo_cancellation=True, noise_suppression="low")
    text = "servers: a\nprocessing: {echo_cancellation: off, gain_control: on}"
    own = trunk(tmp_path, text, settings).media.processing
    assert own == ProcessingConfig(noise_suppression="low", gain_control=True)


def test_a_trunk_without_a_server_takes_calls_only(tmp_path: Path) -> None:
    assert not trunk(tmp_path, "inbound: {addresses: 192.0.2.7}").outbound
    assert trunk(tmp_path, "servers: a\nkeepalive: false").keepalive is None


def test_a_trunk_that_is_off_needs_no_secret(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"enabled: false\n{SIX_LINES}", CARRIER_PASSWORD="")
    assert (loaded.trunk, loaded.enabled, loaded.problems) == (None, False, ())


def test_a_file_of_comments_is_a_trunk_that_is_off(tmp_path: Path) -> None:
    loaded = load(tmp_path, "# servers: a.example\n")
    assert (loaded.trunk, loaded.enabled, loaded.problems) == (None, False, ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SIX_LINES.replace("${CARRIER_PASSWORD}", "hunter2"), "3:11: password: a secret must not"),
        (
            "servers: a\nregster: true",
            "2:1: regster: unknown key 'regster' | did you mean register?",
        ),
        ("servers: 'sip:bob@a.example'", "1:10: servers: 'sip:bob@a.example' names a user"),
        ("servers: 192.0.2.300", "1:10: servers: '192.0.2.300' is no SIP server"),
        ("servers: 'a.example:99999'", "1:10: servers: 'a.example:99999' is no SIP server"),
        ("servers: a\nregister: true", "2:11: register: nobody is named to register"),
        ("register: true\nusername: u", "1:11: register: there is no server to register with"),
        ("servers: a\npassword: ${X}", "a password without a user | add username"),
        ("{}", "neither servers nor inbound peers are named | add servers"),
        ("servers: a\ncaller_id: {number: +1555}", "the + is lost | put it in quotes"),
        ("servers: a\nnumbers: {region: de}", "'de' is no region | did you mean DE?"),
        ("servers: a\nnumbers: {format: national}", "national numbers need a region"),
        ("servers: a\nrefer: {accept: true}", "without targets every REFER is declined"),
        ("servers: a\nrefer: {accept: true, targets: ['*1']}", "is no number and no beginning"),
        ("servers: a\ninbound: {challenge_always: true}", "there is no login to challenge for"),
        ("servers: a\ninbound: {addresses: '1.2.3.4.5'}", "'1.2.3.4.5' is no address"),
        ("servers: a\nkeepalive: {timeout_s: 60}", "timeout_s is longer than options_interval_s"),
        ("servers: a\nregister: {retry_max_s: 1}", "retry_max_s must not be below"),
        ("servers: a\ncodecs: [pcmu, pcmu]", "a codec is listed twice"),
        (
            "servers: a\ndtmf: tones",
            "2:7: dtmf: this should be 'auto', 'rfc4733', 'info' or 'inband'",
        ),
        ("servers: a\nlimits: {full_status: 500}", "486, 503, 600 or 603"),
        ("servers: a\ndomain: 'x y'", "'x y' is no domain"),
        ("servers: a\ncaller_id: {from_user: username}", "there is no username"),
        ("outbound_proxy: a", "the calls behind the proxy have no domain"),
        ("just text", "keys with values are expected here"),
    ],
)
def test_mistakes_have_their_place_and_a_remedy(tmp_path: Path, text: str, problem: str) -> None:
    assert any(problem in found for found in problems(tmp_path, text))


def test_events_must_be_negotiated_to_be_the_way_of_digits(tmp_path: Path) -> None:
    settings = Settings.model_validate({"media": {"telephone_event": False}})
    (tmp_path / "carrier.yaml").write_text("servers: a\ndtmf: rfc4733")
    (problem,) = load_trunk(tmp_path / "carrier.yaml", settings, {}).problems
    assert (problem.line, problem.key) == (2, "dtmf")
    assert "media.telephone_event is false" in problem.message
    assert problem.fix == "write auto, info or inband"


def test_a_missing_secret_names_its_variable(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, SIX_LINES, CARRIER_PASSWORD=" ")
    assert "the environment variable CARRIER_PASSWORD is not set" in problem


def test_a_secret_is_never_repeated(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, SIX_LINES.replace("${CARRIER_PASSWORD}", "hunter2"))
    assert "hunter2" not in problem


def test_everybody_as_a_peer_is_a_warning(tmp_path: Path) -> None:
    (warning,) = load(tmp_path, "inbound: {addresses: 0.0.0.0/0}").warnings
    assert "everybody on the internet" in warning.message


def test_a_codec_that_can_not_be_spoken_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trunk(tmp_path, "servers: a\ncodecs: [opus, g722]").media.codecs == ("opus", "g722")
    monkeypatch.setattr(opus, "is_available", lambda: False)
    (problem,) = problems(tmp_path, "servers: a\ncodecs: [g722, opus]")
    assert problem == (
        "2:9: codecs: the library of opus is not installed "
        "| pip install 'telephony-voice-bot[opus]'"
    )


def test_names_are_given_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("servers: a\nname: x\n")
    (tmp_path / "b.yaml").write_text("servers: b\nname: x\n")
    settings = Settings.model_validate({"trunks": {"dir": str(tmp_path)}})
    loaded, (problem,) = load_trunks(settings, {})
    assert [item.name for item in loaded] == ["x"]
    assert "trunk 'x' is defined already" in problem.message


def test_only_a_directory_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    settings = Settings.model_validate({"trunks": {"dir": str(tmp_path / "none")}})
    assert load_trunks(settings, {}, required=False) == ([], [])
    loaded, (problem,) = load_trunks(settings, {})
    assert loaded == []
    assert problem.key == "trunks.dir"
    assert load_trunk(tmp_path / "gone.yaml", settings, {}).problems


def test_mistakes_of_every_kind_are_found_in_one_go(tmp_path: Path) -> None:
    text = """\
servers: sip.carrier.example
register: true
password: secret
limits: {calls: many}
codecs: [pcmx]
"""
    found = problems(tmp_path, text)
    assert [problem.split(": ")[1] for problem in found] == [
        "register",
        "password",
        "password",
        "limits.calls",
        "codecs[0]",
    ]
