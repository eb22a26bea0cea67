"""Fragments find their frames with every kind of table, and without any."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import BadInput
from appliance.imaging.fragments import frame_fragments, trim

BASE = 1000
JPEG = [b"\xff\xd8\xff\xe0first", b"second part\xff\xd9\x00", b"\xff\xd8\xff\xdbother\xff\xd9"]
JPEG2000 = [b"\xff\x4f\xff\x51one", b"more\xff\xd9", b"\xff\x4f\xff\x51two\xff\xd9\x00"]


def _lay(values: list[bytes]) -> tuple[list[tuple[int, int]], bytes]:
    """Return the places of the values and a file in which they lie, item headers between them."""
    places, file = [], bytearray(BASE)
    for value in values:
        file += b"\xfe\xff\x00\xe0" + struct.pack("<I", len(value))
        places.append((len(file), len(value)))
        file += value
    return places, bytes(file)


def _never(offset: int, length: int) -> bytes:
    raise AssertionError("nothing needs to be read here")


def test_a_single_frame_takes_every_fragment() -> None:
    places, _ = _lay([b"a", b"bb", b"ccc"])
    assert frame_fragments(places, 1, _never) == [tuple(places)]


def test_one_fragment_a_frame_needs_no_table() -> None:
    places, _ = _lay([b"a", b"bb", b"ccc"])
    assert frame_fragments(places, 3, _never) == [(place,) for place in places]


def test_the_basic_offset_table_cuts_frames() -> None:
    places, _ = _lay([b"aa", b"bb", b"cc", b"dd"])
    assert frame_fragments(places, 2, _never, offset_table=(0, 30)) == [tuple(places[:3]), (places[3],)]


def test_the_extended_offset_table_goes_before_the_basic_one() -> None:
    places, _ = _lay([b"aa", b"bb", b"cc", b"dd"])
    grouped = frame_fragments(places, 2, _never, offset_table=(0, 30), extended_offsets=struct.pack("<2Q", 0, 10))
    assert grouped == [(places[0],), tuple(places[1:])]


@pytest.mark.parametrize("values", [JPEG, JPEG2000])
@pytest.mark.parametrize("table", [(), (0, 7), (0, 2**40), (5, 30), (0, 0)])
def test_markers_cut_frames_where_the_table_is_absent_or_wrong(values: list[bytes], table: tuple[int, ...]) -> None:
    places, file = _lay(values)
    read = lambda offset, length: file[offset : offset + length]  # noqa: E731
    assert frame_fragments(places, 2, read, offset_table=table) == [tuple(places[:2]), (places[2],)]


@pytest.mark.parametrize(
    "middle",
    [b"an end inside\xff\xd9", b"\xff\xd8\xffa beginning inside"],
    ids=["an end that no beginning follows", "a beginning that follows no end"],
)
def test_a_frame_is_cut_only_where_one_stream_ends_with_the_next_beginning(middle: bytes) -> None:
    places, file = _lay([b"\xff\xd8\xff\xe0", middle, b"rest\xff\xd9", b"\xff\xd8\xffnext", b"end\xff\xd9"])
    read = lambda offset, length: file[offset : offset + length]  # noqa: E731
    assert frame_fragments(places, 2, read) == [tuple(places[:3]), tuple(places[3:])]


@pytest.mark.parametrize("frames", [0, -1, 5, 3, 10**9])
def test_what_does_not_fit_is_refused(frames: int) -> None:
    places, file = _lay([b"x", b"y", b"z", b"w"])
    with pytest.raises(BadInput):
        frame_fragments(places, frames, lambda offset, length: file[offset : offset + length])
    with pytest.raises(BadInput):
        frame_fragments([], 1, _never)


def test_a_frame_is_trimmed_to_its_extended_length() -> None:
    lengths = struct.pack("<2Q", 3, 2**60)
    assert trim(b"abcd", lengths, 0) == b"abc"
    assert trim(b"abcd", lengths, 1) == b"abcd"
    assert trim(b"abcd", b"", 0) == b"abcd"


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=12),
    st.integers(1, 14),
    st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 200), max_size=14),
    st.binary(max_size=64),
)
def test_whatever_the_tables_say_every_frame_gets_fragments_in_order(sizes, frames, table, extended) -> None:
    places, file = _lay([bytes(size) for size in sizes])
    try:
        grouped = frame_fragments(
            places,
            frames,
            lambda offset, length: file[offset : offset + length],
            offset_table=table,
            extended_offsets=extended,
        )
    except BadInput:
        return
    assert len(grouped) == frames
    assert all(grouped)
    joined = [place for group in grouped for place in group]
    assert joined == places[: len(joined)]
