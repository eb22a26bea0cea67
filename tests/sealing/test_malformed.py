"""Files that are almost age files, each named for its defect, are refused."""

from __future__ import annotations

import base64
import io
import itertools

import pytest

from appliance.errors import Damaged, Refused
from appliance.sealing.header import LONGEST_HEADER, parse_header, read_header, render, render_covered
from appliance.sealing.identities import Identity, unwrap
from appliance.sealing.reader import open_sealed
from appliance.sealing.stream import CHUNK_SIZE, SEALED_CHUNK_SIZE, TAG_SIZE, layout_of

from .forge import (
    BODY,
    FILE_KEY,
    IDENTITY,
    NONCE,
    OURS,
    SHARE,
    STANZA,
    VERSION,
    chunk,
    covered,
    header,
    mac_of,
    sealed,
    stream,
)

OTHER = b"-> X25519 " + SHARE + b"\n" + BODY[:-2] + b"AA\n"
TAIL = NONCE + stream([b"age"])
LOW_ORDER = base64.b64encode(bytes(32)).rstrip(b"=")
FULL = b"x" * CHUNK_SIZE


def unpad(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def open_file(raw: bytes) -> bytes:
    return open_sealed(raw, unwrap([IDENTITY], read_header(io.BytesIO(raw))))


ACCEPTED = {
    "one recipient": sealed(),
    "empty plaintext": sealed(b""),
    "full last chunk": sealed(FULL),
    "two full chunks": sealed(FULL * 2),
    "unknown stanza before": sealed(b"age", b"-> future a b c\n\n", OURS),
    "grease after": sealed(b"age", OURS, b'-> /-grease !"#$ ~~\nZ3JlYXNl\n'),
    "unknown stanza without arguments": sealed(b"age", b"-> future\n\n", OURS),
    "every visible character as argument": sealed(
        b"age", b"-> " + b" ".join(bytes([code]) for code in range(33, 127)) + b"\n\n", OURS
    ),
    "unknown stanza whose body fills a line": sealed(b"age", b"-> f\n" + unpad(bytes(48)) + b"\n\n", OURS),
    "unknown stanza with two full lines": sealed(b"age", b"-> f\n" + (unpad(bytes(48)) + b"\n") * 2 + b"\n", OURS),
    "unknown stanza with a long body": sealed(b"age", b"-> f\n" + unpad(bytes(48)) + b"\nAA\n", OURS),
    "somebody else first": sealed(b"age", OTHER, OURS),
    "the same recipient twice": sealed(b"age", OURS, OURS),
    "lower-case kind is another kind": sealed(b"age", b"-> x25519 a\nAA\n", OURS),
}

REFUSED = {
    "empty file": b"",
    "version line only": b"age-encryption.org/v1\n",
    "another version": header(OURS, version=b"age-encryption.org/v2\n") + TAIL,
    "a longer version": header(OURS, version=b"age-encryption.org/v1234\n") + TAIL,
    "version line with a space after it": header(OURS, version=b"age-encryption.org/v1 \n") + TAIL,
    "empty line first": header(OURS, version=b"\nage-encryption.org/v1\n") + TAIL,
    "byte order mark": b"\xef\xbb\xbf" + sealed(),
    "line ends with carriage return": header(OURS).replace(b"\n", b"\r\n") + TAIL,
    "carriage return in the version line": header(OURS, version=b"age-encryption.org/v1\r\n") + TAIL,
    "carriage return in the arguments": sealed(b"age", OURS.replace(SHARE + b"\n", SHARE + b"\r\n")),
    "carriage return in the body": sealed(b"age", OURS[:-1] + b"\r\n"),
    "armor": b"-----BEGIN AGE ENCRYPTED FILE-----\n"
    + base64.encodebytes(sealed())
    + b"-----END AGE ENCRYPTED FILE-----\n",
    "no recipient": header() + TAIL,
    "no footer": VERSION + OURS + TAIL,
    "stanza without a space": sealed(b"age", b"->X25519 " + SHARE + b"\n" + BODY + b"\n"),
    "stanza that starts with another mark": sealed(b"age", b"=> X25519 " + SHARE + b"\n" + BODY + b"\n"),
    "stanza without a kind": sealed(b"age", b"-> \n\n", OURS),
    "stanza without anything": sealed(b"age", b"->\n\n", OURS),
    "empty argument in the middle": sealed(b"age", b"-> X25519  " + SHARE + b"\n" + BODY + b"\n"),
    "empty argument at the end": sealed(b"age", b"-> X25519 " + SHARE + b" \n" + BODY + b"\n"),
    "empty argument of an unknown stanza": sealed(b"age", b"-> future a  b\n\n", OURS),
    "foreign character in an argument": sealed(b"age", b"-> future \xc3\xa9\n\n", OURS),
    "control character in an argument": sealed(b"age", b"-> future \x7f\n\n", OURS),
    "tab between arguments": sealed(b"age", b"-> X25519\t" + SHARE + b"\n" + BODY + b"\n"),
    "no body": sealed(b"age", b"-> future\n", OURS),
    "no body before the footer": sealed(b"age", OURS, b"-> future\n"),
    "no short line after a full one": sealed(b"age", b"-> future\n" + unpad(bytes(48)) + b"\n", OURS),
    "two short lines": sealed(b"age", b"-> X25519 " + SHARE + b"\n" + BODY[:20] + b"\n" + BODY[20:] + b"\n"),
    "short line in the middle": sealed(b"age", b"-> future\nAAAA\n" + unpad(bytes(48)) + b"\n\n", OURS),
    "two empty lines": sealed(b"age", b"-> future\n\n\n", OURS),
    "line of 65 columns": sealed(b"age", b"-> future\n" + unpad(bytes(48)) + b"A\nAAA\n", OURS),
    "line of 68 columns": sealed(b"age", b"-> future\n" + unpad(bytes(51)) + b"\n", OURS),
    "padding after the body": sealed(b"age", OURS[:-1] + b"=\n"),
    "padding after the share": sealed(b"age", b"-> X25519 " + SHARE + b"=\n" + BODY + b"\n"),
    "padding after an unknown body": sealed(b"age", b"-> future\nAA==\n", OURS),
    "non-canonical unknown body": sealed(b"age", b"-> future\nAB\n", OURS),
    "impossible length of base64": sealed(b"age", b"-> future\nAAAAA\n", OURS),
    "url-safe base64": sealed(b"age", b"-> future\nAA-_\n", OURS),
    "space inside base64": sealed(b"age", b"-> future\nAA AA\n", OURS),
    "space after a body line": sealed(b"age", OURS[:-1] + b" \n"),
    "mac missing": covered(OURS) + b"\n" + TAIL,
    "mac empty": covered(OURS) + b" \n" + TAIL,
    "mac without a space": covered(OURS) + mac_of(covered(OURS)) + b"\n" + TAIL,
    "mac after two spaces": covered(OURS) + b"  " + mac_of(covered(OURS)) + b"\n" + TAIL,
    "mac with a space after it": covered(OURS) + b" " + mac_of(covered(OURS)) + b" \n" + TAIL,
    "mac cut": covered(OURS) + b" " + mac_of(covered(OURS))[:-3] + b"\n" + TAIL,
    "mac with more": covered(OURS) + b" " + mac_of(covered(OURS)) + b"AAAA\n" + TAIL,
    "mac padded": covered(OURS) + b" " + mac_of(covered(OURS)) + b"=\n" + TAIL,
    "mac wrong": covered(OURS) + b" " + unpad(bytes(32)) + b"\n" + TAIL,
    "mac over another header": covered(OURS, OURS) + b" " + mac_of(covered(OURS)) + b"\n" + TAIL,
    "share missing": sealed(b"age", b"-> X25519\n" + BODY + b"\n"),
    "second argument": sealed(b"age", b"-> X25519 " + SHARE + b" more\n" + BODY + b"\n"),
    "share of 31 bytes": sealed(b"age", b"-> X25519 " + unpad(bytes(31)) + b"\n" + BODY + b"\n"),
    "share of 33 bytes": sealed(b"age", b"-> X25519 " + unpad(bytes(33)) + b"\n" + BODY + b"\n"),
    "share of low order": sealed(b"age", b"-> X25519 " + LOW_ORDER + b"\n" + BODY + b"\n"),
    "share of 31 bytes after ours": sealed(b"age", OURS, b"-> X25519 " + unpad(bytes(31)) + b"\nAA\n"),
    "wrapped key of 31 bytes": sealed(b"age", b"-> X25519 " + SHARE + b"\n" + unpad(bytes(31)) + b"\n"),
    "wrapped key of 33 bytes": sealed(b"age", b"-> X25519 " + SHARE + b"\n" + unpad(bytes(33)) + b"\n"),
    "wrapped key empty": sealed(b"age", b"-> X25519 " + SHARE + b"\n\n"),
    "passphrase beside a recipient": sealed(b"age", b"-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\n" + BODY + b"\n", OURS),
    "malformed recipient after ours": sealed(b"age", OURS, b"-> X25519\n\n"),
    "no nonce": header(OURS),
    "short nonce": header(OURS) + NONCE[:15],
    "no chunks": header(OURS) + NONCE,
    "chunk without a tag": header(OURS) + NONCE + bytes(15),
    "empty last chunk": header(OURS) + NONCE + stream([FULL, b""]),
    "no last chunk": header(OURS) + NONCE + chunk(0, b"age", last=False),
    "no last chunk, full": header(OURS) + NONCE + chunk(0, FULL, last=False),
    "two last chunks": header(OURS) + NONCE + chunk(0, FULL, last=True) + chunk(1, b"age", last=True),
    "second chunk not last": header(OURS) + NONCE + chunk(0, FULL, last=False) + chunk(1, b"age", last=False),
    "short chunk in the middle": header(OURS) + NONCE + stream([b"x" * 100, b"age"]),
    "chunk longer than 64 KiB": header(OURS) + NONCE + stream([FULL + b"x"]),
    "counter that starts at one": header(OURS) + NONCE + chunk(1, b"age", last=True),
    "one byte after the end": sealed() + b"\0",
    "a line feed after the end": sealed() + b"\n",
    "a whole chunk after the end": sealed(FULL) + chunk(1, b"", last=True),
    "much after the end": sealed() + bytes(2 * CHUNK_SIZE),
    "another file after the end": sealed() + sealed(),
    "bad tag": sealed()[:-1] + bytes([sealed()[-1] ^ 1]),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_rare_but_right_file_opens(name: str) -> None:
    expected = {"empty plaintext": b"", "full last chunk": FULL, "two full chunks": FULL * 2}
    assert open_file(ACCEPTED[name]) == expected.get(name, b"age")


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_file_is_refused_as_damaged(name: str) -> None:
    with pytest.raises(Damaged):
        open_file(REFUSED[name])


@pytest.mark.parametrize(
    "raw",
    [
        sealed(b"age", OTHER),
        sealed(b"age", b"-> future\n\n"),
        sealed(b"age", b"-> x25519 " + SHARE + b"\n" + BODY + b"\n"),
    ],
)
def test_a_file_for_somebody_else_is_refused_but_not_called_damaged(raw: bytes) -> None:
    with pytest.raises(Refused):
        open_file(raw)


NOT_THE_PARSERS = (
    "mac wrong",
    "mac over",
    "share",
    "second argument",
    "padding after the share",
    "wrapped",
    "passphrase",
    "malformed recipient",
)
OF_THE_PAYLOAD = ("nonce", "chunk", "counter", "after the end", "bad tag")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in REFUSED
        if not name.startswith(NOT_THE_PARSERS) and not any(part in name for part in OF_THE_PAYLOAD)
    ],
)
def test_a_malformed_header_is_refused_by_its_form_alone(name: str) -> None:
    with pytest.raises(Damaged):
        read_header(io.BytesIO(REFUSED[name]))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("share of 31 bytes", "share of the wrong size"),
        ("share of 33 bytes", "share of the wrong size"),
        ("second argument", "number of arguments"),
        ("wrapped key of 31 bytes", "wrapped key of the wrong size"),
        ("passphrase beside a recipient", "passphrase"),
        ("mac wrong", "altered"),
        ("mac over another header", "altered"),
    ],
)
def test_a_malformed_recipient_or_mac_is_refused_before_the_payload_is_looked_at(name: str, reason: str) -> None:
    with pytest.raises(Damaged, match=reason):
        unwrap([IDENTITY], read_header(io.BytesIO(REFUSED[name])))


