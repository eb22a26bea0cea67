"""The text form of an age file, read back to bytes.

Strict PEM (RFC 7468, C2SP age "ASCII armor"): one spelling for one file, but for line ends (LF or CRLF) and blank space
around it. Decoded as it streams: what is held at once does not grow with the file.
"""

from __future__ import annotations

import io
import re
from binascii import a2b_base64, b2a_base64
from typing import BinaryIO

from appliance.errors import Damaged

_BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
_END = b"-----END AGE ENCRYPTED FILE-----"
_COLUMNS = 64
_MOST_BLANK = 1024
_PIECE = (_COLUMNS + 1) * 1024
# No line of an armored file is longer, its CRLF included.
_LONGEST_LINE = _COLUMNS + 2

_FULL_LINES = re.compile(rb"(?:[A-Za-z0-9+/]{64}\r?\n)+")
_LINE = re.compile(rb"[A-Za-z0-9+/]{1,64}={0,2}")


def without_armor(source: BinaryIO) -> BinaryIO:
    """Return ``source`` itself when it is binary, otherwise a reader of the bytes that its text stands for.

    An age file in its binary form begins with the letter ``a``, one in its text form with a dash or blank space. The
    reader raises :class:`Damaged` where the text is not exactly an armored file, at the latest at its end.
    """
    peeking = source if isinstance(source, io.BufferedReader) else io.BufferedReader(source)  # type: ignore[type-var]
    first = peeking.peek(1)[:1]
    if first != _BEGIN[:1] and not first.isspace():
        return peeking
    return io.BufferedReader(_Dearmored(peeking))


class _Dearmored(io.RawIOBase):
    """The bytes behind the text, in the order in which they stand there."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._text = b""
        self._ready = memoryview(b"")
        self._begun = self._last = self._ended = False

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, target: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than the stub
        """Fill ``target`` as far as the next piece goes; 0 at the end."""
        while not self._ready and not self._ended:
            self._ready = memoryview(self._next())
        taken = min(len(target), len(self._ready))
        target[:taken] = self._ready[:taken]
        self._ready = self._ready[taken:]
        return taken

    def _next(self) -> bytes:
        """Return what the next lines stand for, nothing when they only frame it."""
        if len(self._text) < _PIECE:
            self._text += self._source.read(_PIECE)
        if not self._begun:
            self._begin()
            return b""
        full = None if self._last else _FULL_LINES.match(self._text)
        if full:
            self._text = self._text[full.end() :]
            return a2b_base64(full[0])
        line = self._line()
        if line == _END:
            self._end()
            return b""
        if self._last or not _LINE.fullmatch(line) or len(line) > _COLUMNS or len(line) % 4:
            raise _malformed("a line is not of its form")
        decoded = a2b_base64(line)
        if b2a_base64(decoded, newline=False) != line:
            raise _malformed("its last line has another spelling")
        self._last = len(line) < _COLUMNS or line.endswith(b"=")
        return decoded

    def _begin(self) -> None:
        blank = 0
        while not (line := self._line()).strip():
            blank += len(line) + 1
            if blank > _MOST_BLANK:
                raise _malformed("too much blank space stands before it")
            if len(self._text) < _LONGEST_LINE:
                self._text += self._source.read(_PIECE)
        if line != _BEGIN:
            raise _malformed("it does not begin as one")
        self._begun = True

    def _line(self) -> bytes:
        """Take one line off the text; the last one may lack its line feed."""
        line, feed, rest = self._text.partition(b"\n")
        if (len(line) > _LONGEST_LINE and self._begun) or (not line and not feed):
            raise _malformed("a line is too long" if line else "it has no end")
        self._text = rest
        return line.removesuffix(b"\r") if feed else line

    def _end(self) -> None:
        after = self._text + self._source.read(_MOST_BLANK + 1)
        if after.strip() or len(after) > _MOST_BLANK:
            raise _malformed("something follows it")
        self._text, self._ended = b"", True


def _malformed(reason: str) -> Damaged:
    return Damaged(f"The text form of a sealed file is malformed: {reason}.")
