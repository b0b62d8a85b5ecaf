"""The formats of recordings: 16-bit PCM in WAV, FLAC, Opus in Ogg.

Each gives audio as it is encoded, to be appended, and a header that is written again over itself;
so a file is readable to its end after every append. What a second of a stereo call costs, and
weighs, measured on speech at 8 and at 16 kHz (libsndfile's Opus, which can't be told to save its
strength, takes 9.1 ms):

====== ================= ==================
       CPU ms a second   kB a second
====== ================= ==================
wav     0.1    0.2        32     64
flac    0.3    0.5        19     32
opus    1.5    1.6         3.7    3.9
====== ================= ==================
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, Protocol

from telephony.audio.flac import flac_header
from telephony.audio.ogg import OPUS_HZ, OggOpusWriter
from telephony.audio.wav import wav_header

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

RecordingFormat = Literal["wav", "flac", "opus"]

FORMATS_OF_AV: tuple[RecordingFormat, ...] = ("flac", "opus")
"""The formats whose encoders come with the package av."""

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
        """Return more audio to append; up to 0.1 s waits for what comes next."""

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
        self._title = title
        self._codec = _Codec("flac", sample_rate_hz, {})
        self._stream_info = self._codec.extradata

    def header(self) -> bytes:
        return flac_header(self._stream_info, self._codec.samples, SOFTWARE, self._title)

    def encode(self, stereo: bytes) -> bytes:
        return b"".join(self._codec.encode(stereo))

    def finish(self) -> bytes:
        return b"".join(self._codec.finish())


class OpusEncoder:
    """Has no header to write again: an Ogg stream begins with pages of its own."""

    def __init__(self, sample_rate_hz: int, title: str, serial: int) -> None:
        self._codec = _Codec("libopus", sample_rate_hz, _OPUS_OPTIONS, _OPUS_BIT_RATE)
        self._scale = OPUS_HZ // sample_rate_hz
        self._ogg = OggOpusWriter(
            serial, self._codec.extradata, _OPUS_PACKET_SAMPLES, SOFTWARE, title
        )
        self._begun = False

    def header(self) -> bytes:
        return b""

    def encode(self, stereo: bytes) -> bytes:
        return self._beginning() + self._ogg.write(list(self._codec.encode(stereo)))

    def finish(self) -> bytes:
        packets = list(self._codec.finish())
        return self._beginning() + self._ogg.end(packets, self._codec.samples * self._scale)

    def _beginning(self) -> bytes:
        begun, self._begun = self._begun, True
        return b"" if begun else self._ogg.begin()


class _Codec:
    """One of FFmpeg's encoders, which take frames of a fixed size."""

    def __init__(
        self, name: str, sample_rate_hz: int, options: dict[str, str], bit_rate: int = 0
    ) -> None:
        import av

        self._new_frame = av.AudioFrame
        codec: AudioCodecContext = av.CodecContext.create(name, "w")  # type: ignore[assignment]
        codec.sample_rate = sample_rate_hz
        codec.layout = "stereo"
        codec.format = "s16"
        codec.options = options
        if bit_rate:
            codec.bit_rate = bit_rate
        codec.open()
        self._codec = codec
        self._frame_bytes = codec.frame_size * _FRAME_BYTES
        self._rest = b""
        self.samples = 0
        """What came out so far, or will with :meth:`finish`, in one channel."""

    @property
    def extradata(self) -> bytes:
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
