from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from telephony.app.settings import PATH_KEYS, Settings
from telephony.app.settings_sources import setting_fields

SHIPPED = Path(__file__).parents[2] / "config" / "telephony.yaml"


def value_at(data: Any, key: tuple[str, ...]) -> Any:
    for step in key:
        data = data[step] if isinstance(data, dict) else getattr(data, step)
    return data


def leaves(data: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    out: list[tuple[str, ...]] = []
    for name, value in data.items():
        out += leaves(value, (*above, name)) if isinstance(value, dict) else [(*above, name)]
    return out


def test_the_shipped_file_shows_every_key_with_its_default_and_a_comment() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    keys = [key for key, _ in setting_fields()]
    assert leaves(data) == keys
    defaults = Settings()
    differing = [key for key in keys if value_at(data, key) != value_at(defaults, key)]
    assert differing == [("dialplan", "dir")]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sip": {"udp_port": 65536}}, "less than or equal to 65535"),
        ({"sip": {"udp_port": True}}, "valid integer"),
        ({"sip": {"udp_port": None, "tcp_port": None}}, "no call could come in"),
        ({"sip": {"host": "localhost"}}, "is no IP address"),
        ({"sip": {"advertised_host": "0.0.0.0"}}, "nobody can send to 0.0.0.0"),
        ({"sip": {"t1_ms": 500, "t2_ms": 100}}, "t2_ms must not be below t1_ms, which is 500"),
        ({"sip": {"t1_ms": 9000}}, "t2_ms must not be below t1_ms, which is 9000"),
        ({"sip": {"user_agent": "a\r\nVia: x"}}, "pattern"),
        ({"sip": {"stack": "sofia"}}, "native"),
        ({"media": {"port_min": 29998, "port_max": 29998}}, "holds no pair of ports"),
        ({"media": {"port_min": 29999, "port_max": 30000}}, "holds no pair of ports"),
        ({"media": {"codecs": []}}, "at least 1 item"),
        ({"media": {"codecs": ["pcmu", "pcmu"]}}, "listed twice"),
        ({"media": {"ptime_ms": 25}}, "10, 20 or 30"),
        ({"media": {"ptime_ms": 20, "append_ms": 50}}, "multiple of ptime_ms"),
        ({"media": {"jitter": {"min_ms": 100}}}, "start_ms must not be below min_ms"),
        ({"media": {"jitter": {"start_ms": 300}}}, "max_ms must not be below start_ms"),
        ({"media": {"jitter": {"drop_over_ms": 100}}}, "drop_over_ms must not be below max_ms"),
        ({"media": {"rtcp": {"interval_s": 0.5}}}, "greater than or equal to 1"),
        ({"media": {"rtcp": {"mux": "always"}}}, "'off', 'accept' or 'offer'"),
        ({"media": {"dtmf": "tones"}}, "'auto', 'rfc4733', 'info' or 'inband'"),
        ({"media": {"telephone_event": False, "dtmf": "rfc4733"}}, "rfc4733 is not negotiated"),
        ({"media": {"dtmf_tone_ms": 30}}, "greater than or equal to 40"),
        ({"media": {"dtmf_gap_ms": 6000}}, "less than or equal to 5000"),
        ({"digits": {"max_length": 0}}, "greater than or equal to 1"),
        ({"digits": {"terminator": "x"}}, "'x' are no keys of a telephone"),
        ({"digits": {"terminator": None}}, 'write "#" in quotes'),
        ({"digits": {"inter_digit_ms": -1}}, "greater than or equal to 0"),
        ({"media": {"processing": {"noise_suppression": "much"}}}, "'moderate'"),
        ({"media": {"processing": {"echo_cancellation": "yes"}}}, "'off' or 'on'"),
        ({"vad": {"start_ms": 200}}, "start_window_ms must not be below start_ms"),
        ({"limits": {"max_call_s": float("inf")}}, "finite number"),
        ({"limits": {"max_calls": 0}}, "greater than or equal to 1"),
        ({"barge_in": {"mode": "on"}}, "'both'"),
        ({"rehearsal": {"port": -1}}, "greater than or equal to 0"),
        ({"nonsense": {}}, "Extra inputs"),
    ],
)
def test_values_that_make_no_sense_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings.model_validate(values)


def test_off_may_be_written_without_quotes() -> None:
    settings = Settings.model_validate({"media": {"rtcp": {"mux": False}, "srtp": False}})
    assert (settings.media.rtcp.mux, settings.media.srtp) == ("off", "off")
    values = {"echo_cancellation": True, "noise_suppression": False, "gain_control": False}
    processing = Settings.model_validate({"media": {"processing": values}}).media.processing
    assert (processing.echo_cancellation, processing.noise_suppression) == ("on", "off")
    assert processing.gain_control == "off"


def test_addresses_come_out_in_their_plain_form() -> None:
    settings = Settings.model_validate({"sip": {"host": "::", "advertised_host": "2001:DB8::1"}})
    assert (settings.sip.host, settings.sip.advertised_host) == (["::"], "2001:db8::1")


def test_transports_may_be_off_or_on_any_free_port() -> None:
    settings = Settings.model_validate({"sip": {"udp_port": 0, "tcp_port": None}})
    assert (settings.sip.udp_port, settings.sip.tcp_port) == (0, None)


def test_path_keys_exist() -> None:
    keys = {key for key, _ in setting_fields()}
    assert keys.issuperset(PATH_KEYS)
