"""Headers for tests that read them without a message around."""

from __future__ import annotations

import sipmessage

from telephony.sip.message import HeaderView


def view(*lines: tuple[str, str]) -> HeaderView:
    headers = sipmessage.Headers()
    for name, value in lines:
        headers.add(name, value)
    return HeaderView(headers)
