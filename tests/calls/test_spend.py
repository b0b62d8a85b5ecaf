from __future__ import annotations

from datetime import date

import pytest

from telephony.calls.spend import CallSpend, SpendLedger, SpendLimits
from telephony.realtime.events import Usage
from telephony.realtime.prices import Price

MINUTE = Usage(billed_s=60.0)
PRICE = Price(minute=0.05)


class Calendar:
    def __init__(self) -> None:
        self.day = date(2026, 11, 28)

    def __call__(self) -> date:
        return self.day


def test_a_call_is_told_once_that_its_money_is_spent() -> None:
    spend = CallSpend(SpendLedger(SpendLimits(call_usd=0.10), Calendar()))
    assert [spend.add(MINUTE, PRICE) for _ in range(3)] == [False, True, False]
    assert spend.usd == pytest.approx(0.15)


def test_an_agent_may_have_a_limit_of_its_own() -> None:
    spend = CallSpend(SpendLedger(SpendLimits(call_usd=9.0), Calendar()), limit_usd=0.05)
    assert spend.add(MINUTE, PRICE)


def test_all_calls_of_a_day_count_and_the_next_day_begins_anew() -> None:
    calendar = Calendar()
    ledger = SpendLedger(SpendLimits(day_usd=0.10), calendar)
    for _ in range(2):
        assert not ledger.exhausted
        CallSpend(ledger).add(MINUTE, PRICE)
    assert ledger.exhausted
    assert ledger.spent_usd == pytest.approx(0.10)
    calendar.day = date(2026, 11, 29)
    assert not ledger.exhausted
    assert ledger.spent_usd == 0.0


def test_without_limits_nothing_ends() -> None:
    ledger = SpendLedger(SpendLimits(), Calendar())
    spend = CallSpend(ledger)
    assert not any(spend.add(MINUTE, PRICE) for _ in range(100))
    assert not ledger.exhausted


def test_what_has_no_price_is_counted_and_costs_nothing() -> None:
    spend = CallSpend(SpendLedger(SpendLimits(call_usd=0.01), Calendar()))
    assert not spend.add(MINUTE, None)
    assert (spend.usd, spend.unpriced) == (0.0, 1)
