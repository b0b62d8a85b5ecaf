"""Transfers: the caller of one call is sent on to somebody else, or comes back.

A *blind* transfer asks the caller's side to call the destination (REFER). An *attended* one calls
the destination first, and asks the caller's side to take that leg's place (REFER with Replaces).
Whatever the outcome, and in whatever order it is told, no leg but the caller's outlives the try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from telephony.base.dialing import Dialer, DialFailed, DialRequest
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import Leg
from telephony.calls import cause
from telephony.calls.consultation import Consultation
from telephony.calls.destination import (
    Destination,
    TransferRecord,
    TransferResult,
    result_of,
)

if TYPE_CHECKING:
    from telephony.calls.call import Call

REFER_LIMIT_S = 32.0
"""How long an attended transfer waits for the caller's side: 64 * T1 (RFC 3261 section 17)."""

LAST_SENTENCE_S = 5.0
"""How long a person who answered waits for the bot to end its sentence to the caller."""

PEER_HANGUP_S = 2.0
"""How long the caller's side is given to hang up after a transfer, before we do."""


class Transfers:
    """The transfers of one call, one at a time; ``records`` are for its CDR."""

    def __init__(self, call: Call) -> None:
        self.records: list[TransferRecord] = []
        self.succeeded = False
        """True once the caller talks to somebody else."""
        self._call = call
        self._active = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._consultation: Consultation | None = None
        self._final: asyncio.Future[TransferResult] | None = None
        self._refer_open = False
        self._revocable = self._given_up = False
        self._attempt: asyncio.Timeout | None = None

    @property
    def active(self) -> bool:
        """True while a transfer is being tried."""
        return self._active

    @property
    def refer_open(self) -> bool:
        """True from our REFER on until its end was told, even if nobody waits for that any more."""
        return self._refer_open

    async def settled(self) -> None:
        """Wait until no transfer is under way."""
        await self._idle.wait()

    def give_up(self) -> bool:
        """End an attended transfer before the caller is asked to leave; False if it is too late.

        Nobody is called any more, or whoever answered is hung up on; the caller stays.
        """
        if not self._revocable:
            return False
        self._given_up = True
        if self._attempt is not None:
            self._attempt.reschedule(asyncio.get_running_loop().time())
        return True

    async def run(self, destination: Destination) -> TransferResult:
        """Transfer the caller, once what was said to them was heard.

        Returns when the call is about to end (``succeeded``), or is as it was before.
        """
        if self._active or self._refer_open:
            return TransferResult("failed", 0, "another transfer is under way")
        attended = destination.mode == "attended"
        self._active, self._revocable, self._given_up = True, attended, False
        self._idle.clear()
        started_at = self._call.services.clock()
        result = TransferResult("abandoned")
        try:
            await self._call.answer()
            await self._call.let_be_heard()
            async with self._call.line.music(destination.hold_music):
                result = await (self._attended if attended else self._blind)(destination)
        finally:
            self._active = self._revocable = False
            self._idle.set()
            self._record(destination, result, self._call.services.clock() - started_at)
        return result

    def _record(self, destination: Destination, result: TransferResult, seconds: float) -> None:
        outcome = "transferred" if self.succeeded else result.outcome
        record = TransferRecord(
            destination.to, destination.mode, outcome, result.status, round(seconds, 3)
        )
        self.records.append(record)
        self._call.log.info(
            "transfer.finished",
            to=destination.to,
            mode=destination.mode,
            outcome=outcome,
            status=result.status,
        )

    # The two ways

    async def _blind(self, destination: Destination) -> TransferResult:
        return await self._refer(destination.to, None, destination.timeout_s)

    async def _attended(self, destination: Destination) -> TransferResult:
        call, services = self._call, self._call.services
        if services.dialer is None:
            return TransferResult("unreachable", 0, "no trunk takes outbound calls")
        request = DialRequest(
            destination.to, destination.trunks, ring_timeout_s=destination.timeout_s
        )
        with ExitStack() as last:
            last.enter_context(self._caller_waits())
            consultation = Consultation(services.metrics, call.log, call.line)
            last.callback(self._end_consultation, consultation)
            self._consultation = consultation
            try:
                leg = await self._consult(services.dialer, request, destination, consultation)
            except DialFailed as failure:
                return TransferResult(failure.outcome, failure.status, failure.reason)
            if leg is None:
                return TransferResult("cancelled", 0, "the caller did not want to wait")
            if consultation.ended:
                return TransferResult("rejected", 0, "whoever answered has hung up")
            return await self._refer("", leg, REFER_LIMIT_S)

    async def _consult(
        self,
        dialer: Dialer,
        request: DialRequest,
        destination: Destination,
        consultation: Consultation,
    ) -> Leg | None:
        """Call the destination and prepare it for the caller; None when that was given up.

        Raises DialFailed.
        """
        leg: Leg | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as self._attempt:
                if self._given_up:
                    return None
                leg = await dialer.dial(request, consultation, on_leg=consultation.dialled)
                consultation.begin(leg)
                if destination.play is not None:
                    await consultation.play(destination.play, self._call.services.prompts)
                await self._fall_silent()
        self._attempt, self._revocable = None, False
        return None if self._given_up else leg

    @contextmanager
    def _caller_waits(self) -> Iterator[None]:
        """Let the caller wait: their silence means nothing to the model."""
        call = self._call
        if call.conversation is not None:
            call.conversation.park(True)
        try:
            yield
        finally:
            call.line.stop_ringing()
            if call.conversation is not None:
                call.conversation.park(False)

    async def _fall_silent(self) -> None:
        """Let the model end its sentence to the caller."""
        if self._call.conversation is not None:
            await self._call.conversation.fall_silent(LAST_SENTENCE_S)

    def _end_consultation(self, consultation: Consultation) -> None:
        self._consultation = None
        ending = cause.TRANSFERRED.cause if self.succeeded else cause.TRANSFER_FAILED
        consultation.close(ending)

    async def _refer(self, target: str, replacing: Leg | None, limit_s: float) -> TransferResult:
        """Ask the caller's side, and wait for what comes of it."""
        call = self._call
        if call.moves.pending:
            return TransferResult("failed", 0, "the caller is being transferred by somebody else")
        self._final = asyncio.get_running_loop().create_future()
        self._refer_open = True
        with self._caller_waits(), call.line.absent(lambda: self.succeeded):
            try:
                call.leg.transfer(target, replacing)
                async with asyncio.timeout(limit_s):
                    return await self._final
            except LocalProtocolError as error:
                self._refer_open = False
                return TransferResult("failed", 0, str(error))
            except TimeoutError:
                return TransferResult("no_answer", 0, "nothing came of it in time")
            finally:
                self._final = None

    # What the leg reports

    def progressed(self, status: int, reason: str) -> None:
        self._call.log.debug("transfer.progressed", status=status, reason=reason)

    def finished(self, status: int, reason: str, refused: bool = False) -> None:
        """Take the end of our REFER, however late: a caller who is elsewhere is not ours."""
        if not self._refer_open:
            return
        self._refer_open = False
        result = result_of(status, reason, refused)
        self.succeeded = self.succeeded or result.succeeded
        if self._final is not None and not self._final.done():
            self._final.set_result(result)
        if result.succeeded:
            self._call.start(self._leave)

    async def _leave(self) -> None:
        """Let the caller's side hang up, as it is about to, or do it."""
        await asyncio.sleep(PEER_HANGUP_S)
        self._call.end(cause.TRANSFERRED)

    def leg_ended(self) -> None:
        """The caller's leg is gone: it was transferred if the other leg went the same way.

        Some peers hang up without waiting to tell how the REFER ended.
        """
        consultation = self._consultation
        if self._refer_open and consultation is not None and consultation.ended:
            self.succeeded = True
