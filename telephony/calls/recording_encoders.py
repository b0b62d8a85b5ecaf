"""The formats of recordings: 16-bit PCM in WAV, FLAC, Opus in Ogg.

Each gives audio as it is encoded, to be appended, and a header that is written again over itself;
so a file is readable to its end after every append. What it takes to write a stereo call of speech
at 8 kHz, measured in the writer's thread (encryption adds 0.004 ms; libsndfile's Opus takes 9.1):

====== ============================ ============= ===========
       CPU ms per second of a call  kB a second   MB a call
====== ============================ ============= ===========
wav     0.05                         32            0
flac    0.17                         19            0.13
opus    1.5                          3.7           0.09
====== ============================ ============= ===========
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, Protocol

from telephony.audio.flac import flac_header
from telephony.audio.ogg import OPUS_HZ, OggOpusWriter
from telephony.audio.wav import wav_header
from telephony.calls.flac_frames import BLOCK_SAMPLES, FlacFrames

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

RecordingFormat = Literal["wav", "flac", "opus"]

PACKAGES: Mapping[str, str] = {"flac": "soundfile", "opus": "av"}
"""The package that brings a format's encoder; WAV needs none."""

SOFTWARE = "telephony recorder"
"""What our files name as their author; nothing else is ever deleted."""

_CHANNELS = 2
_FRAME_BYTES = 2 * _CHANNELS
_OPUS_BIT_RATE = 32_000
# The least effort: the most (10) takes more than twice the time.
_OPUS_OPTIONS = {"application": "audio", "compression_level": "0", "frame_duration": "20"}
_OPUS_PACKET_SAMPLES = OPUS_HZ * 20 // 1000


class RecordingEncoder(Protocol):
    """Encodes one recording, in the writer's thread; the samples are 16-bit stereo."""

    def header(self) -> bytes:
        """Return what belongs before the audio so far; its size never changes."""

    def encode(self, stereo: bytes) -> bytes:
        """Return more audio to append; up to 0.15 s waits for what comes next."""

    def finish(self) -> bytes:
        """Return the last audio."""


def make_encoder(
    kind: RecordingFormat, sample_rate_hz: int, title: str, serial: int
) -> RecordingEncoder:
    """Return the encoder of a format; ``serial`` tells Ogg streams apart.

    Raises ImportError for a format that lacks its package.
    """
    if kind == "wav":
        return WavEncoder(sample_rate_hz, title)
    if kind == "flac":
        return FlacEncoder(sample_rate_hz, title)
    return OpusEncoder(sample_rate_hz, title, serial)


class WavEncoder:
    def __init__(self, sample_rate_hz: int, title: str) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._title = title
        self._data_bytes = 0

    def header(self) -> bytes:
        return wav_header(self._data_bytes, self._sample_rate_hz, _CHANNELS, SOFTWARE, self._title)

    def encode(self, stereo: bytes) -> bytes:
        self._data_bytes += len(stereo)
        return stereo

    def finish(self) -> bytes:
        return b""


class FlacEncoder:
    def __init__(self, sample_rate_hz: int, title: str) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._title = title
        self._frames = FlacFrames(sample_rate_hz)

    def header(self) -> bytes:
        return flac_header(
            self._frames.samples,
            self._sample_rate_hz,
            _CHANNELS,
            block_samples=BLOCK_SAMPLES,
            software=SOFTWARE,
            title=self._title,
        )

    def encode(self, stereo: bytes) -> bytes:
        return self._frames.encode(stereo)

    def finish(self) -> bytes:
        return self._frames.finish()


class OpusEncoder:
    """Has no header to write again: an Ogg stream begins with pages of its own."""

    def __init__(self, sample_rate_hz: int, title: str, serial: int) -> None:
        self._packets = _OpusPackets(sample_rate_hz)
        self._scale = OPUS_HZ // sample_rate_hz
        head = self._packets.head
        self._ogg = OggOpusWriter(serial, head, _OPUS_PACKET_SAMPLES, SOFTWARE, title)
        self._begun = False

    def header(self) -> bytes:
        return b""

    def encode(self, stereo: bytes) -> bytes:
        return self._beginning() + self._ogg.write(list(self._packets.encode(stereo)))

    def finish(self) -> bytes:
        packets = list(self._packets.finish())
        return self._beginning() + self._ogg.end(packets, self._packets.samples * self._scale)

    def _beginning(self) -> bytes:
        begun, self._begun = self._begun, True
        return b"" if begun else self._ogg.begin()


class _OpusPackets:
    """FFmpeg's wrapping of libopus, which takes frames of a fixed size.

    libsndfile has an encoder as well; it can't be told to save its strength.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        import av

        self._new_frame = av.AudioFrame
        codec: AudioCodecContext = av.CodecContext.create("libopus", "w")
        codec.sample_rate = sample_rate_hz
        codec.layout = "stereo"
        codec.format = "s16"
        codec.options = _OPUS_OPTIONS
        codec.bit_rate = _OPUS_BIT_RATE
        codec.open()
        self._codec = codec
        self._frame_bytes = codec.frame_size * _FRAME_BYTES
        self._rest = b""
        self.samples = 0
        """How many of one channel were encoded so far."""

    @property
    def head(self) -> bytes:
        """The identification header."""
        return bytes(self._codec.extradata or b"")

    def encode(self, stereo: bytes) -> Iterator[bytes]:
        audio = self._rest + stereo
        whole = len(audio) - len(audio) % self._frame_bytes
        self._rest = audio[whole:]
        for at in range(0, whole, self._frame_bytes):
            yield from self._frame(audio[at : at + self._frame_bytes])

    def finish(self) -> Iterator[bytes]:
        rest, self._rest = self._rest, b""
        if rest:
            yield from self._frame(rest)
        for packet in self._codec.encode(None):
            yield bytes(packet)

    def _frame(self, stereo: bytes) -> Iterator[bytes]:
        samples = len(stereo) // _FRAME_BYTES
        frame = self._new_frame(format="s16", layout="stereo", samples=samples)
        frame.planes[0].update(stereo)
        frame.sample_rate = self._codec.sample_rate
        frame.pts = self.samples
        self.samples += samples
        for packet in self._codec.encode(frame):
            yield bytes(packet)
