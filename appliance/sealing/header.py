"""The header of an age v1 file: who may open it.

Parsed as strictly as the C2SP age specification asks, byte for byte: one header has exactly one spelling.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from appliance.errors import BadInput, Damaged
from appliance.sealing import unpadded

FILE_KEY_SIZE = 16
MAC_SIZE = 32
LONGEST_HEADER = 64 * 1024

_VERSION_LINE = b"age-encryption.org/v1\n"
_STANZA_PREFIX = b"-> "
_FOOTER = b"---"
_COLUMNS = 64
# The footer after the covered part: a space, 32 bytes in unpadded base64, a line feed.
_MAC_TEXT_SIZE = 1 + 43 + 1


class LineSource(Protocol):
    """What a header is read from: any binary file."""

    def readline(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Stanza:
    """The file key wrapped for one recipient: a kind such as ``X25519``, its arguments, the wrapped key."""

    kind: str
    arguments: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A well-formed header, which says nothing yet about its truth: ``mac`` is verified with the file key.

    ``raw`` holds every byte from the version line to the line feed after the MAC.
    """

    stanzas: tuple[Stanza, ...]
    mac: bytes
    raw: bytes

    @property
    def covered(self) -> bytes:
        """The bytes that the MAC covers: everything up to and including ``---``."""
        return self.raw[:-_MAC_TEXT_SIZE]


def read_header(source: LineSource) -> Header:
    """Read one header and leave ``source`` positioned on the byte after it.

    Reads at most 64 KiB. Raises :class:`Damaged` for whatever is not exactly a header (C2SP age, "Header").
    """
    lines = _Lines(source)
    version = lines.take()
    if version != _VERSION_LINE:
        raise Damaged("This is not an age v1 file.")
    stanzas: list[Stanza] = []
    line = lines.take()
    while line.startswith(_STANZA_PREFIX):
        kind, *arguments = _arguments(line)
        stanzas.append(Stanza(kind, tuple(arguments), _body(lines)))
        line = lines.take()
    if not stanzas:
        raise _malformed("it names no recipient")
    prefix = _FOOTER + b" "
    if not line.startswith(prefix):
        raise _malformed("a line is neither a recipient nor the end")
    mac = unpadded.decode(line[len(prefix) : -1])
    if len(mac) != MAC_SIZE:
        raise _malformed("its MAC has the wrong size")
    return Header(tuple(stanzas), mac, b"".join(lines.taken))


def parse_header(raw: bytes) -> Header:
    """Parse ``raw``, which must be one header and nothing after it; :class:`Damaged` otherwise."""
    header = read_header(io.BytesIO(raw))
    if len(header.raw) != len(raw):
        raise _malformed("bytes follow it")
    return header


def render_covered(stanzas: Sequence[Stanza]) -> bytes:
    """Return the header's bytes up to and including ``---``, the part that the MAC covers."""
    parts = [_VERSION_LINE]
    for stanza in stanzas:
        words = (stanza.kind, *stanza.arguments)
        if not all(word and all(33 <= ord(char) <= 126 for char in word) for word in words):
            raise BadInput("A recipient's stanza has an argument that a header cannot hold.")
        parts.append(_STANZA_PREFIX + " ".join(words).encode("ascii") + b"\n")
        text = unpadded.encode(stanza.body)
        # A body that fills its last line is followed by an empty one: the short line is the end mark.
        parts += [text[i : i + _COLUMNS] + b"\n" for i in range(0, len(text) + 1, _COLUMNS)]
    parts.append(_FOOTER)
    return b"".join(parts)


def render(covered: bytes, mac: bytes) -> bytes:
    """Return the whole header, given the covered part with its MAC; :class:`BadInput` if it would exceed 64 KiB."""
    raw = covered + b" " + unpadded.encode(mac) + b"\n"
    if len(raw) > LONGEST_HEADER:
        raise BadInput("This has too many recipients for one file.", "Seal it to fewer.")
    return raw


class _Lines:
    """Lines of a header with one budget of bytes for all of them."""

    def __init__(self, source: LineSource) -> None:
        self._source = source
        self._budget = LONGEST_HEADER
        self.taken: list[bytes] = []

    def take(self) -> bytes:
        """Return the next line with its line feed."""
        line = self._source.readline(self._budget)
        if not line.endswith(b"\n"):
            raise _malformed("it is cut short or longer than 64 KiB")
        self._budget -= len(line)
        self.taken.append(line)
        return line


def _arguments(line: bytes) -> list[str]:
    words = line[len(_STANZA_PREFIX) : -1].split(b" ")
    if not all(word and all(33 <= code <= 126 for code in word) for word in words):
        raise _malformed("a recipient has an empty argument or a foreign character")
    return [word.decode("ascii") for word in words]


def _body(lines: _Lines) -> bytes:
    text: list[bytes] = []
    while True:
        line = lines.take()[:-1]
        if len(line) > _COLUMNS:
            raise _malformed("a line is longer than 64 columns")
        text.append(line)
        if len(line) < _COLUMNS:
            return unpadded.decode(b"".join(text))


def _malformed(reason: str) -> Damaged:
    return Damaged(f"A sealed file's header is malformed: {reason}.")
