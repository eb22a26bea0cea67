"""multipart/related bodies, parsed and written as streams (RFC 2046 5.1, RFC 2387, PS3.18 8.6.1.2).

The parser is fed whatever pieces the network delivers and holds back at most a header block or a possible
delimiter. A line that begins with the delimiter is one (RFC 2046 5.1.1); anything behind it but blanks, or
two hyphens, is refused rather than guessed at.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from appliance.dicomweb.mediatype import parse
from appliance.errors import BadInput

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_FIELD: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*")
_MAX_PADDING: Final = 256


@dataclass(frozen=True, slots=True)
class PartBegun:
    """A part begins; header names in lower case."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """Some bytes of the current part; valid as long as the caller keeps them."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class PartEnded:
    """The current part is complete."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The final boundary was seen; what follows is ignored."""


Event = PartBegun | PartData | PartEnded | Closed
# Takes the data at hand and a position; returns events and the next position, or -1 to wait for more.
_State = Callable[[bytes, memoryview, int], tuple[list[Event], int]]


def boundary_of(content_type: str) -> tuple[str, str]:
    """Return boundary and ``type`` parameter (lower case, may be empty) of a multipart/related Content-Type.

    Raises :class:`BadInput` for another media type or a boundary that is missing or malformed (RFC 2046
    5.1.1).
    """
    media = parse(content_type)
    if media.name != "multipart/related":
        raise BadInput("The body is not multipart/related.", "Send multipart/related; type=application/dicom.")
    boundary = media.parameters.get("boundary", "")
    if _BOUNDARY.fullmatch(boundary) is None:
        raise BadInput("The boundary of the multipart body is missing or malformed.")
    return boundary, media.parameters.get("type", "").lower()


