"""The dialplan's verbs, one file each: ``async run(call, action)`` carries one out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from telephony.calls.verbs import (
    answer,
    connect_model,
    hangup,
    play,
    pre_answer,
    record,
    reject,
    transfer,
)
from telephony.dialplan import actions

VERBS: dict[type, Callable[[Any, Any], Awaitable[None]]] = {
    actions.PreAnswer: pre_answer.run,
    actions.Answer: answer.run,
    actions.Reject: reject.run,
    actions.Play: play.run,
    actions.Record: record.run,
    actions.ConnectModel: connect_model.run,
    actions.Transfer: transfer.run,
    actions.Hangup: hangup.run,
}
