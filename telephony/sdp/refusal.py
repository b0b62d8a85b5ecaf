"""Why an offer or an answer can't be taken, in the words of SIP."""

from __future__ import annotations

from telephony.base.errors import TelephonyError

# Warning codes of RFC 3261 section 20.43.
INCOMPATIBLE_PROTOCOL = 300
INCOMPATIBLE_ADDRESS = 301
INCOMPATIBLE_TRANSPORT = 302
INCOMPATIBLE_MEDIA = 304
INCOMPATIBLE_FORMAT = 305
MISCELLANEOUS = 399


class NotAcceptable(TelephonyError):  # noqa: N818 - the reason phrase of 488
    """The offer or answer can't be taken; the warning is for a Warning header."""

    def __init__(self, status: int, warning_code: int, warning: str) -> None:
        super().__init__(f"{status}: {warning}")
        self.status = status
        self.warning_code = warning_code
        self.warning = warning

    @property
    def warning_value(self) -> str:
        """What follows ``Warning:`` in the response (RFC 3261 section 20.43)."""
        text = self.warning.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.warning_code} telephony "{text}"'
