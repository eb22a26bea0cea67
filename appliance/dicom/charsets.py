"""Text of a data set to Unicode, by its SpecificCharacterSet (PS3.5 6.1, PS3.3 C.12.1.1.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

Decode = Callable[[bytes], str]

# Defined terms to Python codecs; ISO_IR and ISO 2022 IR forms share the part after them.
_SETS: Final[dict[str, str]] = {
    "6": "ascii",
    "13": "shift_jis",
    "58": "gb2312",
    "87": "iso2022_jp",
    "100": "latin_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "126": "iso8859_7",
    "127": "iso8859_6",
    "138": "iso8859_8",
    "144": "iso8859_5",
    "148": "iso8859_9",
    "149": "euc_kr",
    "159": "iso2022_jp_2",
    "166": "iso8859_11",
    "192": "utf_8",
    "203": "iso8859_15",
    "GB18030": "gb18030",
    "GBK": "gbk",
}

# Escape sequence to (codec, whether the codec itself wants to see the escape). PS3.3 tables C.12-3 and
# C.12-4.
_ESCAPES: Final[dict[bytes, tuple[str, bool]]] = {
    b"\x1b(B": ("", False),
    b"\x1b(J": ("shift_jis", False),
    b"\x1b)I": ("shift_jis", False),
    b"\x1b-A": ("latin_1", False),
    b"\x1b-B": ("iso8859_2", False),
    b"\x1b-C": ("iso8859_3", False),
    b"\x1b-D": ("iso8859_4", False),
    b"\x1b-F": ("iso8859_7", False),
    b"\x1b-G": ("iso8859_6", False),
    b"\x1b-H": ("iso8859_8", False),
    b"\x1b-L": ("iso8859_5", False),
    b"\x1b-M": ("iso8859_9", False),
    b"\x1b-T": ("iso8859_11", False),
    b"\x1b-b": ("iso8859_15", False),
    b"\x1b$)C": ("euc_kr", False),
    b"\x1b$)A": ("gb2312", False),
    b"\x1b$B": ("iso2022_jp", True),
    b"\x1b$(D": ("iso2022_jp_2", True),
}
_ESCAPE = re.compile(b"|".join(re.escape(key) for key in _ESCAPES))
_DELIMITERS = re.compile(rb"[\\^=\r\n\t\f]")


def _codec(term: str) -> str | None:
    name = term.strip().upper().replace("-", " ").replace("_", " ")
    for prefix in ("ISO 2022 IR ", "ISO IR ", "ISO 2022 ", "ISO "):
        if name.startswith(prefix):
            return _SETS.get(name[len(prefix) :].strip())
    return _SETS.get(name) or ("utf_8" if name in {"UTF8", "UTF 8"} else None)


def _guess(raw: bytes) -> str:
    """Decode text whose declared character set is wrong or missing: UTF-8 if it is that, otherwise Latin-1,
    never failing.
    """
    try:
        return raw.decode("utf_8")
    except UnicodeDecodeError:
        return raw.decode("latin_1")


def _plain(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        return _guess(raw)


def _with_escapes(raw: bytes, first: str) -> str:
    """Decode ISO 2022 text: escapes switch the set until the next escape or delimiter (PS3.5 6.1.2.5)."""
    text: list[str] = []
    at = 0
    codec, escape = first, b""
    while at <= len(raw):
        found = _ESCAPE.search(raw, at)
        stop = found.start() if found else len(raw)
        piece = raw[at:stop]
        if escape:
            text.append(_plain(escape + piece, codec))  # a 94x94 set: bytes that look like delimiters are not
        else:
            reset = _DELIMITERS.search(piece) if codec != first else None
            cut = reset.start() if reset else len(piece)
            text.append(_plain(piece[:cut], codec))
            text.append(_plain(piece[cut:], first))
        if found is None:
            break
        codec, whole = _ESCAPES[found.group()]
        codec, escape = codec or first, found.group() if whole else b""
        at = found.end()
    return "".join(text)


def decoder(terms: Sequence[str]) -> Decode:
    """Return the function that turns a value's bytes into text for these SpecificCharacterSet values (may be
    empty).

    It never raises: an unknown term counts as absent, and text that its set cannot hold is read as UTF-8 or
    Latin-1, so that a name is kept rather than lost. Values are to be split at backslashes after decoding,
    since GB18030 and JIS X 0208 use that byte inside characters.
    """
    codecs = [_codec(term) for term in terms[:16]]
    first = codecs[0] if codecs and codecs[0] else "ascii"

    def decode(raw: bytes) -> str:
        if b"\x1b" in raw and _ESCAPE.search(raw):
            return _with_escapes(raw, first)
        return raw.decode("ascii") if raw.isascii() else _plain(raw, first)

    return decode
