"""Media types with parameters, as they stand in Content-Type and Accept (RFC 9110 8.3.1, PS3.18 8.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.errors import BadInput

MAX_LENGTH = 8192
"""Longest header value that is looked at, in characters."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # a token of RFC 9110, no secret
_NAME = re.compile(rf"[ \t]*({_TOKEN})/({_TOKEN})[ \t]*")
# A value that should be quoted but is not (type=application/dicom, boundary=a:b) is common, so it may run
# to the next separator.
_PARAMETER = re.compile(rf'[ \t]*({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\\r\n]|\\[^\r\n])*)"|([^",;\s]+))[ \t]*')


@dataclass(frozen=True, slots=True)
class MediaType:
    """One media type or range: ``name`` in lower case, parameter names too; values as sent, without
    quotes.
    """

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse(text: str) -> MediaType:
    """Parse one media type; raise :class:`BadInput` if it is not one or something follows it."""
    parsed, end = _parse_at(text, 0)
    if parsed is None or end != len(text):
        raise BadInput("A Content-Type is malformed.")
    return parsed


def parse_list(text: str) -> list[MediaType]:
    """Parse a comma-separated list; members that are malformed are left out, as PS3.18 8.7.7 asks.

    Raises :class:`BadInput` only for a value longer than :data:`MAX_LENGTH`.
    """
    if len(text) > MAX_LENGTH:
        raise BadInput("An Accept header is too long.")
    found = []
    position = 0
    while position < len(text):
        parsed, end = _parse_at(text, position)
        stop = _next_comma(text, end)
        if parsed is not None and not text[end:stop].strip(" \t"):
            found.append(parsed)
        position = stop + 1
    return found


def _parse_at(text: str, position: int) -> tuple[MediaType | None, int]:
    if len(text) > MAX_LENGTH:
        raise BadInput("A media type is too long.")
    name = _NAME.match(text, position)
    if name is None:
        return None, position
    parameters: dict[str, str] = {}
    position = name.end()
    while position < len(text) and text[position] == ";":
        parameter = _PARAMETER.match(text, position + 1)
        if parameter is None:
            empty = re.compile(r"[ \t]*").match(text, position + 1)
            position = empty.end() if empty else position + 1
            if position < len(text) and text[position] not in ";,":
                return None, position
            continue
        key, quoted, plain = parameter.groups()
        if key.lower() in parameters:
            return None, parameter.end()
        parameters[key.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        position = parameter.end()
    return MediaType(f"{name.group(1)}/{name.group(2)}".lower(), parameters), position


def _next_comma(text: str, position: int) -> int:
    """Return where the list member ends that contains ``position``; commas in quotes do not end it."""
    quoted = False
    while position < len(text):
        character = text[position]
        if quoted and character == "\\":
            position += 1
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            return position
        position += 1
    return len(text)
