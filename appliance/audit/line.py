"""One line of an audit log as bytes: how it is written, what its hash covers, what is still one.

A line is one JSON object in UTF-8 without spaces: ``seq`` counts from 1, ``at`` is RFC 3339 in UTC, ``event`` reads
``source:subject:action``, ``prev`` is the ``hash`` of the line before (64 zeros for the first), and ``hash`` is the
SHA-256 of the line without it. There is one way to write a line: other bytes with the same meaning are no line.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

FIRST = "0" * 64
LONGEST_LINE = 1024 * 1024

MOST_DIGITS = 15  # of a whole number; nothing that is counted here comes near it

# The line's own hash, which stands behind prev, and more: what a line knows of other logs has hashes, too.
_BEYOND_HASH = re.compile(rb'"prev":"[0-9a-f]{64}","hash":"[0-9a-f]{64}..', re.DOTALL)


def render(fields: Mapping[str, Any]) -> bytes:
    """Return the bytes of a line, without the line feed."""
    return _compact(fields, sort=False)


def line_hash(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 in hex of a line without its ``hash``, keys sorted, as compact UTF-8 JSON."""
    return hashlib.sha256(_compact({k: v for k, v in fields.items() if k != "hash"}, sort=True)).hexdigest()


def parse(raw: bytes) -> dict[str, Any] | None:
    """Return the fields of a line, ``None`` for anything that :func:`render` would not have written.

    The hash is not looked at. A number of more than 15 digits is none of ours. Never raises, whatever the bytes are.
    """
    if len(raw) > LONGEST_LINE:
        return None
    try:
        fields = json.loads(raw, parse_int=_number)
        if not isinstance(fields, dict) or render(fields) != raw:
            return None
    except (ValueError, RecursionError):
        return None
    whole = type(fields.get("seq")) is int and all(isinstance(fields.get(key), str) for key in ("at", "event", "prev"))
    return fields if whole and isinstance(fields.get("hash"), str) else None


def is_torn(raw: bytes, seq: int) -> bool:
    """Return whether ``raw`` can be the beginning of line ``seq``, cut short by the end of its process.

    A whole line in which something was changed is not: its JSON breaks before its end, or goes on after its hash.
    """
    if not raw or len(raw) > LONGEST_LINE:
        return False
    start = f'{{"seq":{seq},"at":"'.encode()
    if raw[: len(start)] != start[: len(raw)]:
        return False
    text = raw.decode("utf-8", "ignore") if _cut_letter(raw) else raw.decode("utf-8", "surrogateescape")
    if _BEYOND_HASH.search(raw) or any("\udc80" <= letter <= "\udcff" for letter in text):
        return False
    try:
        json.loads(text, parse_int=_number)
    except json.JSONDecodeError as error:
        cut_escape = error.msg.startswith("Invalid \\") and error.pos >= len(text) - 6
        return error.pos >= len(text) or cut_escape or error.msg.startswith("Unterminated string")
    except (ValueError, RecursionError):
        return False
    return False


def _number(digits: str) -> int:
    """Read a whole number; :class:`ValueError` for one that nobody here counts to, and that Python might not print."""
    if len(digits.removeprefix("-")) > MOST_DIGITS:
        raise ValueError("This number is too long.")
    return int(digits)


def _cut_letter(raw: bytes) -> bool:
    """Return whether the bytes are UTF-8 but for a last letter that was cut."""
    for kept in range(len(raw) - 1, max(-1, len(raw) - 4), -1):
        if raw[kept] >= 0xC0:
            try:
                raw[:kept].decode("utf-8")
            except UnicodeDecodeError:
                return False
            return True
    return False


def _compact(fields: Mapping[str, Any], *, sort: bool) -> bytes:
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=sort)
    return text.encode("utf-8", "backslashreplace")
