from __future__ import annotations

import io

import pytest

from telephony.calls.sealed_file import CannotUnseal, Chunk, Sealer, key_id, key_id_of, unseal

KEY, OTHER = bytes(range(32)), bytes(32)
SALT = bytes(range(16))
HEADER_BYTES = 32


def sealed(*audio: bytes, ends: bool = True) -> bytes:
    sealer = Sealer(KEY, SALT)
    out = sealer.begin()
    for number, part in enumerate(audio):
        last = ends and number == len(audio) - 1
        out += sealer.seal(b"header %d" % number, part, last=last)
    return out


def opened(data: bytes, key: bytes = KEY) -> list[Chunk]:
    return list(unseal(io.BytesIO(data), key))


def test_what_is_sealed_is_opened() -> None:
    assert opened(sealed(b"one", b"", b"three")) == [
        Chunk(b"header 0", b"one", False),
        Chunk(b"header 1", b"", False),
        Chunk(b"header 2", b"three", True),
    ]


def test_nothing_is_readable_in_the_file() -> None:
    data = sealed(b"spoken words" * 10)
    assert b"spoken" not in data
    assert b"header" not in data
    # Equal plaintext under another salt is another ciphertext throughout.
    other = Sealer(KEY, bytes(16))
    assert other.begin()[-16:] + other.seal(b"h", b"x") != data[16:]


def test_a_file_cut_anywhere_gives_its_whole_chunks_and_no_end() -> None:
    whole = sealed(b"a" * 50, b"b" * 50, b"c" * 50)
    size = (len(whole) - HEADER_BYTES) // 3
    for end in range(HEADER_BYTES, len(whole)):
        chunks = opened(whole[:end])
        assert len(chunks) == (end - HEADER_BYTES) // size
        assert not any(chunk.last for chunk in chunks)


def test_a_file_that_ends_early_is_not_taken_for_whole() -> None:
    assert [chunk.last for chunk in opened(sealed(b"a", b"b", ends=False))] == [False, False]


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2), (0, 0, 1), (2,)])
def test_chunks_out_of_place_end_the_reading(order: tuple[int, ...]) -> None:
    whole = sealed(b"a" * 9, b"b" * 9, b"c" * 9)
    size = (len(whole) - HEADER_BYTES) // 3
    parts = [whole[HEADER_BYTES + n * size : HEADER_BYTES + (n + 1) * size] for n in range(3)]
    chunks = opened(whole[:HEADER_BYTES] + b"".join(parts[n] for n in order))
    in_place = 0
    while in_place < len(order) and order[in_place] == in_place:
        in_place += 1
    assert len(chunks) == in_place
    assert not any(chunk.last for chunk in chunks)


def test_a_flipped_bit_ends_the_reading_before_its_chunk() -> None:
    whole = sealed(b"a" * 9, b"b" * 9)
    for at in range(8, len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        try:
            chunks = opened(bytes(damaged))
        except CannotUnseal:
            assert at < HEADER_BYTES
            continue
        assert len(chunks) < 2
        assert not any(chunk.last for chunk in chunks)


def test_another_key_is_named_and_not_tried() -> None:
    with pytest.raises(CannotUnseal, match=f"{key_id(KEY).hex()}, not {key_id(OTHER).hex()}"):
        opened(sealed(b"a"), OTHER)
    assert key_id_of(sealed(b"a")) == key_id(KEY)


def test_what_is_not_sealed_is_refused() -> None:
    for data in (b"", b"RIFF" + bytes(60), sealed(b"a")[:31]):
        assert key_id_of(data) is None
        with pytest.raises(CannotUnseal, match="no encrypted recording"):
            opened(data)
    later = bytearray(sealed(b"a"))
    later[7] = 2
    with pytest.raises(CannotUnseal, match="version 2"):
        opened(bytes(later))