class Parser:
    """Push parser: :meth:`feed` pieces and handle their events, then :meth:`finish`.

    ``max_headers`` bounds the header fields of one part and ``max_header_bytes`` their block; ``max_parts``
    the parts.
    """

    def __init__(
        self, boundary: str, *, max_parts: int = 100_000, max_headers: int = 32, max_header_bytes: int = 16384
    ) -> None:
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._max_parts = max_parts
        self._max_headers = max_headers
        self._max_header_bytes = max_header_bytes
        self._state: _State = self._preamble
        # The body may begin with the delimiter: its line break is then the one that ends the HTTP header.
        self._held = b"\r\n"
        self._skip = 0
        self._parts = 0
        self._closed = False

    def feed(self, chunk: bytes | bytearray | memoryview) -> list[Event]:
        """Return the events of ``chunk``; raise :class:`BadInput` for a malformed body.

        A large ``bytes`` chunk is not copied: :class:`PartData` shows into it.
        """
        data = self._held + chunk if self._held else bytes(chunk)
        self._held = b""
        view = memoryview(data)
        position = 0
        events: list[Event] = []
        while position >= 0 and not self._closed:
            found, position = self._state(data, view, position)
            events += found
        return events

    def finish(self) -> None:
        """Say that the body ended; raise :class:`BadInput` if the final boundary never came."""
        if not self._closed:
            raise BadInput("The multipart body ends without its final boundary.", "Send it again.")

    def _preamble(self, data: bytes, view: memoryview, position: int) -> tuple[list[Event], int]:
        found = data.find(self._delimiter, position)
        if found < 0:
            self._held = data[self._safe_end(data, position) :]
            return [], -1
        self._state = self._delimiter_line
        return [], found + len(self._delimiter)

    def _delimiter_line(self, data: bytes, view: memoryview, position: int) -> tuple[list[Event], int]:
        if data.startswith(b"--", position):
            self._closed = True
            return [Closed()], -1
        end = data.find(b"\r\n", position, position + _MAX_PADDING)
        if end < 0:
            rest = data[position : position + _MAX_PADDING]
            if len(rest) >= _MAX_PADDING or rest.rstrip(b"\r").strip(b" \t") not in {b"", b"-"}:
                raise BadInput("A boundary of the multipart body is malformed.")
            self._held = data[position:]
            return [], -1
        if data[position:end].strip(b" \t"):
            raise BadInput("A boundary of the multipart body is malformed.")
        self._parts += 1
        if self._parts > self._max_parts:
            raise BadInput(f"The multipart body has more than {self._max_parts} parts.")
        self._state = self._headers
        return [], end

    def _headers(self, data: bytes, view: memoryview, position: int) -> tuple[list[Event], int]:
        """Read the header block; ``position`` is the line break before it, so that an empty block ends like
        others.
        """
        end = data.find(b"\r\n\r\n", position, position + self._max_header_bytes + 4)
        if end < 0:
            if len(data) - position >= self._max_header_bytes + 4:
                raise BadInput("The headers of a part are too long.")
            self._held = data[position:]
            return [], -1
        headers = self._fields(data[position + 2 : end]) if end > position else {}
        # The blank line's break may already belong to the next delimiter, if the part is empty.
        self._skip = 2
        self._state = self._body
        return [PartBegun(headers)], end + 2

    def _body(self, data: bytes, view: memoryview, position: int) -> tuple[list[Event], int]:
        found = data.find(self._delimiter, position)
        end = found if found >= 0 else self._safe_end(data, position)
        events: list[Event] = []
        if end > position:
            start = position + self._skip
            self._skip = 0
            if end > start:
                events.append(PartData(view[start:end]))
        if found < 0:
            self._held = data[end:]
            return events, -1
        self._state = self._delimiter_line
        return [*events, PartEnded()], found + len(self._delimiter)

    def _safe_end(self, data: bytes, position: int) -> int:
        """Return up to where ``data`` surely holds no beginning of a delimiter."""
        start = max(position, len(data) - len(self._delimiter) + 1)
        while (start := data.find(b"\r", start)) >= 0:
            if self._delimiter.startswith(data[start:]):
                return start
            start += 1
        return len(data)

    def _fields(self, block: bytes) -> dict[str, str]:
        text = block.decode("latin_1")
        lines = re.sub(r"\r\n[ \t]+", " ", text).split("\r\n")
        if len(lines) > self._max_headers:
            raise BadInput(f"A part has more than {self._max_headers} header fields.")
        headers: dict[str, str] = {}
        for line in lines:
            match = _FIELD.fullmatch(line)
            if match is None or any(ord(character) < 32 and character != "\t" for character in line):
                raise BadInput("A header of a part is malformed.")
            name = match.group(1).lower()
            if name in headers:
                raise BadInput("A part has the same header twice.")
            headers[name] = match.group(2)
        return headers


def new_boundary() -> str:
    """Return a boundary of 128 random bits, which no part contains."""
    return secrets.token_hex(16)


def content_type(media_type: str, boundary: str) -> str:
    """Return the Content-Type of a multipart/related body whose parts are of ``media_type`` (PS3.18
    8.7.3.5.1).
    """
    return f'multipart/related; type="{media_type}"; boundary={boundary}'


def write(parts: Iterable[tuple[Mapping[str, str], Iterable[bytes | memoryview]]], boundary: str) -> Iterator[bytes]:
    """Yield a multipart body: each part is its headers and the pieces of its content, passed on as they come.

    Raises :class:`BadInput` for a header that would break out of its line.
    """
    first = True
    for headers, pieces in parts:
        yield part_head(headers, boundary, first=first)
        first = False
        for piece in pieces:
            yield bytes(piece)
    yield (b"" if first else b"\r\n") + f"--{boundary}--\r\n".encode("ascii")


def part_head(headers: Mapping[str, str], boundary: str, *, first: bool = False) -> bytes:
    """Return what stands before a part's content: delimiter and headers. Every part but the ``first`` ends
    the last.
    """
    lines = [f"--{boundary}"]
    for name, value in headers.items():
        line = f"{name}: {value}"
        if _FIELD.fullmatch(line) is None or "\r" in line or not line.isprintable():
            raise BadInput("A header of a part cannot be written.")
        lines.append(line)
    return (("" if first else "\r\n") + "\r\n".join(lines) + "\r\n\r\n").encode("latin_1")