@pytest.mark.parametrize("size", [*range(TAG_SIZE), SEALED_CHUNK_SIZE + 1, SEALED_CHUNK_SIZE + TAG_SIZE])
def test_a_payload_size_that_no_plaintext_has_is_refused(size: int) -> None:
    with pytest.raises(Damaged):
        layout_of(size)


def test_every_share_of_low_order_is_refused() -> None:
    # The points of order 1, 2, 4 and 8 and their non-canonical forms: RFC 7748 section 6.1, cr.yp.to/ecdh.html.
    p = 2**255 - 19
    order8 = 325606250916557431795983626356110631294008115727848805560023387167927233504
    order8_twin = 39382357235489614581723060781553021112529911719440698176882885853963445705823
    for point in (0, 1, p - 1, p, p + 1, order8, order8_twin):
        raw = sealed(b"age", b"-> X25519 " + unpad(point.to_bytes(32, "little")) + b"\n" + BODY + b"\n")
        with pytest.raises(Damaged, match="low order"):
            open_file(raw)


def test_an_endless_header_is_read_no_further_than_its_limit() -> None:
    class Endless(io.RawIOBase):
        taken = 0

        lines = itertools.chain([VERSION], itertools.cycle([b"-> future\n", b"\n"]))

        def readline(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert size >= 0
            line = next(self.lines)[:size]
            self.taken += len(line)
            assert self.taken <= LONGEST_HEADER
            return line

    source = Endless()
    with pytest.raises(Damaged):
        read_header(source)
    with pytest.raises(Damaged):
        read_header(io.BytesIO(b"age-encryption.org/v1\n-> " + b"a" * 10_000_000))


def test_a_header_has_one_spelling() -> None:
    for raw in ACCEPTED.values():
        header_read = read_header(io.BytesIO(raw))
        assert render(render_covered(header_read.stanzas), header_read.mac) == header_read.raw
        assert raw.startswith(header_read.raw)
        assert parse_header(header_read.raw) == header_read
        with pytest.raises(Damaged):
            parse_header(header_read.raw + b"\0")


def test_reading_a_header_stops_right_behind_it() -> None:
    source = io.BytesIO(sealed())
    read_header(source)
    assert source.read() == TAIL


def test_the_ephemeral_secret_of_a_stanza_is_fresh_each_time() -> None:
    recipient = IDENTITY.recipient()
    assert recipient.wrap(FILE_KEY).arguments != recipient.wrap(FILE_KEY).arguments
    assert recipient.wrap(FILE_KEY, ephemeral=bytes([7]) * 32) == STANZA


def test_a_key_found_for_one_identity_does_not_depend_on_their_order() -> None:
    others = [Identity.generate() for _ in range(3)]
    read = read_header(io.BytesIO(sealed()))
    assert unwrap([*others, IDENTITY], read) == unwrap([IDENTITY, *others], read) == FILE_KEY
