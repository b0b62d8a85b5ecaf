"""PJSIP's own log lines in our log."""

from __future__ import annotations

import re
from typing import Any

import pjsua2 as pj
import structlog

from telephony.stacks.pjsip.guarded import guarded

log = structlog.get_logger()

ERROR_LEVEL = 1

_SECRET = re.compile(r"(?i)(inline:|password=|response=|nonce=)\S+")
_USER = re.compile(r"(?i)\b(sips?|tel):[^@>\s;]+@?")
_NUMBER = re.compile(r"\+?[0-9]{5,}")


def without_secrets(line: str) -> str:
    """Return a line of PJSIP's without keys, users of URIs and whatever may be a number."""
    line = _SECRET.sub(r"\1...", line)
    line = _USER.sub(r"\1:...", line)
    return _NUMBER.sub("...", line)


class PjsipLog(pj.LogWriter):  # type: ignore[misc]
    """Errors of PJSIP become warnings of ours, what it warns of is for who looks for a fault."""

    @guarded
    def write(self, entry: Any) -> None:
        text = without_secrets(str(entry.msg).strip())
        # PJSIP's lines: a time, the file, the message.
        write = log.warning if entry.level <= ERROR_LEVEL else log.debug
        write("pjsip.logged", text=text)
