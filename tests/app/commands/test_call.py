from __future__ import annotations

import pytest

from telephony.app import cli


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("bob", "'bob' is no SIP address; write sip:user@192.0.2.7:5060"),
        ("sip:bob@example.com", "names such as 'example.com' are not looked up; write sip:"),
    ],
)
def test_an_address_that_leads_nowhere(
    uri: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["call", uri]) == 2
    assert capsys.readouterr().err.startswith(f"telephony call: {said}")


def test_a_file_that_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["call", "sip:bob@127.0.0.1", "--play", "none.wav"]) == 2
    assert "none.wav" in capsys.readouterr().err
