"""Recordings encrypted at rest, in a format that is written as a stream and read as far as it goes.

A file is a header and chunks (all numbers big-endian)::

    header   magic "TELSEAL" (7 bytes), version 1 (1), key id (8), salt (16)
    chunk    size of what follows (4), AES-256-GCM ciphertext with its 16-byte tag

The key of a file is HKDF-SHA256 of the master key with the file's salt and the text
``telephony recording``, so that no two files share a key. The nonce of chunk ``n`` is ``n`` in 11
bytes and one more byte, 1 in the last chunk and 0 in all others: chunks can't be left out,
reordered or cut off at the end without notice. The header is the associated data of every chunk.
The key id is the start of SHA-256 of ``telephony recording key`` and the master key; it tells
which key a file needs, and nothing about the key.

The plaintext of a chunk is the size (2 bytes) of the recording's own header, that header as it is
after this chunk, and more audio. A reader puts the header of the last chunk it could read before
the audio of all chunks: so a recording that was cut off still says how long it is.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from telephony.base.errors import TelephonyError

MAGIC = b"TELSEAL"
VERSION = 1
KEY_BYTES = 32
SALT_BYTES = 16

_HEADER = struct.Struct(">7sB8s16s")
_SIZE = struct.Struct(">I")
_INNER = struct.Struct(">H")
_TAG_BYTES = 16
_MAX_CHUNK_BYTES = 1 << 26
_INFO = b"telephony recording"


class CannotUnseal(TelephonyError):  # noqa: N818 - what a file is, not a fault
    """The file is none of ours, or needs another key."""


class WrongKey(CannotUnseal):
    """The file was written with a key that is not the one at hand."""


def key_id(master_key: bytes) -> bytes:
    """Return the 8 bytes by which files name their key."""
    return hashlib.sha256(_INFO + b" key" + master_key).digest()[:8]


class Sealer:
    """Seals one recording; every method returns the bytes that come next in its file."""

    def __init__(self, master_key: bytes, salt: bytes) -> None:
        self._header = _HEADER.pack(MAGIC, VERSION, key_id(master_key), salt)
        self._cipher = _file_cipher(master_key, salt)
        self._chunks = 0

    def begin(self) -> bytes:
        return self._header

    def seal(self, header: bytes, audio: bytes, *, last: bool = False) -> bytes:
        """Return a chunk with more audio and the recording's header as it is after that."""
        plain = _INNER.pack(len(header)) + header + audio
        nonce = _nonce(self._chunks, last)
        self._chunks += 1
        sealed = self._cipher.encrypt(nonce, plain, self._header)
        return _SIZE.pack(len(sealed)) + sealed


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk, opened: see the module for what the header is."""

    header: bytes
    audio: bytes
    last: bool


def key_id_of(start: bytes) -> bytes | None:
    """Return the key id of a file that starts like this, or None when it is not sealed."""
    if len(start) < _HEADER.size or not start.startswith(MAGIC):
        return None
    return bytes(_HEADER.unpack_from(start)[2])


def unseal(file: BinaryIO, master_key: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a sealed file as far as they are whole and untouched.

    The file is complete if the last one yielded says so. Raises CannotUnseal for a file that is
    not sealed, or with another key, before the first chunk.
    """
    start = file.read(_HEADER.size)
    needed = key_id_of(start)
    if needed is None:
        raise CannotUnseal("this is no encrypted recording")
    _, version, _, salt = _HEADER.unpack(start)
    if version != VERSION:
        raise CannotUnseal(f"version {version} of the format is not known here")
    if needed != key_id(master_key):
        raise WrongKey(f"it needs the key {needed.hex()}, not {key_id(master_key).hex()}")
    cipher = _file_cipher(master_key, salt)
    number = 0
    while (sealed := _next_chunk(file)) is not None:
        chunk = _open(cipher, sealed, number, start)
        if chunk is None:
            return
        yield chunk
        if chunk.last:
            return
        number += 1


def _next_chunk(file: BinaryIO) -> bytes | None:
    size = file.read(_SIZE.size)
    if len(size) < _SIZE.size:
        return None
    (wanted,) = _SIZE.unpack(size)
    if not _TAG_BYTES + _INNER.size <= wanted <= _MAX_CHUNK_BYTES:
        return None
    sealed = file.read(wanted)
    return sealed if len(sealed) == wanted else None


def _open(cipher: AESGCM, sealed: bytes, number: int, header: bytes) -> Chunk | None:
    for last in (False, True):
        try:
            plain = cipher.decrypt(_nonce(number, last), sealed, header)
        except InvalidTag:
            continue
        (size,) = _INNER.unpack_from(plain)
        at = _INNER.size
        return Chunk(plain[at : at + size], plain[at + size :], last)
    return None


def _nonce(chunk: int, last: bool) -> bytes:
    return chunk.to_bytes(11) + bytes([last])


def _file_cipher(master_key: bytes, salt: bytes) -> AESGCM:
    derived = HKDF(SHA256(), KEY_BYTES, salt, _INFO).derive(master_key)
    return AESGCM(derived)
