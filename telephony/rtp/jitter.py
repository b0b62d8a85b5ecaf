"""The jitter buffer: packets in as they arrive, frames out at our clock.

Time is counted in samples. A packet's delay is the time between the moment the fastest packets
would have brought it and its pop; it is kept around the target of :class:`DelayEstimate`, within
:class:`DelayBounds`. Quiet frames are preceded by a fill or dropped for that, an underrun lets it
grow, and ``excess_samples`` asks for speech to be stretched. So drift of clocks is absorbed too.
"""

from __future__ import annotations

from collections.abc import Callable

from telephony.base.serial import diff32
from telephony.rtp.delay import DelayEstimate, is_silence
from telephony.rtp.delay_bounds import DelayBounds
from telephony.rtp.frames import Gap, JitterConfig, JitterStats, Lost
from telephony.rtp.holes import Holes
from telephony.rtp.lookahead import look_ahead
from telephony.rtp.packet import RtpPacket
from telephony.rtp.restart import RestartDetector

_CAPACITY_PACKETS = 256
_MAX_DROPOUT_PACKETS = 3000  # RFC 3550 appendix A.1
_MAX_MISORDER_PACKETS = 100
_JUMP_TOLERANCE_MS = 500
_OUTAGE_MS = 500
_FRAME_MAX_MS = 200
_NOT_STARTED, _STOPPED = -1, -2  # in place of a timestamp


