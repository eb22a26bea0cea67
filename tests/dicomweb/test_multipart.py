"""multipart/related as a stream: what goes in comes out, for every split, within bounds (RFC 2046 5.1)."""

import time
from collections.abc import Iterable
from email import message_from_bytes
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.dicomweb.multipart import (
    Closed,
    Parser,
    PartBegun,
    PartData,
    PartEnded,
    boundary_of,
    content_type,
    new_boundary,
    write,
)
from appliance.errors import BadInput

Part = tuple[dict[str, str], bytes]
BOUNDARY = "b0und.ary"


def collect(pieces: Iterable[bytes], boundary: str = BOUNDARY, **bounds: int) -> list[Part]:
    parser = Parser(boundary, **bounds)
    parts: list[Part] = []
    ended = True
    for piece in pieces:
        for event in parser.feed(piece):
            match event:
                case PartBegun(headers):
                    assert ended
                    ended = False
                    parts.append((dict(headers), b""))
                case PartData(data):
                    assert not ended and len(data)
                    parts[-1] = (parts[-1][0], parts[-1][1] + bytes(data))
                case PartEnded():
                    ended = True
                case Closed():
                    assert ended
    parser.finish()
    return parts


def splits(whole: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(whole), *(place % (len(whole) + 1) for place in places)})
    return [whole[start:stop] for start, stop in pairwise(marks)]


# Bodies full of what looks like a delimiter; the delimiter itself cannot be in a body (RFC 2046 5.1.1).
fragments = st.sampled_from(
    [b"\r", b"\n", b"-", b"--", b"\r\n", b"\r\n--", b"\r\n--b0und", b"b0und.ary", b"x", b"\0\xff"]
)
bodies = st.lists(fragments | st.binary(max_size=8), max_size=12).map(b"".join)
bodies = bodies.filter(lambda body: b"\r\n--b0und.ary" not in b"\r\n" + body)
headers = st.dictionaries(st.sampled_from(["content-type", "content-location", "x-y"]), st.just("a/b; c=d"), max_size=3)


@given(st.lists(st.tuples(headers, bodies), max_size=4), st.lists(st.integers(0, 10_000), max_size=30))
@settings(max_examples=300, deadline=None)
def test_parts_survive_every_split_of_what_was_written(parts: list[Part], places: list[int]) -> None:
    whole = b"".join(write(((head, [body]) for head, body in parts), BOUNDARY))
    assert collect(splits(whole, places)) == parts
    assert collect(bytes([byte]) for byte in whole) == parts


@given(st.binary(max_size=200), st.lists(st.integers(0, 10_000), max_size=10))
@settings(max_examples=300, deadline=None)
def test_nothing_but_bad_input_comes_of_arbitrary_bytes(junk: bytes, places: list[int]) -> None:
    for start in [b"", b"--b0und.ary\r\n", b"--b0und.ary\r\na: b\r\n\r\n"]:
        outcomes = []
        for pieces in (splits(start + junk, places), [start + junk]):
            try:
                outcomes.append(collect(pieces))
            except BadInput as error:
                outcomes.append(error.message)
        assert outcomes[0] == outcomes[1]


def test_preamble_epilogue_and_transport_padding_are_ignored() -> None:
    body = (
        b"a preamble\r\n--b0und.ary \t \r\nA: 1\r\n\r\nhello\r\n--b0und.ary\t\r\n\r\n\r\n--b0und.ary-- \r\n"
        b"epilogue \r\n--b0und.ary"
    )
    assert collect([body]) == [({"a": "1"}, b"hello"), ({}, b"")]


def test_a_part_whose_blank_line_ends_at_the_boundary_is_empty() -> None:
    assert collect([b"--b0und.ary\r\nA: 1\r\n\r\n--b0und.ary--"]) == [({"a": "1"}, b"")]


def test_headers_are_unfolded_and_found_in_any_case() -> None:
    body = b"--b0und.ary\r\nCONTENT-Type:  application/dicom;\r\n  a=b \r\n\r\nx\r\n--b0und.ary--"
    assert collect([body]) == [({"content-type": "application/dicom; a=b"}, b"x")]


@pytest.mark.parametrize("length", [0, 5, 30, 40, 47])
def test_a_body_without_its_final_boundary_is_refused(length: int) -> None:
    body = b"--b0und.ary\r\nA: 1\r\n\r\nhello\r\n--b0und.ary--"
    with pytest.raises(BadInput, match="final boundary"):
        collect([body[: min(length, len(body) - 1)]])


