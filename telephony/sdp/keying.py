"""Which SRTP keys the two ends of one audio stream use: offer/answer of RFC 4568 section 7."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from telephony.base.ids import Ids
from telephony.sdp.crypto import MASTER_BYTES, Crypto, parse_crypto
from telephony.sdp.description import Attribute, MediaDescription

_LINES_MAX = 16


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What protects both directions; keys are master key and salt, and no repr shows them.

    Packets of the peer carry ``receive_mki``, and its key serves ``receive_lifetime_packets``
    (``None``: all that RFC 3711 allows).
    """

    suite: str
    send_key: bytes = field(repr=False)
    receive_key: bytes = field(repr=False)
    receive_mki: bytes = b""
    receive_lifetime_packets: int | None = None
    replay_window_packets: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of ours and one of the peer, of one suite."""

    ours: Crypto
    theirs: Crypto

    @property
    def keys(self) -> SrtpKeys:
        return SrtpKeys(
            suite=self.theirs.suite,
            send_key=self.ours.key,
            receive_key=self.theirs.key,
            receive_mki=self.theirs.mki,
            receive_lifetime_packets=self.theirs.lifetime_packets,
            replay_window_packets=self.theirs.replay_window_packets,
        )


class Keying:
    """Our keys in one dialog. Nothing changes until :meth:`agree`.

    A key of ours stays as long as that of the peer does: the same description again is a refresh
    and leaves both contexts as they are. A peer with another key may be another device, to which
    our rollover counter is unknown, and gets a new one.
    """

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._agreed: Choice | None = None
        self._offered: dict[str, Crypto] = {}

    def offer(self, suites: tuple[str, ...]) -> tuple[Crypto, ...]:
        """Return our lines for an offer, the one in use before others.

        An offer that was not answered, or is repeated, has the same keys.
        """
        in_use = self._agreed.ours if self._agreed is not None else None
        lines = [] if in_use is None else [in_use]
        tags = iter(range(1, len(suites) + 2))
        for suite in suites:
            if in_use is not None and suite == in_use.suite:
                continue
            tag = next(number for number in tags if in_use is None or number != in_use.tag)
            known = self._offered.get(suite)
            line = Crypto(tag, suite, self._new_key(suite) if known is None else known.key)
            self._offered[suite] = line
            lines.append(line)
        return tuple(lines)

    def answer(self, offer: MediaDescription, suites: tuple[str, ...]) -> Choice | None:
        """Return the first line of ``offer`` that we can use and ours to it, if there is one."""
        theirs = next(iter(_lines_of(offer, suites)), None)
        if theirs is None:
            return None
        agreed = self._agreed
        if agreed is not None and _same_key(agreed.theirs, theirs):
            # Section 5.1.2: the answer repeats the tag of the line that it accepts.
            return Choice(replace(agreed.ours, tag=theirs.tag), theirs)
        return Choice(Crypto(theirs.tag, theirs.suite, self._new_key(theirs.suite)), theirs)

    def take_answer(self, answer: MediaDescription, offered: tuple[Crypto, ...]) -> Choice | None:
        """Return the line of ours that ``answer`` accepts and the peer's, if there is one.

        Tag and suite have to be those of one line (section 5.1.3).
        """
        ours = {line.tag: line for line in offered}
        for theirs in _lines_of(answer, tuple(line.suite for line in offered)):
            accepted = ours.get(theirs.tag)
            if accepted is not None and accepted.suite == theirs.suite:
                return Choice(accepted, theirs)
        return None

    def agree(self, choice: Choice | None) -> None:
        """Take ``choice`` as what is in use from now on; ``None``: plain RTP."""
        self._agreed = choice
        if choice is None:
            self._offered.clear()
        else:
            self._offered.pop(choice.ours.suite, None)

    def _new_key(self, suite: str) -> bytes:
        return bytes.fromhex(self._ids.token(MASTER_BYTES[suite]))


def attributes_of(lines: tuple[Crypto, ...]) -> list[Attribute]:
    """Return the ``crypto`` attributes of a media line."""
    return [("crypto", line.to_value()) for line in lines]


def _lines_of(media: MediaDescription, suites: tuple[str, ...]) -> list[Crypto]:
    values = [value for name, value in media.attributes if name == "crypto" and value is not None]
    parsed = (parse_crypto(value, suites) for value in values[:_LINES_MAX])
    return [line for line in parsed if line is not None]


def _same_key(one: Crypto, other: Crypto) -> bool:
    return one.suite == other.suite and one.key == other.key
