"""What requests about calls hold, and the answers the API has for every way to get them wrong."""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import web

from telephony.realtime.hosted.incoming import Surface
from telephony.rehearsal.outbox import ClientError

DECLINE: Final = 603


async def json_of(request: web.Request) -> dict[str, Any] | None:
    try:
        body = json.loads(await request.read() or b"null")
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def session_of(body: dict[str, Any], surface: Surface) -> dict[str, Any]:
    session = body if surface == "realtime" else body.get("session")
    if not isinstance(session, dict) or session.get("type") != surface:
        raise ClientError("invalid_value", f"session.type must be {surface}.", "session.type")
    if not session.get("model"):
        raise ClientError("missing_required_parameter", "model is missing.", "model")
    live = str(session["model"]).startswith("gpt-live")
    if live != (surface == "live"):
        raise ClientError("invalid_model", f"{session['model']} is no model of this API.", "model")
    if surface == "live" and "format" in session.get("audio", {}):
        text = "audio.format is negotiated by SIP."
        raise ClientError("unknown_parameter", text, "session.audio.format")
    return session


def status_of(body: dict[str, Any], surface: Surface) -> int:
    status = body.get("status_code", None if surface == "live" else DECLINE)
    if not isinstance(status, int) or not 300 <= status <= 699:
        raise ClientError("invalid_value", "status_code must be 300 to 699.", "status_code")
    return status


def target_of(body: dict[str, Any]) -> str:
    target = body.get("target_uri")
    if not isinstance(target, str) or not target.startswith(("tel:", "sip:", "sips:")):
        raise ClientError("invalid_value", "target_uri must be tel: or sip:.", "target_uri")
    return target


def error(status: int, code: str, message: str, param: str | None = None) -> web.Response:
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": param}
    return web.json_response({"error": error}, status=status)