@pytest.mark.parametrize(
    "body",
    [
        b"--b0und.aryX\r\n\r\n",  # RFC 2046 5.1.1: the line is a delimiter, but not a whole one
        b"--b0und.ary" + b" " * 300 + b"\r\n\r\n",
        b"--b0und.ary\r\nno colon\r\n\r\n",
        b"--b0und.ary\r\nA: 1\r\na: 2\r\n\r\n",
        b"--b0und.ary\r\nA: 1\0\r\n\r\n",
        b"--b0und.ary\r\nA: 1\nB: 2\r\n\r\n",
        b"--b0und.ary\r\n : 1\r\n\r\n",
        b"--b0und.ary\r\n" + b"A: 1\r\n" * 40 + b"\r\n",
        b"--b0und.ary\r\nA: " + b"x" * 20_000,
    ],
)
def test_malformed_headers_and_delimiters_are_refused(body: bytes) -> None:
    with pytest.raises(BadInput) as error:
        collect([body])
    assert "final boundary" not in error.value.message


def test_parts_are_counted() -> None:
    with pytest.raises(BadInput, match="more than 3 parts"):
        collect([b"--b0und.ary\r\n\r\n\r\n" * 4 + b"--b0und.ary--"], max_parts=3)


def test_endless_headers_and_preambles_are_not_collected() -> None:
    parser = Parser(BOUNDARY)
    for _ in range(100):
        parser.feed(b"x" * 100_000)
    assert len(parser._held) < 100


@pytest.mark.parametrize(
    ("header", "boundary", "kind"),
    [
        ('multipart/related; type="application/dicom"; boundary=abc', "abc", "application/dicom"),
        (
            'Multipart/Related;boundary="a b\'c";TYPE=application/dicom+JSON',
            "a b'c",
            "application/dicom+json",
        ),
        ("multipart/related; boundary=a:b; type=application/dicom; start=x", "a:b", "application/dicom"),
        ("multipart/related; boundary=" + "x" * 70, "x" * 70, ""),
    ],
)
def test_the_boundary_is_found_in_the_content_type(header: str, boundary: str, kind: str) -> None:
    assert boundary_of(header) == (boundary, kind)


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            "multipart/related",
            "multipart/form-data; boundary=a",
            "multipart/related; boundary=",
            "application/dicom",
        ),
        *(
            'multipart/related; boundary="a "',
            "multipart/related; boundary=" + "x" * 71,
            "multipart/related; boundary=é",
        ),
        *(
            "multipart/related; boundary=a; boundary=b",
            'multipart/related; boundary="a\r\nb"',
            "multipart/related; boundary=a b",
        ),
        "multipart/related; boundary=a" + ";x" * 9000,
    ],
)
def test_a_content_type_without_a_proper_boundary_is_refused(header: str) -> None:
    with pytest.raises(BadInput):
        boundary_of(header)


def test_pythons_mail_parser_reads_what_we_write() -> None:
    boundary = new_boundary()
    body = b"".join(write([({"Content-Type": "text/plain"}, [b"one"]), ({"X": "y"}, [b"t", b"wo"])], boundary))
    head = f"Content-Type: {content_type('text/plain', boundary)}\r\n\r\n".encode()
    parts = message_from_bytes(head + body).get_payload()
    assert [part.get_payload(decode=True) for part in parts] == [b"one", b"two"]
    assert boundary_of(content_type("application/dicom", boundary)) == (boundary, "application/dicom")


@pytest.mark.parametrize("header", [("A", "b\r\nC: d"), ("A\r\nB", "c"), ("A", "b\n"), ("", "x"), ("A:", "b\0")])
def test_a_header_that_would_break_out_of_its_line_is_not_written(header: tuple[str, str]) -> None:
    with pytest.raises(BadInput):
        list(write([(dict([header]), [b""])], BOUNDARY))


def test_fifty_megabytes_pass_at_five_hundred_megabytes_a_second() -> None:
    block = bytes(range(256)) * 4096
    body = b"".join(write([({"Content-Type": "application/dicom"}, [block] * 50)], BOUNDARY))
    pieces = [body[start : start + 65536] for start in range(0, len(body), 65536)]
    best = 1e9
    for _ in range(5):
        parser = Parser(BOUNDARY)
        began = time.perf_counter()
        seen = sum(len(event.data) for piece in pieces for event in parser.feed(piece) if isinstance(event, PartData))
        best = min(best, time.perf_counter() - began)
        assert seen == 50 << 20
    assert len(body) / best > 500e6
