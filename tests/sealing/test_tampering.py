"""Whatever is done to a sealed file is noticed before a byte of it is given out."""

from __future__ import annotations

import io
import random
import tracemalloc
from collections.abc import Callable

import pytest

from appliance.errors import Damaged, NegatoError, Refused
from appliance.sealing.header import read_header
from appliance.sealing.identities import unwrap
from appliance.sealing.reader import SealedReader
from appliance.sealing.stream import CHUNK_SIZE, SEALED_CHUNK_SIZE

from .forge import FILE_KEY, IDENTITY, NONCE, OURS, header, sealed

HEAD = header(OURS) + NONCE


class TruncatingFile(io.RawIOBase):
    """The first ``size`` bytes of a file, without copying them."""

    def __init__(self, whole: bytes) -> None:
        self.whole = memoryview(whole)
        self.size = len(whole)
        self.offset = 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.offset = offset + (self.size if whence == io.SEEK_END else 0)
        return self.offset

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        start, self.offset = self.offset, min(self.offset + size, self.size)
        return bytes(self.whole[start : self.offset])

    def readline(self, size: int | None = -1, /) -> bytes:
        line = bytes(self.whole[self.offset : min(self.size, self.offset + 200)])
        line = line[: line.find(b"\n") + 1] or line
        self.offset += len(line)
        return line


def plain(size: int) -> bytes:
    return random.Random(size).randbytes(size)


THREE_CHUNKS = plain(2 * CHUNK_SIZE + 1000)


def pieces(whole: bytes) -> list[bytes]:
    """The sealed chunks of a file made by the forge."""
    body = whole[len(HEAD) :]
    return [body[i : i + SEALED_CHUNK_SIZE] for i in range(0, len(body), SEALED_CHUNK_SIZE)]


def test_a_three_chunk_file_cut_at_any_byte_does_not_open() -> None:
    source = TruncatingFile(sealed(THREE_CHUNKS))
    assert SealedReader(source, FILE_KEY).read_all(1 << 20) == THREE_CHUNKS
    for size in range(len(source.whole)):
        source.size = size
        with pytest.raises(Damaged):
            SealedReader(source, FILE_KEY)


@pytest.mark.parametrize("text", [b"", b"a picture of a hand"])
def test_every_single_bit_of_a_small_file_matters(text: bytes) -> None:
    whole = bytearray(sealed(text))
    for position in range(len(whole) * 8):
        whole[position // 8] ^= 1 << position % 8
        with pytest.raises((Damaged, Refused)):
            raw = bytes(whole)
            SealedReader(io.BytesIO(raw), unwrap([IDENTITY], read_header(io.BytesIO(raw)))).read_all(100)
        whole[position // 8] ^= 1 << position % 8


def test_every_single_bit_of_a_small_file_matters_to_a_reader_that_has_the_file_key() -> None:
    whole = bytearray(sealed(b"a picture of a hand"))
    for position in range(len(whole) * 8):
        whole[position // 8] ^= 1 << position % 8
        with pytest.raises(Damaged):
            SealedReader(io.BytesIO(bytes(whole)), FILE_KEY)
        whole[position // 8] ^= 1 << position % 8


OTHER_FILE = pieces(sealed(plain(2 * CHUNK_SIZE + 999)))

REARRANGED: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "first two swapped": lambda c: [c[1], c[0], c[2], c[3]],
    "middle two swapped": lambda c: [c[0], c[2], c[1], c[3]],
    "first dropped": lambda c: c[1:],
    "second dropped": lambda c: [c[0], *c[2:]],
    "last dropped": lambda c: c[:-1],
    "all but the last dropped": lambda c: c[-1:],
    "first duplicated": lambda c: [c[0], *c],
    "second duplicated": lambda c: [*c[:2], *c[1:]],
    "last duplicated": lambda c: [*c, c[-1]],
    "last moved to the front": lambda c: [c[-1], *c[:-1]],
    "a chunk of the same key in another place": lambda c: [c[0], OTHER_FILE[0], *c[2:]],
    "the end of another file of the same key": lambda c: [*c[:3], OTHER_FILE[2]],
    "zeros in the middle": lambda c: [c[0], bytes(SEALED_CHUNK_SIZE), *c[2:]],
}


@pytest.mark.parametrize("name", REARRANGED)
def test_rearranged_chunks_release_nothing_from_the_first_wrong_one_on(name: str) -> None:
    text = plain(3 * CHUNK_SIZE + 1000)
    raw = HEAD + b"".join(REARRANGED[name](pieces(sealed(text))))
    released = b""
    with pytest.raises(Damaged):
        for chunk in SealedReader(io.BytesIO(raw), FILE_KEY).chunks():
            released += chunk
    assert released == text[: len(released)]
    assert len(released) < len(text)


def test_a_range_that_touches_a_damaged_chunk_gives_nothing_and_others_stay_readable() -> None:
    text = plain(5 * CHUNK_SIZE + 1000)
    raw = bytearray(sealed(text))
    raw[len(HEAD) + 2 * SEALED_CHUNK_SIZE + 5000] ^= 4
    reader = SealedReader(io.BytesIO(bytes(raw)), FILE_KEY)
    bad = range(2 * CHUNK_SIZE, 3 * CHUNK_SIZE)
    for offset, length in ((0, len(text)), (bad.start - 1, 2), (bad.start, 1), (bad.stop - 1, 1), (bad.stop - 1, 2)):
        for _ in range(2):  # a second try must not find what the first one left behind
            with pytest.raises(Damaged):
                reader.read_at(offset, length)
    assert reader.read_at(0, bad.start) == text[: bad.start]
    assert reader.read_at(bad.stop, len(text)) == text[bad.stop :]
    released = []
    with pytest.raises(Damaged):
        released.extend(reader.chunks())
    assert b"".join(released) == text[: bad.start]


def test_a_file_that_shrinks_or_changes_while_it_is_open_is_noticed() -> None:
    text = plain(3 * CHUNK_SIZE)
    source = TruncatingFile(sealed(text))
    reader = SealedReader(source, FILE_KEY)
    source.size = len(HEAD) + SEALED_CHUNK_SIZE + 10
    assert reader.read_at(0, CHUNK_SIZE) == text[:CHUNK_SIZE]
    with pytest.raises(Damaged):
        reader.read_at(CHUNK_SIZE, 1)


def test_a_reader_keeps_at_most_two_chunks() -> None:
    source = io.BytesIO(sealed(plain(30 * CHUNK_SIZE)))
    tracemalloc.start()
    try:
        reader = SealedReader(source, FILE_KEY)
        for i in range(30):
            assert len(reader.read_at(i * CHUNK_SIZE, 10)) == 10
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 3 * CHUNK_SIZE


def test_a_random_file_is_refused() -> None:
    for seed in range(200):
        noise = random.Random(seed)
        head = noise.choice([b"", b"age-encryption.org/v1\n", header(OURS)[:100], HEAD])
        with pytest.raises(NegatoError):
            SealedReader(io.BytesIO(head + noise.randbytes(noise.randrange(3000))), FILE_KEY)
