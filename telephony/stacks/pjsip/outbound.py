"""Calls and questions of ours: one account, changed before each for the way that it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pjsua2 as pj

from telephony.sip.credentials import Credentials
from telephony.sip.flow import Flow
from telephony.sip.values import read_address
from telephony.stacks.call_plan import CallPlan, SrtpMode
from telephony.stacks.pjsip.accounts import (
    AccountListener,
    PjsipAccount,
    account_config,
    route_to,
)
from telephony.stacks.pjsip.call_events import CommandFailed
from telephony.stacks.pjsip.config import PjsipConfig
from telephony.stacks.pjsip.director import CallDirector, Directors, Tell
from telephony.stacks.pjsip.endpoint import Library
from telephony.stacks.pjsip.line import audio_only, reason_of, sip_headers
from telephony.stacks.pjsip.questions import Questions
from telephony.stacks.pjsip.transports import Transports
from telephony.stacks.pjsip.worker import Worker


def outgoing_account(
    config: PjsipConfig,
    transports: Transports,
    flow: Flow,
    from_value: str,
    *,
    routes: Sequence[str] = (),
    credentials: Credentials | None = None,
    srtp: SrtpMode = "off",
) -> Any:
    """Return the settings with which the next request goes over ``flow``."""
    address = read_address(from_value)
    made = account_config(
        config,
        f"<{address.uri}>" if address is not None else from_value,
        srtp,
        (route_to(flow), *(route.strip("<>") for route in routes)),
        credentials,
    )
    if flow.transport == "udp" and len(transports.bound["udp"]) > 1:
        number = transports.id_of("udp", flow.local)
        if number is not None:
            made.sipConfig.transportId = number
    return made


def invitation(plan: CallPlan, call_id: str) -> tuple[str, Any]:
    """Return To and the arguments of ``makeCall``."""
    made = audio_only()
    made.opt.customCallId = call_id
    made.txOption.localUri = plan.from_value
    made.txOption.targetUri = plan.request_uri
    for header in sip_headers(plan.headers):
        made.txOption.headers.append(header)
    to_value = plan.to_value or plan.request_uri
    return to_value if "<" in to_value else f"<{to_value}>", made


class Outbound:
    """Places calls and asks servers. Everything but ``questions`` is done by the worker.

    ``before_call`` may let it wait.
    """

    def __init__(
        self,
        config: PjsipConfig,
        worker: Worker,
        library: Library,
        transports: Transports,
        directors: Directors,
        tell: Tell,
        before_call: Callable[[], None],
    ) -> None:
        self.questions = Questions()
        self._config = config
        self._worker = worker
        self._library = library
        self._transports = transports
        self._directors = directors
        self._tell = tell
        self._before_call = before_call
        self._account: PjsipAccount | None = None

    def open(self, listener: AccountListener) -> None:
        """Create the account; in the worker's thread."""
        self._account = PjsipAccount(listener)
        self._account.create(account_config(self._config, "<sip:localhost>"))

    def close(self) -> None:
        """Let the account go; in the worker's thread."""
        if self._account is not None:
            self._account.shutdown()
            self._account = None

    def place(self, key: int, plan: CallPlan, call_id: str, codecs: Sequence[str]) -> None:
        """Send the INVITE; a failure comes back as :class:`CommandFailed`."""

        def job() -> None:
            try:
                self._place(key, plan, call_id, codecs)
            except (pj.Error, LookupError) as error:
                self._directors.discard(key)
                self._tell(key, CommandFailed("place", reason_of(error)))

        self._worker.post(job)

    def _place(self, key: int, plan: CallPlan, call_id: str, codecs: Sequence[str]) -> None:
        account, ports = self._account, self._library.ports
        if account is None or ports is None:
            raise LookupError("PJSIP is closed")
        made = outgoing_account(
            self._config,
            self._transports,
            plan.flow,
            plan.from_value,
            routes=plan.routes,
            credentials=plan.credentials,
            srtp=plan.media.srtp,
        )
        self._before_call()
        account.modify(made)
        director = CallDirector(key, account, ports, self._tell, codecs)
        self._directors.add(director)
        director.makeCall(*invitation(plan, call_id))

    def ask(
        self,
        name: Any,
        method: str,
        uri: str,
        from_uri: str,
        flow: Flow,
        headers: Sequence[tuple[str, str]],
        routes: Sequence[str],
    ) -> None:
        """Send a request outside of calls; ``name`` comes back with the answer."""

        def job() -> None:
            try:
                self._ask(name, method, uri, from_uri, flow, headers, routes)
            except (pj.Error, LookupError) as error:
                answer = self.questions.answered
                self._worker.cross(answer, int(name.this), 503, reason_of(error), b"")

        self._worker.post(job)

    def _ask(
        self,
        name: Any,
        method: str,
        uri: str,
        from_uri: str,
        flow: Flow,
        headers: Sequence[tuple[str, str]],
        routes: Sequence[str],
    ) -> None:
        if self._account is None:
            raise LookupError("PJSIP is closed")
        made = outgoing_account(self._config, self._transports, flow, from_uri, routes=routes)
        self._account.modify(made)
        request = pj.SendRequestParam()
        request.userData = name
        request.method = method
        request.txOption.targetUri = uri
        for header in sip_headers(headers):
            request.txOption.headers.append(header)
        self._account.sendRequest(request)
