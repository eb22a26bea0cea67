"""One message between two processes of the box: a JSON object on one line, of bounded length."""

from __future__ import annotations

import json
from typing import Any

from appliance.errors import BadInput

LONGEST = 256 * 1024
DEEPEST = 6
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[{]}")


def encode(message: dict[str, Any]) -> bytes:
    """Return ``message`` as one line, its end included; :class:`BadInput` when it is longer than 256 KiB."""
    line = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
    if len(line) > LONGEST:
        raise BadInput("A message between processes is too long.")
    return line


def decode(line: bytes) -> dict[str, Any]:
    """Return the object on ``line``, which must end with its only line end.

    :class:`BadInput` for anything else than one JSON object without duplicate names and without depth, which is
    looked at before anything is parsed: no input makes the parser recurse further than that.
    """
    if len(line) > LONGEST:
        raise BadInput("A message between processes is too long.")
    if not line.endswith(b"\n") or line.count(b"\n") != 1:
        raise BadInput("A message between processes is not one line.")
    if _depth(line) > DEEPEST:
        raise BadInput("A message between processes is nested too deep.")
    try:
        message = json.loads(line.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except BadInput:
        raise
    except ValueError:
        raise BadInput("A message between processes is not JSON.") from None
    if not isinstance(message, dict):
        raise BadInput("A message between processes is not an object.")
    return message


def _depth(line: bytes) -> int:
    # Brackets inside texts count too: no text of ours has six of them open.
    deepest = depth = 0
    for byte in line.translate(None, _NO_BRACKETS):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadInput("A message between processes has one name twice.")
    return found


def _no_constant(_name: str) -> Any:
    raise BadInput("A message between processes has a number that is none.")
