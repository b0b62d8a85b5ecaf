"""Webhooks as Standard Webhooks 1.0 signs them: who sent this, when, and was it here before."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

TOLERANCE_S: Final = 300
MAX_REMEMBERED: Final = 8_192
REMEMBER_S: Final = 24 * 3600.0

_PREFIX: Final = "whsec_"
_MAX_ID_CHARS: Final = 256
_MAX_SIGNATURES: Final = 16
_MAX_SIGNATURE_CHARS: Final = 4_096
_TIMESTAMP = re.compile(r"[0-9]{1,12}")

Verdict = Literal[
    "accepted",
    "duplicate",
    "header_missing",
    "malformed",
    "too_old",
    "too_new",
    "wrong_signature",
]


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """The key that both ends share."""

    key: bytes = field(repr=False)

    @classmethod
    def read(cls, text: str) -> WebhookSecret:
        """Read ``whsec_`` and base64, or any other text as the key itself.

        Raises ValueError, which does not repeat the text.
        """
        if not text.startswith(_PREFIX):
            key = text.encode()
        else:
            coded = text.removeprefix(_PREFIX)
            try:
                key = binascii.a2b_base64(coded + "=" * (-len(coded) % 4), strict_mode=True)
            except ValueError:
                raise ValueError(f"what follows {_PREFIX} is no base64") from None
        if not key:
            raise ValueError("the secret is empty")
        return cls(key)

    def sign(self, webhook_id: str, timestamp: str, body: bytes) -> str:
        """Return the signature as the header has it: ``v1,`` and base64."""
        return f"v1,{self._digest(webhook_id, timestamp, body)}"

    def _digest(self, webhook_id: str, timestamp: str, body: bytes) -> str:
        signed = b".".join((_octets(webhook_id), _octets(timestamp), body))
        return b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()

    def signed(self, headers: WebhookHeaders, body: bytes) -> bool:
        """Tell whether one of the signatures is ours; takes the same time wherever they differ."""
        own = self._digest(headers.webhook_id, headers.timestamp, body).encode()
        found = False
        for given in headers.signatures():
            found |= hmac.compare_digest(own, _octets(given))
        return found


@dataclass(frozen=True, slots=True)
class WebhookHeaders:
    """The three headers of a webhook; "" for one that is missing."""

    webhook_id: str
    timestamp: str
    signature: str

    def signatures(self) -> list[str]:
        """Return the base64 of every ``v1`` signature; other versions are not looked at."""
        parts = self.signature[:_MAX_SIGNATURE_CHARS].split()[:_MAX_SIGNATURES]
        return [part.removeprefix("v1,") for part in parts if part.startswith("v1,")]


@dataclass(slots=True)
class WebhookStats:
    """Webhooks by what became of them, and ``malformed`` ones among those that were signed."""

    accepted: int = 0
    duplicates: int = 0
    unsigned: int = 0
    out_of_time: int = 0
    wrong_signatures: int = 0
    malformed: int = 0
    ignored: int = 0


class WebhookGate:
    """Lets every webhook of a sender who knows a secret through once.

    Several secrets are good at a time, so that one can replace another. What is remembered is
    bounded in number and time: only who knows a secret can fill it.
    """

    def __init__(
        self,
        secrets: Sequence[WebhookSecret],
        *,
        tolerance_s: int = TOLERANCE_S,
        max_remembered: int = MAX_REMEMBERED,
    ) -> None:
        self._secrets = tuple(secrets)
        self._tolerance_s = tolerance_s
        self._max_remembered = max_remembered
        self._seen: OrderedDict[str, float] = OrderedDict()
        self.stats = WebhookStats()

    def objection(self, headers: WebhookHeaders, unix_now_s: float) -> Verdict | None:
        """Return what is wrong with the headers, before a body is read for them."""
        verdict = self._objection(headers, unix_now_s)
        if verdict in ("too_old", "too_new"):
            self.stats.out_of_time += 1
        elif verdict is not None:
            self.stats.unsigned += 1
        return verdict

    def _objection(self, headers: WebhookHeaders, unix_now_s: float) -> Verdict | None:
        if not (headers.webhook_id and headers.timestamp and headers.signature):
            return "header_missing"
        if len(headers.webhook_id) > _MAX_ID_CHARS or not _TIMESTAMP.fullmatch(headers.timestamp):
            return "malformed"
        age_s = unix_now_s - int(headers.timestamp)
        if age_s > self._tolerance_s:
            return "too_old"
        return "too_new" if age_s < -self._tolerance_s else None

    def receive(self, headers: WebhookHeaders, body: bytes, unix_now_s: float) -> Verdict:
        """Judge a webhook by its unchanged body; nothing in it raises."""
        objection = self.objection(headers, unix_now_s)
        if objection is not None:
            return objection
        # Every secret is tried, so that the time taken does not tell which one fitted.
        fitting = [secret.signed(headers, body) for secret in self._secrets]
        if True not in fitting:
            self.stats.wrong_signatures += 1
            return "wrong_signature"
        if not self._remember(headers.webhook_id, unix_now_s):
            self.stats.duplicates += 1
            return "duplicate"
        self.stats.accepted += 1
        return "accepted"

    def forget(self, webhook_id: str) -> None:
        """Let an accepted webhook through again: nothing came of it, and the sender will retry."""
        if self._seen.pop(webhook_id, None) is not None:
            self.stats.accepted -= 1

    def _remember(self, webhook_id: str, unix_now_s: float) -> bool:
        """Note an id; False when it is known."""
        seen = self._seen
        while seen and next(iter(seen.values())) < unix_now_s - REMEMBER_S:
            seen.popitem(last=False)
        if webhook_id in seen:
            return False
        seen[webhook_id] = unix_now_s
        if len(seen) > self._max_remembered:
            seen.popitem(last=False)
        return True


def _octets(text: str) -> bytes:
    try:
        # Octets of a header that are no UTF-8 come as surrogates.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
