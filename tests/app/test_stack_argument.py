from __future__ import annotations

import argparse

import pytest

from telephony.app.stack_argument import add_stack_argument, with_stack


def test_the_stack_of_the_command_line_is_a_variable_like_any_other() -> None:
    assert with_stack({"A": "b"}, "pjsip") == {"A": "b", "TELEPHONY_SIP_STACK": "pjsip"}
    assert with_stack({"A": "b"}, None) == {"A": "b"}


def test_unknown_stacks_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_stack_argument(parser)
    assert parser.parse_args(["--stack", "pyvoip"]).stack == "pyvoip"
    with pytest.raises(SystemExit):
        parser.parse_args(["--stack", "sofia"])
    assert "native" in capsys.readouterr().err
