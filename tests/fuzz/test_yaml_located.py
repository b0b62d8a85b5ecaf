"""No text makes the YAML reader raise, and every problem has a sensible place."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telephony.base.located_yaml import LocatedYaml, read_yaml

SAMPLE = """\
contexts:
  main: &all
    - name: "a"   # comment
      when: {called: ['+1', +2], headers: {X: 'it''s'}}
      do: [answer, {play: "x\\u00e9.wav"}]
other: *all
text: |
  block
"""

soup = st.text(alphabet="ab01+-_.:,#&*!|>%@`'\"[]{}?\\~ \n\t\r\x00\x85\ufeff\ud7ffé😀", max_size=60)
grammar = st.lists(
    st.sampled_from(
        [
            "a: ",
            "- ",
            "\n",
            "  ",
            "[",
            "]",
            "{",
            "}",
            ",",
            "&x ",
            "*x",
            '"',
            "'",
            "+1",
            "0x",
            "!t ",
            "? ",
            ": ",
            "---\n",
            "<<: ",
            "~",
            "1:2",
            "no",
            ">-\n",
            "...\n",
        ]
    ),
    max_size=30,
).map("".join)


def sensible(text: str, document: LocatedYaml) -> None:
    lines = text.removeprefix("\ufeff").splitlines() or [""]
    for problem in document.problems:
        assert problem.message
        assert 0 <= problem.line <= len(lines) + 1
        assert problem.column >= 0
    for path, place in document.places.items():
        assert place.line >= 1
        assert place.column >= 1
        assert document.place(path) is place


@given(soup | grammar)
@settings(max_examples=300)
def test_any_text(text: str) -> None:
    sensible(text, read_yaml(text, "f"))


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    read_yaml(data, "f")


def test_every_prefix_and_every_changed_character() -> None:
    for end in range(len(SAMPLE) + 1):
        sensible(SAMPLE[:end], read_yaml(SAMPLE[:end], "f"))
        for char in ("\t", "[", "'", "&"):
            text = SAMPLE[:end] + char + SAMPLE[end + 1 :]
            sensible(text, read_yaml(text, "f"))


@given(grammar)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_scanners_agree(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    if not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")
    with_c = read_yaml(text, "f")
    with monkeypatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        without = read_yaml(text, "f")
    if with_c.problems == without.problems == ():
        # Only of an empty value at the end of the text they see the place differently.
        assert with_c.data == without.data


# PyYAML writes these line breaks as others.
texts = st.text(st.characters(exclude_characters="\x85\u2028\u2029"), max_size=8)


@given(
    st.recursive(
        st.integers() | st.booleans() | st.none() | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner),
        max_leaves=12,
    )
)
def test_what_pyyaml_writes_is_read_back(data: object) -> None:
    text = yaml.safe_dump(data, allow_unicode=True)
    document = read_yaml(text, "f")
    if not document.problems:
        # PyYAML writes U+0085 as a line break, which every reader folds into a space.
        assert document.data == yaml.safe_load(text)
        assert document.data == data or "\x85" in text
