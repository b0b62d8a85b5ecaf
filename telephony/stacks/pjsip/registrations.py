"""The accounts of PJSIP that register; there is room for a few."""

from __future__ import annotations

import itertools
from typing import Any

import pjsua2 as pj

from telephony.stacks.pjsip.accounts import (
    MAX_ACCOUNTS,
    AccountListener,
    PjsipAccount,
    account_config,
    route_to,
)
from telephony.stacks.pjsip.config import PjsipConfig
from telephony.stacks.pjsip.line import reason_of
from telephony.stacks.pjsip.registration import OnState, RegistrationPlan, RegistrationState
from telephony.stacks.pjsip.worker import Worker

OTHER_ACCOUNTS = 2
"""Those of incoming and of outgoing calls."""


class Registrations:
    """Opens accounts that register, and lets go of them; each job is the worker's."""

    def __init__(self, config: PjsipConfig, worker: Worker, listener: AccountListener) -> None:
        self._config = config
        self._worker = worker
        self._listener = listener
        self._keys = itertools.count(1)
        self._accounts: dict[int, PjsipAccount] = {}

    def register(self, plan: RegistrationPlan, on_state: OnState) -> AccountRegistration:
        """Send a REGISTER, and refresh it; ``on_state`` hears of every outcome in the loop."""
        key = next(self._keys)

        def told(state: RegistrationState) -> None:
            self._worker.cross(on_state, state)

        def job() -> None:
            if len(self._accounts) + OTHER_ACCOUNTS >= MAX_ACCOUNTS:
                room = MAX_ACCOUNTS - OTHER_ACCOUNTS
                told(RegistrationState(503, f"PJSIP keeps {room} registrations, no more"))
                return
            account = PjsipAccount(self._listener)
            account.on_registration = told
            self._accounts[key] = account
            try:
                account.create(self._account_config(plan))
            except pj.Error as error:
                del self._accounts[key]
                told(RegistrationState(503, reason_of(error)))

        self._worker.post(job)
        return AccountRegistration(key, self)

    def unregister(self, key: int) -> None:
        """Take the Contact back; the outcome is told as every other."""

        def job() -> None:
            account = self._accounts.get(key)
            if account is not None:
                account.setRegistration(False)

        self._worker.post(job)

    def close(self, key: int) -> None:
        """Let go of an account."""

        def job() -> None:
            account = self._accounts.pop(key, None)
            if account is not None:
                account.on_registration = None
                account.shutdown()

        self._worker.post(job)

    def clear(self) -> None:
        """Let go of every account; in the worker's thread."""
        for account in self._accounts.values():
            account.on_registration = None
            account.shutdown()
        self._accounts.clear()

    def _account_config(self, plan: RegistrationPlan) -> Any:
        routes = (route_to(plan.flow), *(route.strip("<>") for route in plan.routes))
        config = self._config
        made = account_config(
            config, f"<{plan.address_of_record}>", "off", routes, plan.credentials
        )
        registration = made.regConfig
        registration.registrarUri = plan.registrar_uri
        registration.registerOnAdd = True
        registration.timeoutSec = plan.expires_s
        registration.retryIntervalSec = 0
        registration.firstRetryIntervalSec = 0
        registration.unregWaitMsec = 1000
        return made


class AccountRegistration:
    """One of the accounts: see :class:`telephony.stacks.pjsip.registrar.Registration`."""

    def __init__(self, key: int, registrations: Registrations) -> None:
        self._key = key
        self._registrations = registrations

    def unregister(self) -> None:
        self._registrations.unregister(self._key)

    def close(self) -> None:
        self._registrations.close(self._key)
