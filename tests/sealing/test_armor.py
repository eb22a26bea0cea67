"""The text form of an age file: read as it streams, refused in any other spelling."""

from __future__ import annotations

import base64
import io
import time
import tracemalloc

import pytest

from appliance.errors import Damaged
from appliance.sealing.armor import without_armor

BEGIN, END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"
PIECE = 65 * 1024  # what is taken from the source at once
SIZES = [0, 1, 2, 3, 47, 48, 49, 95, 96, 48 * 1023, 48 * 1024 - 1, 48 * 1024, 48 * 1024 + 1, 48 * 3000 + 17]


def armored(data: bytes, end: bytes = b"\n") -> bytes:
    text = base64.b64encode(data)
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return b"".join(line + end for line in (BEGIN, *lines, END))


def read(text: bytes) -> bytes:
    return without_armor(io.BytesIO(text)).read()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("size", SIZES)
def test_every_size_is_read_back_with_either_line_end(size: int, end: bytes) -> None:
    data = bytes(i * 7 % 251 for i in range(size))
    assert read(armored(data, end)) == data
    assert read(b" \r\n\t\n" + armored(data, end) + b" \n\n\t") == data
    assert read(armored(data, end).rstrip()) == data


def test_what_is_binary_is_handed_on_as_it_is() -> None:
    assert read(b"age-encryption.org/v1\nwhatever follows") == b"age-encryption.org/v1\nwhatever follows"
    assert read(b"") == b""


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_cut_at_any_byte_it_is_refused(end: bytes) -> None:
    text = armored(bytes(range(130)), end)
    for cut in range(1, len(text.rstrip())):
        with pytest.raises(Damaged):
            read(text[:cut])


def test_any_flipped_bit_is_refused_or_spells_other_bytes() -> None:
    """The seal tells the other bytes from the right ones; one file has no second spelling but for white space."""
    data = bytes(range(100))
    text = armored(data)
    for bit in range(8 * len(text)):
        harmed = bytearray(text)
        harmed[bit // 8] ^= 1 << bit % 8
        try:
            same = read(bytes(harmed)) == data
        except Damaged:
            continue
        assert not same or bytes(harmed).split() == text.split(), bit


def test_a_line_longer_than_what_is_read_at_once_is_refused_without_being_held() -> None:
    class Endless(io.RawIOBase):
        def __init__(self) -> None:
            self.given, self.head = 0, BEGIN + b"\n"

        def readable(self) -> bool:
            return True

        def readinto(self, target: bytearray) -> int:  # type: ignore[override]
            size = len(target)
            piece = (self.head + b"A" * size)[:size]
            self.head = self.head[size:]
            target[:size] = piece
            self.given += size
            return size

    endless = Endless()
    with pytest.raises(Damaged):
        without_armor(io.BufferedReader(endless)).read()
    assert endless.given < 4 * PIECE


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_memory_stays_flat_and_no_line_end_is_slow(end: bytes) -> None:
    """A reader that copies what is left for every line needs a minute for what takes a tenth of a second."""
    data = bytes(16 * 1024 * 1024)
    text = armored(data, end)
    began = time.process_time()
    reader = without_armor(io.BytesIO(text))
    taken = 0
    while piece := reader.read(1 << 16):
        taken += len(piece)
    assert taken == len(data)
    assert time.process_time() - began < 2
    tracemalloc.start()
    try:
        reader = without_armor(io.BytesIO(text))
        while reader.read(1 << 16):
            pass
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024 * 1024
    finally:
        tracemalloc.stop()
