from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.app.settings import Settings
from telephony.app.worker_ports import worker_variables
from telephony.base.errors import ConfigError


def settings(**sections: object) -> Settings:
    return Settings.model_validate(sections)


def test_each_worker_has_ports_of_its_own() -> None:
    first, second = worker_variables(settings(sip={"tls_port": 5061}), 2)
    assert first["TELEPHONY_SIP_UDP_PORT"] == "5060"
    assert second == {
        "TELEPHONY_SIP_UDP_PORT": "5062",
        "TELEPHONY_SIP_TCP_PORT": "5062",
        "TELEPHONY_SIP_TLS_PORT": "5063",
        "TELEPHONY_HTTP_PORT": "8081",
        "TELEPHONY_MEDIA_PORT_MIN": "25000",
        "TELEPHONY_MEDIA_PORT_MAX": "29999",
    }


def test_ports_that_the_system_chooses_and_those_that_are_off_stay_so() -> None:
    wanted = settings(
        sip={"udp_port": 0, "tcp_port": None}, http={"port": None}, rehearsal={"port": 0}
    )
    for variables in worker_variables(wanted, 3):
        assert set(variables) == {"TELEPHONY_MEDIA_PORT_MIN", "TELEPHONY_MEDIA_PORT_MAX"}


def test_a_tls_port_in_the_way_makes_the_step_larger() -> None:
    wanted = settings(sip={"tcp_port": 5060, "tls_port": 5062})
    assert worker_variables(wanted, 2)[1]["TELEPHONY_SIP_TCP_PORT"] == "5064"


@pytest.mark.parametrize(
    ("sections", "count", "key"),
    [
        ({"sip": {"udp_port": 65530, "tcp_port": None}}, 9, "sip.udp_port"),
        ({"http": {"port": 65535}}, 2, "http.port"),
        ({"media": {"port_min": 20000, "port_max": 20003}}, 3, "media.port_max"),
    ],
)
def test_too_few_ports_are_a_mistake(sections: dict[str, object], count: int, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        worker_variables(settings(**sections), count)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert "use fewer" in str(problem)


@given(st.integers(1, 60000), st.integers(3, 4000), st.integers(1, 16))
def test_rtp_ports_are_shared_out_in_pairs(first: int, width: int, count: int) -> None:
    wanted = settings(media={"port_min": first, "port_max": first + width})
    try:
        shares = worker_variables(wanted, count)
    except ConfigError:
        return
    taken: set[int] = set()
    for variables in shares:
        start = int(variables["TELEPHONY_MEDIA_PORT_MIN"])
        end = int(variables["TELEPHONY_MEDIA_PORT_MAX"])
        assert start % 2 == 0
        assert (end - start) % 2 == 1
        assert first <= start < end <= first + width
        ports = set(range(start, end + 1))
        assert not taken & ports
        taken |= ports
