"""Numbers of trunks, read and written."""

from __future__ import annotations

import pytest

from telephony.stacks.numbers import NumberFormat, NumberPlan

US = NumberPlan("US")
DE = NumberPlan("DE")
ANYWHERE = NumberPlan()


@pytest.mark.parametrize(
    ("plan", "text", "number"),
    [
        (US, "2125550100", "+12125550100"),
        (US, "12125550100", "+12125550100"),
        (US, "(212) 555-0100", "+12125550100"),
        (US, "011493012345678", "+493012345678"),
        (US, "+1 212 555 0100", "+12125550100"),
        (DE, "030 12345678", "+493012345678"),
        (DE, "004312345678", "+4312345678"),
        (DE, "4930123456789", "+4930123456789"),
        (DE, "+49 (0)30 12345678", "+493012345678"),
        (DE, "01701234567", "+491701234567"),
        (NumberPlan("IT"), "06 6982", "06 6982"),
        (NumberPlan("IT"), "0669821234", "+390669821234"),
        (NumberPlan("DK"), "32 12 34 56", "+4532123456"),
        (ANYWHERE, "+44 20 7946 0958", "+442079460958"),
        (ANYWHERE, "+15550100", "+15550100"),
        (NumberPlan(plain=True), "442079460958", "+442079460958"),
        (NumberPlan("US", plain=True), "493012345678", "+493012345678"),
        (NumberPlan(international_prefix="00"), "00442079460958", "+442079460958"),
        (NumberPlan("DE", national_prefix="90"), "903012345678", "+493012345678"),
    ],
)
def test_to_e164(plan: NumberPlan, text: str, number: str) -> None:
    assert plan.to_e164(text) == number


@pytest.mark.parametrize("plan", [US, DE, ANYWHERE, NumberPlan(plain=True)])
@pytest.mark.parametrize(
    "text",
    [
        "100",
        "2001",
        "112",
        "911",
        "116117",
        "*55#",
        "#31#2125550100",
        "alice",
        "1-800-FLOWERS",
        "",
        "+",
        "+12",
        "++1",
        "192.0.2.1",
        "9" * 30,
        "9" * 5_000,
        "٣٤٥٦٧٨٩٠١٢",
        "sip:100@h",
        "2125550100;ext=5",
        "\0",
        "\udcff",
        "+" + "1" * 16,
        "00",
        "0" * 7,
    ],
)
def test_what_is_no_public_number_stays(plan: NumberPlan, text: str) -> None:
    assert plan.to_e164(text) == text


@pytest.mark.parametrize("text", ["5550100", "0212555010", "99999999"])
def test_no_number_of_the_region_stays(text: str) -> None:
    assert US.to_e164(text) == text
    assert ANYWHERE.to_e164("2125550100") == "2125550100"


def test_emergency_numbers_of_any_length_stay() -> None:
    plan = NumberPlan("US", plain=True, max_short_digits=2)
    assert plan.to_e164("911") == "911"
    assert plan.to_e164("112") == "112"


@pytest.mark.parametrize(
    ("plan", "number", "number_format", "dialled"),
    [
        (US, "+12125550100", "e164", "+12125550100"),
        (US, "+12125550100", "plain", "12125550100"),
        (US, "+12125550100", "national", "2125550100"),
        (US, "+12125550100", "international", "01112125550100"),
        (US, "+493012345678", "national", "011493012345678"),
        (NumberPlan("US", national_prefix="1"), "+12125550100", "national", "12125550100"),
        (DE, "+493012345678", "national", "03012345678"),
        (DE, "+493012345678", "international", "00493012345678"),
        (DE, "+4312345678", "national", "004312345678"),
        (NumberPlan("IT"), "+390669821234", "national", "0669821234"),
        (NumberPlan("BR"), "+493012345678", "international", "00493012345678"),
        (NumberPlan("DE", international_prefix="000"), "+4312", "international", "+4312"),
        (NumberPlan("DE", international_prefix="000"), "+431234", "international", "000431234"),
        (ANYWHERE, "+12125550100", "national", "0012125550100"),
        (DE, "+999123456", "national", "00999123456"),
    ],
)
def test_for_trunk(
    plan: NumberPlan, number: str, number_format: NumberFormat, dialled: str
) -> None:
    assert plan.for_trunk(number, number_format) == dialled


@pytest.mark.parametrize("number_format", ["e164", "plain", "national", "international"])
@pytest.mark.parametrize("text", ["100", "112", "*55#", "alice", "", "2125550100", "+12", "+x"])
def test_nothing_else_is_rewritten(text: str, number_format: NumberFormat) -> None:
    assert US.for_trunk(text, number_format) == text


@pytest.mark.parametrize("plan", [US, DE, NumberPlan("GB"), NumberPlan("FR"), NumberPlan("IT")])
@pytest.mark.parametrize("number_format", ["e164", "national", "international"])
@pytest.mark.parametrize("number", ["+12125550100", "+493012345678", "+442079460958"])
def test_what_is_written_reads_back(
    plan: NumberPlan, number_format: NumberFormat, number: str
) -> None:
    assert plan.to_e164(plan.for_trunk(number, number_format)) == number


@pytest.mark.parametrize("settings", [{"region": "XX"}, {"region": "us"}, {"national_prefix": "+"}])
def test_plans_that_there_are_not(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        NumberPlan(**settings)  # type: ignore[arg-type]
