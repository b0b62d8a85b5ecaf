"""What can go wrong before a WebSocket to a model is open, and whether to try again."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import lru_cache

from websockets.exceptions import InvalidURI
from websockets.http11 import Response
from websockets.uri import WebSocketURI, parse_uri

from telephony.base.interfaces import ModelUnavailable
from telephony.realtime.backoff import is_refusal_of_account
from telephony.realtime.openai_errors import is_hopeless
from telephony.realtime.wire import object_of, parse_object, text_of

# Trying again with the same key and URL meets the same answer.
_FATAL_STATUSES = frozenset({400, 401, 402, 403, 404})
# About the key or its account, and not about what was asked for.
_ACCOUNT_STATUSES = frozenset({401, 402, 403})


class ModelConnectError(ModelUnavailable):
    """The handshake failed. ``status`` is the HTTP status, 0 when there was no HTTP answer."""

    def __init__(
        self, status: int, reason: str, *, fatal: bool = False, of_account: bool = False
    ) -> None:
        self.status = status
        super().__init__(reason, fatal=fatal, of_account=of_account)


def default_tls() -> ssl.SSLContext:
    """Return a context that trusts whom the system trusts; one serves every connection.

    To read the certificates takes 20 ms and more, in which no call would be heard.
    """
    return _tls(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)
def _tls(file: str | None, directory: str | None) -> ssl.SSLContext:
    """OpenSSL reads both variables by itself."""
    return ssl.create_default_context()


def read_url(url: str) -> WebSocketURI:
    """Parse a ws or wss URL; raises :class:`ModelConnectError`."""
    try:
        return parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise ModelConnectError(0, str(error), fatal=True) from None


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse a value with a line break (a key read from a file, say): it breaks the request."""
    for name, value in headers.items():
        if not value.isprintable():
            raise ModelConnectError(0, f"header {name} holds a control character", fatal=True)


def is_account_status(status: int) -> bool:
    """Return whether an HTTP status refuses the key or its account."""
    return status in _ACCOUNT_STATUSES


def handshake_error(error: Exception | None, otherwise: str) -> ModelConnectError:
    """Return what the server's refusal means; its body may hold the API's own reason.

    ``otherwise`` is the reason when there was no answer that could be read.
    """
    response = getattr(error, "response", None)
    if not isinstance(response, Response):
        return ModelConnectError(0, str(error or otherwise))
    status = response.status_code
    body = parse_object(bytes(response.body or b"")) or {}
    details = object_of(body, "error")
    reason = f"HTTP {status} {response.reason_phrase}".rstrip()
    # OpenAI's, ElevenLabs' and Deepgram's place for it.
    told = (text_of(details, "message"), text_of(object_of(body, "detail"), "message"))
    if message := next(filter(None, (*told, text_of(body, "err_msg"))), ""):
        reason = f"{reason}: {message}"
    code = text_of(details, "code")
    return ModelConnectError(
        status,
        reason,
        fatal=status in _FATAL_STATUSES or is_hopeless(code),
        of_account=is_account_status(status) or is_refusal_of_account(code),
    )
