from __future__ import annotations

import json

from telephony.base.ids import Ids
from telephony.realtime.approvals import DROPPED, Agreed, Approvals, ProviderApprovals


def ask(approvals: Approvals, name: str = "cancel", said: str = "r1", now: float = 0.0) -> str:
    answer = json.loads(approvals.ask(name, '{"order": 7}', said, now))
    assert answer["status"] == "not done yet"
    token: str = answer["token"]
    return token


def confirm(approvals: Approvals, token: str, agreed: object = True, now: float = 1.0) -> object:
    return approvals.confirm(json.dumps({"token": token, "agreed": agreed}), now)


def test_a_caller_who_was_asked_and_answered_agrees() -> None:
    approvals = Approvals(Ids.seeded(1))
    token = ask(approvals, said="r1")
    approvals.caller_answered("r2")
    assert confirm(approvals, token) == Agreed("cancel", '{"order": 7}')
    assert "not valid" in str(confirm(approvals, token))


def test_a_model_cannot_agree_with_itself() -> None:
    approvals = Approvals(Ids.seeded(1))
    token = ask(approvals, said="r1")
    assert "not answered yet" in str(confirm(approvals, token))
    # The caller was still talking when the tool was called: they have not heard the question.
    approvals.caller_answered("r1")
    assert "not answered yet" in str(confirm(approvals, token))
    approvals.caller_answered("r2")
    assert isinstance(confirm(approvals, token), Agreed)


def test_a_caller_who_says_no_ends_it() -> None:
    for answer in (False, "yes", None, 1):
        approvals = Approvals(Ids.seeded(1))
        token = ask(approvals)
        approvals.caller_answered("r2")
        assert confirm(approvals, token, answer) == DROPPED
        assert "not valid" in str(confirm(approvals, token))


def test_tokens_are_void_after_a_while_and_when_there_is_a_newer_one() -> None:
    approvals = Approvals(Ids.seeded(1))
    first = ask(approvals)
    second = ask(approvals)
    approvals.caller_answered("r2")
    assert "not valid" in str(confirm(approvals, first))
    assert "not valid" in str(confirm(approvals, second, now=301.0))


def test_only_so_many_wait() -> None:
    approvals = Approvals(Ids.seeded(1))
    tokens = [ask(approvals, f"tool_{number}") for number in range(9)]
    approvals.caller_answered("r2")
    assert "not valid" in str(confirm(approvals, tokens[0]))
    assert isinstance(confirm(approvals, tokens[8]), Agreed)


def test_garbage_confirms_nothing() -> None:
    approvals = Approvals(Ids.seeded(1))
    ask(approvals)
    approvals.caller_answered("r2")
    for text in ("", "[]", "{}", '{"token": []}', '{"token": null, "agreed": true}'):
        assert "not valid" in str(approvals.confirm(text, 1.0))


def test_what_a_provider_may_call() -> None:
    approvals = ProviderApprovals((("crm", True), ("crm.delete", False), ("mail.send", True)))
    assert approvals.allows("crm", "read")
    assert not approvals.allows("crm", "delete")
    assert approvals.allows("mail", "send")
    assert not approvals.allows("mail", "read")
    assert not ProviderApprovals().allows("crm", "read")
