"""When a REGISTER leaves, to which server, and what its answer makes of it."""

from __future__ import annotations

import pytest
import sipmessage

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sip.message import HeaderView
from telephony.sip.registration import (
    Registered,
    RegisterRequest,
    Registration,
    RegistrationConfig,
    RegistrationEvent,
    RegistrationFailed,
    Unregistered,
)

_CONTACT = "<sip:bot@192.0.2.10>"


class _Driver:
    """A registration and the shell of the test."""

    def __init__(self, servers: int = 1, **fields: object) -> None:
        config = RegistrationConfig(server_count=servers, **fields)  # type: ignore[arg-type]
        self.core = Registration(config, Ids.seeded(1))
        self.now = 100.0

    def start(self) -> RegisterRequest:
        self.core.start(self.now)
        return self.sent()

    def sent(self) -> RegisterRequest:
        (request,) = self.core.requests_to_send()
        return request

    def reply(self, status: int, *headers: tuple[str, str]) -> list[RegistrationEvent]:
        found = sipmessage.Headers()
        for name, value in headers:
            found.add(name, value)
        self.core.response_received(status, HeaderView(found), _CONTACT, self.now)
        return self.core.events_received()

    def accept(self, expires_s: int = 3600) -> list[RegistrationEvent]:
        return self.reply(200, ("Contact", f"{_CONTACT};expires={expires_s}"))

    def wait(self) -> float:
        """Let time pass to the next timer; return how long that was."""
        due = self.core.next_timer()
        assert due is not None
        waited_s, self.now = due - self.now, due
        self.core.handle_timer(self.now)
        return waited_s


def test_registering_and_refreshing() -> None:
    driver = _Driver()
    first = driver.start()
    assert (first.server, first.expires_s) == (0, 3600)
    assert driver.core.state == "registering"
    assert driver.accept() == [Registered(0, 3600)]
    assert driver.core.state == "registered"
    assert driver.core.registered_until == 3700.0
    assert 1800 <= driver.wait() <= 3240
    second = driver.sent()
    assert (second.call_id, second.cseq) == (first.call_id, first.cseq + 1)
    assert driver.accept() == [Registered(0, 3600)]


@pytest.mark.parametrize(
    ("granted_s", "earliest_s", "latest_s"),
    [(600, 300, 540), (60, 30, 30), (100, 50, 60), (12, 6, 6), (1, 5, 5)],
)
def test_the_time_granted_decides(granted_s: int, earliest_s: float, latest_s: float) -> None:
    driver = _Driver()
    driver.start()
    assert driver.accept(granted_s) == [Registered(0, granted_s)]
    assert earliest_s <= driver.wait() <= latest_s


def test_time_counts_from_the_request() -> None:
    driver = _Driver()
    driver.start()
    driver.now += 20
    driver.accept(600)
    assert driver.core.registered_until == 700.0


def test_a_registrar_that_answers_with_foreign_contacts() -> None:
    driver = _Driver()
    driver.start()
    assert driver.reply(200, ("Contact", "<sip:x@203.0.113.1>;expires=90")) == [Registered(0, 90)]
    assert driver.core.stats.contacts_missing == 1


def test_a_registrar_that_does_not_keep_our_contact() -> None:
    driver = _Driver()
    driver.start()
    (event,) = driver.accept(0)
    assert isinstance(event, RegistrationFailed)
    assert event.status == 200
    assert driver.core.state == "waiting"
    assert 2.5 <= driver.wait() <= 5


def test_an_interval_that_is_too_brief() -> None:
    driver = _Driver(expires_s=60)
    driver.start()
    assert driver.reply(423, ("Min-Expires", "1800")) == []
    assert driver.sent().expires_s == 1800
    driver.accept(1800)
    driver.wait()
    assert driver.sent().expires_s == 1800


@pytest.mark.parametrize("minimum", ["", "30", "60", "junk", "99999999"])
def test_a_423_that_makes_no_sense_is_a_failure(minimum: str) -> None:
    driver = _Driver(expires_s=60)
    driver.start()
    (event,) = driver.reply(423, ("Min-Expires", minimum))
    assert isinstance(event, RegistrationFailed)
    assert driver.core.requests_to_send() == []


def test_ever_larger_minimums_end() -> None:
    driver = _Driver(expires_s=60)
    driver.start()
    events = [driver.reply(423, ("Min-Expires", str(100 * n))) for n in range(1, 4)]
    assert [len(found) for found in events] == [0, 0, 1]


def test_waits_double_and_are_spread() -> None:
    driver = _Driver()
    driver.start()
    limits = [5.0 * 2**n for n in range(9)] + [1800.0] * 3
    for limit_s in limits:
        (event,) = driver.reply(408)
        assert isinstance(event, RegistrationFailed)
        assert event.reason == "Request Timeout"
        assert limit_s / 2 <= event.retry_in_s <= limit_s
        assert driver.wait() == pytest.approx(event.retry_in_s)
        driver.sent()
    driver.accept()
    driver.wait()
    driver.sent()
    driver.reply(408)
    assert driver.wait() <= 5


@pytest.mark.parametrize(
    ("status", "limit_s"), [(401, 60), (407, 60), (403, 300), (404, 300), (302, 300), (600, 300)]
)
def test_refusals_are_not_carried_to_other_servers(status: int, limit_s: float) -> None:
    driver = _Driver(2)
    driver.start()
    (event,) = driver.reply(status)
    assert isinstance(event, RegistrationFailed)
    assert limit_s / 2 <= event.retry_in_s <= limit_s
    driver.wait()
    assert driver.sent().server == 0


