"""Whatever an attacker sends, the scanner answers soon, in little memory, with BadInput or a result."""

import json
import time
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from dicombytes import (
    BIG,
    DEFLATED,
    END,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    UNDEFINED,
    explicit,
    fragments,
    implicit,
    item,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.dicom.limits import Limits
from appliance.dicom.part10 import file_head
from appliance.dicom.scan import Scanner
from appliance.dicom.scanned import Scanned
from appliance.errors import BadInput

NAME = explicit(0x00100010, "PN", b"DUPONT^Marie")


def scan(pieces: Iterable[bytes], syntax: str | None = EXPLICIT, limits: Limits | None = None) -> Scanned:
    scanner = Scanner(syntax, limits=limits)
    for piece in pieces:
        scanner.feed(piece)
    return scanner.finish()


SMALL = Limits(json_bytes=1 << 20, fragments=20_000)
# What the attributes may take in memory, as Limits.json_bytes promises.
BOUND = 8.5 * SMALL.json_bytes


def peak(
    pieces: Iterable[bytes], syntax: str | None = EXPLICIT, limits: Limits | None = None, *, match: str = ""
) -> int:
    """Return the peak of memory in bytes that a scan needs, which must be refused with ``match`` if given."""
    tracemalloc.start()
    try:
        if match:
            with pytest.raises(BadInput, match=match):
                scan(pieces, syntax, limits)
        else:
            scan(pieces, syntax, limits)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def endless(piece: bytes, total: int) -> Iterator[bytes]:
    block = piece * (65_536 // len(piece) + 1)
    for _ in range(0, total, len(block)):
        yield block


@pytest.mark.parametrize("undefined", [False, True])
def test_three_hundred_nested_sequences_are_refused(undefined: bool) -> None:
    data = b""
    for _ in range(300):
        length = UNDEFINED if undefined else None
        data = explicit(0x0040A730, "SQ", item(data, undefined=undefined), length=length) + (END if undefined else b"")
    with pytest.raises(BadInput, match="nested deeper than 32"):
        scan([data])


def test_nesting_without_end_is_refused_in_implicit_vr_and_in_un_as_well() -> None:
    with pytest.raises(BadInput, match="nested deeper"):
        scan(
            [implicit(0x00091010, implicit(0xFFFEE000, b"", length=UNDEFINED), length=UNDEFINED) * 300],
            IMPLICIT,
        )
    head = explicit(0x00091010, "UN", b"", length=UNDEFINED) + implicit(0xFFFEE000, b"", length=UNDEFINED)
    inner = implicit(0x00091010, implicit(0xFFFEE000, b"", length=UNDEFINED), length=UNDEFINED)
    with pytest.raises(BadInput, match="nested deeper"):
        scan([head + inner * 300])


@pytest.mark.parametrize("length", [0xFFFFFFF0, 0xFFFFFFFE, 0x80000000, 0x7FFFFFFF])
@pytest.mark.parametrize("vr", ["OB", "OW", "UN", "UT", "SQ", "UC"])
def test_a_length_beyond_the_input_takes_no_memory(length: int, vr: str) -> None:
    assert peak([explicit(0x00091010, vr, b"x" * 100, length=length)], match=r"truncated|stands where") < 300_000
    assert peak([implicit(0x00100010, b"x" * 100, length=length)], IMPLICIT, match="truncated") < 300_000


def test_a_value_longer_than_its_item_and_an_item_longer_than_its_sequence_are_refused() -> None:
    long_value = explicit(0x00100020, "LO", b"abc", length=1000)
    for data in (
        explicit(0x00081140, "SQ", item(long_value)),
        explicit(0x00081140, "SQ", item(explicit(0x00091010, "UN", b"abc", length=0x7FFFFFFF))),
        explicit(0x00081140, "SQ", item(explicit(0x00081140, "SQ", b"", length=1000))),
        explicit(0x00081140, "SQ", item(NAME, length=1000)),
    ):
        with pytest.raises(BadInput, match="longer than"):
            scan([data + bytes(2000)])
    for rest in (b"\xfe\xff\x00\xe0", implicit(0xFFFEE000, b"", length=8)[:7]):
        with pytest.raises(BadInput, match=r"runs over the end|longer than"):
            scan([explicit(0x00081140, "SQ", item(b"") + rest) + bytes(100)])


def test_an_item_without_length_may_not_outlast_its_sequence() -> None:
    body = item(NAME, undefined=True)
    for length in range(1, len(body)):
        with pytest.raises(BadInput, match=r"runs over the end|longer than"):
            scan([explicit(0x00081140, "SQ", body, length=length) + NAME])
    scan([explicit(0x00081140, "SQ", body) + NAME])


def test_ten_million_tiny_elements_are_refused_soon() -> None:
    began = time.perf_counter()
    tiny = b"".join(explicit(0x00090000 | number, "US", b"") for number in range(0x1000, 0x9000))
    with pytest.raises(BadInput, match=r"elements|too large"):
        scan(endless(tiny, 80_000_000))
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        *(
            ("US", b""),
            ("US", b"\xff\xff"),
            ("PN", b"a=bc"),
            ("LO", b"ab"),
            ("SQ", b""),
            ("UN", b""),
            ("AT", b"abcd"),
        )
    ],
)
def test_the_memory_of_many_small_elements_is_bounded(vr: str, value: bytes) -> None:
    def pieces() -> Iterator[bytes]:
        for group in range(0x0011, 0x0051, 2):
            yield b"".join(explicit(group << 16 | number, vr, value) for number in range(0x1000, 0x9000))

    assert peak(pieces(), limits=SMALL, match="too large") < BOUND + 2_000_000


