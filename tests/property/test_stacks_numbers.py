"""Numbers over any text: nothing raises, and what was normalised stays so."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from telephony.sip.telephone import is_global
from telephony.stacks.numbers import NumberPlan

_PLANS = [NumberPlan(), NumberPlan("US"), NumberPlan("DE"), NumberPlan("IT"), NumberPlan("BR")]
_PLANS += [NumberPlan("GB", plain=True), NumberPlan("AR", "0", "00"), NumberPlan("SG", "", "001")]
_plans = st.sampled_from(_PLANS)
_formats = st.sampled_from(["e164", "plain", "national", "international"])
_dialled = st.text(alphabet="0123456789+*#-.() ", max_size=20) | st.text(max_size=12)
_numbers = st.from_regex(r"\+[1-9][0-9]{4,14}", fullmatch=True)


@settings(max_examples=400, deadline=None)
@example(_PLANS[5], "2000407098301")
@given(_plans, _dialled)
def test_a_number_is_normalised_once(plan: NumberPlan, text: str) -> None:
    number = plan.to_e164(text)
    assert number == text or is_global(number)
    assert plan.to_e164(number) == number


@settings(max_examples=400, deadline=None)
@given(_plans, _numbers, _formats)
def test_every_number_can_be_dialled(plan: NumberPlan, number: str, number_format: str) -> None:
    dialled = plan.for_trunk(number, number_format)  # type: ignore[arg-type]
    assert dialled.removeprefix("+").isdecimal()
    assert dialled.startswith("+") is (number_format == "e164")


@settings(max_examples=200, deadline=None)
@given(_plans, st.text(max_size=60), _formats)
def test_any_text_may_be_asked_for(plan: NumberPlan, text: str, number_format: str) -> None:
    plan.to_e164(text)
    if not is_global(text):
        assert plan.for_trunk(text, number_format) == text  # type: ignore[arg-type]
