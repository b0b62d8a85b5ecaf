from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from telephony.realtime.template import MAX_VALUE_CHARACTERS, BadTemplate, Template, plain_text

_PIECES = st.sampled_from(["{{", "}}", "{", "}", "a", "b_1", " ", "\\", "\n", "{{a}}", "é", "1"])
_TEXTS = st.lists(_PIECES, max_size=30).map("".join) | st.text(max_size=60)
_VALUES = st.text(max_size=40) | _TEXTS


@given(_TEXTS, st.dictionaries(st.sampled_from(["a", "b_1"]), _VALUES))
@example(r"\{{a}}{{a}}", {"a": "{{a}}"})
def test_any_text_is_a_template_or_a_mistake_with_its_place(
    text: str, values: dict[str, str]
) -> None:
    try:
        template = Template.parse(text)
    except BadTemplate as error:
        place = error.offset
        template = Template(())
    else:
        place = text.find("{{")
    assert place < 0 or text.startswith("{{", place)
    if not template.parts:
        return
    assert all(text.startswith("{{", name.offset) for name in template.names)
    rendered = template.render(values)
    if "{{" not in text:
        assert rendered == text
    # What the values add is what they say, and nothing that the template did not ask for.
    pieces = [
        p if isinstance(p, str) else plain_text(values.get(p.name, "")) for p in template.parts
    ]
    assert rendered == "".join(pieces)


@given(st.text(max_size=3000))
def test_a_value_is_one_bounded_line(value: str) -> None:
    text = plain_text(value)
    assert len(text) <= MAX_VALUE_CHARACTERS + 1
    assert len(text.splitlines()) <= 1
    assert all(
        character.isprintable() or character.isspace()
        for character in text
        if ord(character) < 0x100
    )
    text.encode()