def test_the_memory_of_many_bulk_values_is_bounded() -> None:
    def pieces() -> Iterator[bytes]:
        for group in range(0x0011, 0xFF11, 2):
            yield b"".join(explicit(group << 16 | number, "UN", bytes(8194)) for number in range(0x1000, 0x1080))

    assert peak(pieces(), limits=SMALL, match="too large") < BOUND + 4_000_000


@pytest.mark.parametrize("content", [b"", explicit(0x00080100, "SH", b"A")])
def test_items_by_the_million_are_refused_in_bounded_memory(content: bytes) -> None:
    def pieces() -> Iterator[bytes]:
        yield explicit(0x0040A730, "SQ", b"", length=UNDEFINED)
        yield from endless(item(content), 100_000_000)

    assert peak(pieces(), limits=SMALL, match="too large") < BOUND


def test_fragments_by_the_million_are_refused_in_bounded_memory() -> None:
    def pieces() -> Iterator[bytes]:
        yield explicit(0x7FE00010, "OB", item(b""), length=UNDEFINED)
        yield from endless(item(b""), 100_000_000)

    assert peak(pieces(), JPEG, SMALL, match="fragments") < 4e6


def test_an_offset_table_without_end_is_refused() -> None:
    def pieces() -> Iterator[bytes]:
        yield explicit(0x7FE00010, "OB", implicit(0xFFFEE000, b"", length=0x7FFFFFF0), length=UNDEFINED)
        yield from endless(b"\0" * 8, 100_000_000)

    assert peak(pieces(), JPEG, match="offset table") < 1e6


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        *(
            ("DS", b"12\\"),
            ("IS", b"\\"),
            ("LO", b"ab\\"),
            ("PN", b"a=b\\"),
            ("UI", b"1\\"),
            ("US", b"\xff\xff"),
        ),
        *(("FD", b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\x3f"), ("AT", b"abcd"), ("PN", b"=\\"), ("CS", b"\\")),
    ],
)
def test_huge_multi_values_are_refused_in_bounded_memory(vr: str, value: bytes) -> None:
    raw = value * (65_000 // len(value))

    def pieces() -> Iterator[bytes]:
        for number in range(0x1000, 0x2000):
            yield explicit(0x00090000 | number, vr, raw)

    assert peak(pieces(), limits=SMALL, match="too large") < BOUND


@pytest.mark.parametrize("inner", ["bulk", "elements", "one"])
def test_a_deflate_bomb_is_harmless_and_bounded(inner: str) -> None:
    squeeze = zlib.compressobj(9, wbits=-15)
    head = {
        "bulk": explicit(0x7FE00010, "OW", b"", length=629_000_000),
        "elements": b"",
        "one": explicit(0x00091010, "UN", b"", length=0xFFFFFFF0),
    }[inner]
    fill = implicit(0x00090010, b"", length=0)[:4] + b"US\0\0" if inner == "elements" else bytes(8)
    packed = [squeeze.compress(head)]
    packed += [squeeze.compress(fill * 125_000) for _ in range(629)]
    packed.append(squeeze.flush())
    bomb = b"".join(packed)
    assert len(bomb) < 3_000_000
    began = time.perf_counter()
    match = {"bulk": "", "elements": "elements|too large", "one": "truncated"}[inner]
    if inner == "elements":
        with pytest.raises(BadInput, match=match):
            scan([bomb], DEFLATED)
    else:
        assert peak([bomb], DEFLATED, match=match) < 8e6
    assert time.perf_counter() - began < 20


def test_a_deflated_data_set_beyond_the_limit_is_refused() -> None:
    squeeze = zlib.compressobj(9, wbits=-15)
    packed = squeeze.compress(explicit(0x7FE00010, "OW", bytes(3_000_000))) + squeeze.flush()
    with pytest.raises(BadInput, match="inflates to more than"):
        scan([packed], DEFLATED, Limits(inflated=1_000_000))


@pytest.mark.parametrize("spoil", ["truncated", "garbled", "followed", "empty"])
def test_a_spoilt_deflated_data_set_is_refused(spoil: str) -> None:
    squeeze = zlib.compressobj(wbits=-15)
    packed = squeeze.compress(NAME * 100) + squeeze.flush()
    data = {"truncated": packed[:-3], "garbled": b"\xff" * 50, "followed": packed + NAME, "empty": b""}[spoil]
    with pytest.raises(BadInput):
        scan([data], DEFLATED)


@pytest.mark.parametrize("number", [0x1000, 0x0010])
def test_private_creators_do_not_fill_caches_or_memory(number: int) -> None:
    def pieces() -> Iterator[bytes]:
        for group in range(0x0009, 0xFFFF, 2):
            yield implicit(group << 16 | number, b"%05d" % group + b"x" * 60_000) + implicit(
                group << 16 | 0x1001, b"1234"
            )

    assert peak(pieces(), IMPLICIT, SMALL, match="too large") < BOUND + 2_000_000


def test_nothing_large_outlives_a_scan() -> None:
    tracemalloc.start()
    try:
        for number in range(200):
            creator = implicit(0x00090010, b"%05d" % number + b"x" * 60_000)
            scan([creator + implicit(0x00091001, b"1234")], IMPLICIT)
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_meta_information_without_end_is_refused() -> None:
    start = bytes(128) + b"DICM"
    for element in (
        explicit(0x00020102, "OB", bytes(100)),
        explicit(0x00020102, "OB", b"", length=0xFFFFFFF0),
    ):
        assert peak([start, *endless(element, 10_000_000)], None, match="too long") < 1e6


@pytest.mark.parametrize("tag", [0x00020010, 0x00000002, 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0xFFFE0001])
def test_what_does_not_belong_into_a_data_set_is_refused(tag: int) -> None:
    for data in (explicit(tag, "UI", b"1.2\0"), implicit(tag, b"")):
        with pytest.raises(BadInput):
            scan([NAME + data + NAME])
        with pytest.raises(BadInput):
            scan([explicit(0x00081140, "SQ", item(data + NAME)) + NAME])


def test_a_fragment_of_undefined_length_and_a_string_of_undefined_length_are_refused() -> None:
    with pytest.raises(BadInput, match="has no length"):
        scan(
            [explicit(0x7FE00010, "OB", implicit(0xFFFEE000, b"", length=UNDEFINED), length=UNDEFINED) + END],
            JPEG,
        )
    with pytest.raises(BadInput, match="undefined length"):
        scan([explicit(0x0040A160, "UT", b"", length=UNDEFINED) + NAME])
    with pytest.raises(BadInput, match="should begin"):
        scan([explicit(0x0040A730, "SQ", NAME)])


valid = b"".join(
    [
        explicit(0x00080005, "CS", b"ISO 2022 IR 6\\ISO 2022 IR 87"),
        explicit(0x00081140, "SQ", item(NAME, undefined=True) + item(b""), length=UNDEFINED) + END,
        explicit(0x00091010, "UN", item(implicit(0x00100010, b"A"), undefined=True), length=UNDEFINED) + END,
        explicit(0x00100010, "PN", b"A^B=\x1b$B;3ED\x1b(B=C"),
        explicit(0x00181060, "FD", b"\0" * 8),
        explicit(0x00280103, "US", b"\1\0"),
        explicit(0x00720060, "AT", b"\x10\0\x20\0"),
        fragments([b"abcd", b""], bytes(8)),
        explicit(0xFFFCFFFC, "OB", b"\0\0"),
    ]
)


def outcome(pieces: list[bytes], syntax: str | None) -> object:
    try:
        scanned = scan(pieces, syntax)
    except BadInput as error:
        return str(error)
    json.dumps(scanned.attributes, allow_nan=False)
    return scanned


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:stop] for start, stop in pairwise(marks)]