class JitterBuffer:
    """Orders the packets of one source.

    :meth:`pop` is called once per ptime, more or less often when the sender's packets are
    shorter or longer. It answers the next packet, or :class:`Lost`, :class:`Gap`, or ``None``:
    not started yet, or nothing there. Audio that comes after a ``None`` is still played, unless
    the delay would pass its maximum. ``is_quiet`` tells which packets may be dropped or preceded
    by a fill without being noticed.
    """

    def __init__(
        self,
        config: JitterConfig,
        clock_rate_hz: int = 8000,
        is_quiet: Callable[[RtpPacket], bool] | None = None,
    ) -> None:
        self.stats = JitterStats()
        self._rate = clock_rate_hz
        self._is_quiet = is_quiet or (lambda packet: False)
        per_ms = clock_rate_hz / 1000
        delays_ms = config.min_ms, config.start_ms, config.max_ms
        self._maximum = max(config.drop_over_ms, config.max_ms) * per_ms
        minimum, start, most = (delay_ms * per_ms for delay_ms in delays_ms)
        self._estimate = DelayEstimate(minimum, start, most, self._maximum, clock_rate_hz)
        self._jump_tolerance = max(_JUMP_TOLERANCE_MS, 2 * config.max_ms) * per_ms
        self._outage = _OUTAGE_MS * per_ms
        self._pull = int(config.ptime_ms * per_ms)
        self._frame = self._pull
        self._gap, self._lost = Gap(self._pull), Lost(self._pull)
        self._packets: dict[int, tuple[int, RtpPacket | None]] = {}
        self._restart = RestartDetector()
        self._ssrc: int | None = None
        self._bounds = DelayBounds(clock_rate_hz)
        self._holes = Holes()
        self.excess_samples = 0
        """What to take out of speech after the last pop, or (under 0) to put in."""
        self.reviewed = False
        """Set with each review of the target, once that is settled.

        Who follows :attr:`surplus_ms` takes it back.
        """
        self._forget_position()
        self._set_bounds()

    def _forget_position(self) -> None:
        self._packets.clear()
        self._holes.clear()
        self._in_silence = False
        self._credit = self._shift = 0
        self._delay = 0.0
        self._restart.forget()
        self._highest = self._next = self._highest_timestamp = 0
        self._next_timestamp = _NOT_STARTED

    def _set_bounds(self) -> None:
        self._bounds.follow(self._estimate.target, self._frame, self._pull)

    @property
    def delay_ms(self) -> float:
        """The delay that the last packet popped had in the buffer."""
        return self._delay * 1000 / self._rate

    @property
    def target_ms(self) -> float:
        return self._bounds.target * 1000 / self._rate

    @property
    def surplus_ms(self) -> float:
        """By how much the last delay was over the target; 0 while pops have no fixed phase.

        And while what is to be popped next is late: its delay will be another one.
        """
        waiting = self._in_silence or self._credit
        if self._next_timestamp < 0 or waiting or self._frame != self._pull:
            return 0.0
        return (self._delay - self._bounds.target) * 1000 / self._rate

    @property
    def packets_held(self) -> int:
        return len(self._packets)

    def following(self) -> RtpPacket | None:
        """Return what is to be popped next, if it has come."""
        return self._packets.get(self._next, (0, None))[1]

    def peek(self, wanted_samples: int) -> tuple[int, int, bytes]:
        """Return what :func:`look_ahead` sees; nothing is taken."""
        at = self._next_timestamp
        return look_ahead(self._packets, self._next, at, self._frame, wanted_samples)

    def push(self, packet: RtpPacket, now: float) -> None:
        """Take a packet of audio; its payload is not empty."""
        self.stats.received += 1
        if packet.ssrc != self._ssrc:
            self._start(packet, now)
            return
        step = ((packet.sequence_number - self._highest + 0x8000) & 0xFFFF) - 0x8000
        sequence = self._highest + step
        if step > _MAX_DROPOUT_PACKETS or sequence < self._next or sequence in self._packets:
            self._receive_misplaced(packet, sequence, step, now)
            return
        last = self._highest_timestamp
        timestamp = last + diff32(packet.timestamp + self._shift, last)
        transit = now * self._rate - timestamp
        if timestamp - last != step * self._frame:
            timestamp, transit = self._place_jump(timestamp, step, transit)
        if step > 0:
            self._highest = sequence
            self._highest_timestamp = timestamp
            if packet.samples != self._frame:
                self._set_frame(packet.samples)
        else:
            self.stats.reordered += 1
        self._restart.forget()
        if self._credit:
            self._end_underrun(sequence, transit, now)
        if self._estimate.observe(transit):
            self.reviewed = self._estimate.settled
            self._bounds.reviewed()
            self._set_bounds()
        self._packets[sequence] = (timestamp, packet)
        if len(self._packets) > _CAPACITY_PACKETS:
            self._drop_oldest()

    def push_silence(self, packet: RtpPacket) -> None:
        """Take a packet that has a place in the sequence only: comfort noise, telephone-event.

        Its slot is not lost, and :class:`Gap` follows instead of ``None`` until there is audio
        again. Its timestamp, which may be that of an event's start, is not looked at.
        """
        self.stats.received += 1
        step = ((packet.sequence_number - self._highest + 0x8000) & 0xFFFF) - 0x8000
        sequence = self._highest + step
        if sequence in self._packets:
            self.stats.duplicate += 1
        elif self._holes.take(sequence):
            self.stats.late += 1
        elif packet.ssrc != self._ssrc or sequence < self._next or step > _MAX_DROPOUT_PACKETS:
            self.stats.discarded += 1
        else:
            self._highest = max(self._highest, sequence)
            self._packets[sequence] = (self._highest_timestamp, None)
            if len(self._packets) > _CAPACITY_PACKETS:
                self._drop_oldest()

    def _start(self, packet: RtpPacket, now: float) -> None:
        """Begin with ``packet`` as the first of its source."""
        self.stats.discarded += len(self._packets)
        if self._ssrc is not None:
            self.stats.resyncs += 1
        self._forget_position()
        self._ssrc = packet.ssrc
        # Extended numbers start one cycle up, so that packets from before the first fit below it.
        self._highest = self._next = packet.sequence_number + 0x1_0000
        self._highest_timestamp = packet.timestamp + 0x1_0000_0000
        self._estimate.restart(now * self._rate - self._highest_timestamp)
        self._packets[self._highest] = (self._highest_timestamp, packet)
        self._set_frame(packet.samples)

    def _set_frame(self, samples: int) -> None:
        """Learn the duration of the newest packet."""
        if samples != self._frame and 0 < samples <= self._rate * _FRAME_MAX_MS / 1000:
            self._frame = samples
            self._lost = Lost(samples)
        self._set_bounds()

    def _place_jump(self, timestamp: int, step: int, transit: float) -> tuple[int, float]:
        """Return where a packet belongs whose timestamp does not follow from its sequence number.

        A jump that agrees with the time of arrival is silence suppression. Any other is a new
        origin of the timestamps: the audio goes on where it was.
        """
        expected = self._highest_timestamp + step * self._frame
        jump = timestamp - expected
        lateness = transit - self._estimate.base
        in_order = (timestamp > self._highest_timestamp) == (step > 0)
        if in_order and is_silence(jump, lateness, self._jump_tolerance):
            return timestamp, transit
        if step > 0:
            self._shift -= jump
            self.stats.resyncs += 1
        return expected, transit + jump

    def _end_underrun(self, sequence: int, transit: float, now: float) -> None:
        lateness = transit - self._estimate.base
        if self._credit > self._outage and abs(lateness) > self._maximum:
            # The sender's clock stood still, or the path changed, while nothing came.
            self._estimate.restart(transit)
            self._next_timestamp = _STOPPED
        elif sequence == self._next:
            self._bounds.changed(now)
            self._estimate.came_late(lateness)
            self._set_bounds()

    def _receive_misplaced(self, packet: RtpPacket, sequence: int, step: int, now: float) -> None:
        """Take a packet that is late, doubled, from before the start, or of a restarted sender."""
        if sequence in self._packets:
            self.stats.duplicate += 1
        elif self._holes.take(sequence):
            self.stats.late += 1
            timestamp = self._highest_timestamp + step * self._frame
            self._estimate.observe_late(now * self._rate - timestamp)
            self._set_bounds()
        elif self._next_timestamp == _NOT_STARTED and -_MAX_MISORDER_PACKETS < step < 0:
            self._next = sequence
            self.stats.received -= 1
            self.push(packet, now)
        else:
            self._receive_stray(packet, step, now)

    def _receive_stray(self, packet: RtpPacket, step: int, now: float) -> None:
        near = -_MAX_MISORDER_PACKETS <= step <= 0
        first = self._restart.observe(packet, far=not near)
        count = 1 if first is None else -1  # `first` had been counted, and is taken after all
        if near:
            self.stats.duplicate += count
        else:
            self.stats.discarded += count
        if first is not None:
            self._start(first, now)
            self.stats.received -= 1
            self.push(packet, now)

    def _drop_oldest(self) -> None:
        self._give_up(self._next if self._next in self._packets else min(self._packets))
        self._discard_next()
        self.stats.overflow += 1

    def pop(self, now: float) -> RtpPacket | Lost | Gap | None:
        """Return what is due at ``now``; see the class."""
        entry = self._packets.get(self._next)
        if entry is not None:
            timestamp, packet = entry
            if timestamp == self._next_timestamp and packet is not None:
                delay = now * self._rate - timestamp - self._estimate.base
                if self._bounds.floor <= delay <= self._bounds.ceiling:
                    del self._packets[self._next]
                    self._next += 1
                    self._next_timestamp = timestamp + packet.samples
                    self._delay = delay
                    self._credit = 0
                    self._in_silence = False
                    self.excess_samples = 0
                    return packet
        return self._pop_irregular(now)

    def _pop_irregular(self, now: float) -> RtpPacket | Lost | Gap | None:
        self._pass_silence()
        if not self._packets:
            return self._fill()
        if self._next_timestamp < 0:
            return self._pop_first(now)
        if self._next not in self._packets:
            return self._pop_hole(now)
        timestamp, head = self._packets[self._next]
        delay = self._delay_of(timestamp, now)
        if timestamp - self._next_timestamp >= self._pull // 2:
            if delay >= self._bounds.target:
                return self._take(now)
            # Silence suppression is filled until the talkspurt is due, at the target.
            self._in_silence = True
            return self._fill()
        if delay > self._bounds.ceiling:
            self._shorten(delay, now)
        elif delay < self._bounds.floor and (head is None or head.marker or self._is_quiet(head)):
            return self._fill()  # the next packet may be delayed unnoticed
        item = self._take(now)
        self.excess_samples = self._bounds.excess(self._delay, now)
        return item

    def _delay_of(self, timestamp: int, now: float) -> float:
        return now * self._rate - timestamp - self._estimate.base

    def _pass_silence(self) -> None:
        while (entry := self._packets.get(self._next)) is not None and entry[1] is None:
            del self._packets[self._next]
            self._next += 1
            self._in_silence = True

    def _fill(self) -> Gap | None:
        if self._next_timestamp >= 0:
            self._credit += self._pull
            self.stats.underruns += not self._in_silence
        if not self._in_silence:
            return None
        self.stats.gap_samples += self._pull
        return self._gap

    def filled(self, samples: int) -> None:
        """Say how much was put in place of the last ``None``, if not a ptime."""
        self._credit = max(self._credit + samples - self._pull, 0)

    def _pop_first(self, now: float) -> RtpPacket | Gap | None:
        sequence = min(self._packets)
        timestamp = self._packets[sequence][0]
        delay = self._delay_of(timestamp, now)
        if delay < self._bounds.target:
            return self._fill()
        self._give_up(sequence)
        self._next_timestamp = timestamp
        self._bounds.changed(now)
        if delay > self._maximum:
            self._shorten(delay, now)
        return self._take(now)

    def _pop_hole(self, now: float) -> RtpPacket | Lost | Gap | None:
        """Wait for the missing packet up to the target, then give it up."""
        head = min(self._packets)
        missing_samples = (head - self._next) * self._frame
        if missing_samples - self._credit > self._outage:
            self._give_up(head)
            return self.pop(now)
        if self._delay_of(self._next_timestamp, now) < self._bounds.stretch_floor:
            return self._fill()
        filled = min(head - self._next, self._credit // self._frame)
        if filled:  # fills have already stood in for these
            self._credit -= filled * self._frame
            self._give_up(self._next + filled)
            return self.pop(now)
        self._give_up(self._next + 1)
        if self._credit:
            rest, self._credit = Lost(self._frame - self._credit), 0
            return rest
        return self._lost

    def _take(self, now: float) -> RtpPacket | Gap | None:
        timestamp, packet = self._packets.pop(self._next)
        self._next += 1
        if packet is None:
            self._in_silence = True
            return self._fill()
        self._next_timestamp = timestamp + packet.samples
        self._delay = self._delay_of(timestamp, now)
        self._credit = 0
        self._in_silence = False
        return packet

    def _give_up(self, sequence: int) -> None:
        """Count everything before ``sequence`` as lost, and move there."""
        missing = sequence - self._next
        if missing <= 0:
            return
        self.stats.lost += missing
        self._bounds.lost()
        self._holes.add(self._next, sequence)
        self._next = sequence
        if self._next_timestamp >= 0:
            self._next_timestamp += missing * self._frame

    def _shorten(self, delay: float, now: float) -> None:
        """Drop what is too old: at once beyond the maximum, else one frame now and then."""
        if delay > self._maximum:
            while delay - self._frame >= self._bounds.target and self._can_spare():
                self._discard_next()
                self.stats.overflow += 1
                delay = self._delay_of(self._next_timestamp, now)
            self._bounds.changed(now)
        elif not (self._credit and self._skip_filled(delay)):
            packet = self.following()
            if packet is None or not self._can_spare():
                return
            if self._bounds.may_drop(delay, self._is_quiet(packet), now):
                self._discard_next()
                self._bounds.changed(now)

    def _skip_filled(self, delay: float) -> bool:
        """Leave out late packets that short fills have stood in for; return whether any was."""
        count = first = self._bounds.frames_to_skip(self._credit, delay, self._frame)
        while count and self._next + 1 in self._packets:
            self._discard_next()
            count -= 1
        skipped = first - count
        self._credit -= skipped * self._frame
        self.stats.skipped(skipped)
        return skipped > 0

    def _can_spare(self) -> bool:
        """Tell whether the target's worth of audio, the packet after next first, stays held."""
        left_samples = self._highest_timestamp - self._next_timestamp
        return left_samples >= self._bounds.target and self._next + 1 in self._packets

    def _discard_next(self) -> None:
        timestamp, packet = self._packets.pop(self._next)
        self._next += 1
        self.stats.discarded += 1
        if packet is not None and self._next_timestamp >= 0:
            self._next_timestamp = timestamp + packet.samples