def test_failover_and_back() -> None:
    driver = _Driver(3)
    assert driver.start().server == 0
    assert driver.reply(503) == [RegistrationFailed(0, 503, "Service Unavailable", 0.0)]
    assert driver.sent().server == 1
    assert driver.accept() == [Registered(1, 3600)]
    driver.wait()
    # Who works is kept; when he fails, the first is asked first.
    assert driver.sent().server == 1
    driver.reply(408)
    assert driver.sent().server == 0
    driver.reply(500)
    assert driver.sent().server == 2
    (event,) = driver.reply(504)
    assert isinstance(event, RegistrationFailed)
    assert 2.5 <= event.retry_in_s <= 5
    driver.wait()
    assert driver.sent().server == 0


def test_retry_after_is_honoured_for_each_server() -> None:
    driver = _Driver(2)
    driver.start()
    driver.reply(503, ("Retry-After", "600"))
    assert driver.sent().server == 1
    driver.reply(503)
    assert driver.wait() <= 5
    assert driver.sent().server == 1
    driver.reply(503, ("Retry-After", "900"))
    assert driver.wait() == pytest.approx(600, abs=5)
    assert driver.sent().server == 0


def test_retry_after_of_the_only_server() -> None:
    driver = _Driver()
    driver.start()
    (event,) = driver.reply(403, ("Retry-After", "7200"))
    assert isinstance(event, RegistrationFailed)
    assert event.retry_in_s == 7200
    driver.wait()
    driver.sent()
    driver.reply(503, ("Retry-After", "99999999"))
    assert driver.wait() == 86_400


def test_a_refresh_that_fails_leaves_the_binding() -> None:
    driver = _Driver()
    driver.start()
    driver.accept()
    driver.wait()
    driver.sent()
    driver.reply(408)
    assert driver.core.state == "waiting"
    assert driver.core.registered_until == 3700.0


def test_an_answer_that_never_comes() -> None:
    driver = _Driver()
    driver.start()
    assert driver.wait() == 180.0
    (event,) = driver.core.events_received()
    assert isinstance(event, RegistrationFailed)
    assert event.status == 408
    assert driver.accept() == []
    assert driver.core.stats.responses_ignored == 1


def test_stopping_takes_the_contact_back() -> None:
    driver = _Driver()
    driver.start()
    driver.accept()
    driver.core.stop(driver.now)
    assert driver.sent().expires_s == 0
    assert driver.core.state == "unregistering"
    driver.core.stop(driver.now)
    assert driver.reply(200) == [Unregistered(0, 200)]
    assert driver.core.state == "stopped"
    assert driver.core.registered_until == 0.0
    assert driver.core.next_timer() is None
    driver.core.stop(driver.now)
    assert driver.core.events_received() == []


def test_stopping_does_not_wait_long() -> None:
    driver = _Driver()
    driver.start()
    driver.accept()
    driver.core.stop(driver.now)
    driver.sent()
    assert driver.wait() == 10.0
    assert driver.core.events_received() == [Unregistered(0, 408)]


def test_stopping_while_a_request_is_on_its_way() -> None:
    driver = _Driver()
    first = driver.start()
    driver.core.stop(driver.now)
    second = driver.sent()
    assert (second.expires_s, second.cseq) == (0, first.cseq + 1)


def test_stopping_before_the_first_request_left() -> None:
    driver = _Driver()
    driver.core.start(driver.now)
    driver.core.stop(driver.now)
    assert driver.sent().expires_s == 0


def test_stopping_when_there_is_nothing_to_take_back() -> None:
    driver = _Driver()
    driver.core.stop(driver.now)
    assert driver.core.state == "idle"
    driver.start()
    driver.reply(403)
    driver.core.stop(driver.now)
    assert driver.core.requests_to_send() == []
    assert driver.core.events_received() == [Unregistered(0, 0)]


def test_stopping_while_waiting_with_a_binding() -> None:
    driver = _Driver()
    driver.start()
    driver.accept()
    driver.wait()
    driver.sent()
    driver.reply(408)
    driver.core.stop(driver.now)
    assert driver.sent().expires_s == 0


def test_a_registration_can_be_started_again_but_not_twice() -> None:
    driver = _Driver()
    first = driver.start()
    with pytest.raises(LocalProtocolError):
        driver.core.start(driver.now)
    driver.core.stop(driver.now)
    driver.sent()
    driver.reply(200)
    again = driver.start()
    assert (again.call_id, again.cseq) == (first.call_id, first.cseq + 2)
    with pytest.raises(LocalProtocolError):
        Registration(RegistrationConfig(server_count=0), Ids.seeded(1))


def test_a_failed_flow_registers_again_at_once() -> None:
    driver = _Driver(2)
    driver.start()
    driver.reply(503)
    driver.sent()
    driver.accept()
    driver.core.transport_failed(driver.now + 1)
    assert driver.sent().server == 1
    driver.core.transport_failed(driver.now + 1)
    assert driver.core.requests_to_send() == []


def test_a_flow_that_keeps_failing_is_not_chased() -> None:
    driver = _Driver()
    driver.start()
    waits = []
    for _ in range(6):
        driver.accept()
        before = driver.now
        driver.core.transport_failed(driver.now)
        if driver.core.state == "waiting":
            driver.wait()
        waits.append(driver.now - before)
        driver.sent()
    assert waits[0] == 0
    limits = (5, 10, 20, 40, 80)
    assert all(limit / 2 <= wait <= limit for wait, limit in zip(waits[1:], limits, strict=True))
    driver.accept()
    driver.now += 121
    driver.core.transport_failed(driver.now)
    assert driver.core.state == "registering"