syntaxes = st.sampled_from([None, EXPLICIT, IMPLICIT, BIG, JPEG, DEFLATED])
places = st.lists(st.integers(0, 10_000), max_size=12)


@given(st.lists(st.tuples(st.integers(0, len(valid) - 1), st.integers(0, 255)), max_size=6), places, syntaxes)
@settings(max_examples=1500, deadline=None)
def test_a_corrupted_data_set_gives_bad_input_or_a_result_whatever_the_split(
    changes: list[tuple[int, int]], splits: list[int], syntax: str | None
) -> None:
    data = bytearray(valid)
    for place, value in changes:
        data[place] = value
    whole = bytes(data)
    if syntax is None:
        whole = file_head("1.2", "1.2.3", JPEG) + whole
    elif syntax == DEFLATED:
        squeeze = zlib.compressobj(wbits=-15)
        whole = squeeze.compress(whole) + squeeze.flush()
    expected = outcome([whole], syntax)
    assert outcome(cut(whole, splits), syntax) == expected
    assert outcome([bytes([byte]) for byte in whole], syntax) == expected


tags = st.sampled_from([0x00080005, 0x00100010, 0x00280103, 0x00091010, 0x00081140, 0x7FE00010, 0xFFFEE000, 0xFFFEE00D])
vrs = st.sampled_from(["AE", "AT", "DS", "FD", "IS", "LO", "OB", "OW", "PN", "SQ", "SV", "UI", "UN", "US", "UT"])
lengths = st.sampled_from([0, 1, 2, 7, 8, 16, UNDEFINED, 0xFFFFFFF0, 0x7FFFFFFF]) | st.none()
elements = st.builds(
    lambda tag, vr, value, length: explicit(
        tag, vr, value, length=None if length is not None and vr not in {"SQ", "UN", "OB", "OW"} else length
    ),
    tags,
    vrs,
    st.binary(max_size=16),
    lengths,
)
implicits = st.builds(
    lambda tag, value, length: implicit(tag, value, length=length), tags, st.binary(max_size=16), lengths
)


@given(st.lists(elements | implicits | st.binary(max_size=20), max_size=12).map(b"".join), places, syntaxes)
@settings(max_examples=1500, deadline=None)
def test_arbitrary_elements_give_bad_input_or_a_result_whatever_the_split(
    data: bytes, splits: list[int], syntax: str | None
) -> None:
    if syntax is None:
        data = file_head("1.2", "1.2.3", EXPLICIT) + data
    expected = outcome([data], syntax)
    assert outcome(cut(data, splits), syntax) == expected
