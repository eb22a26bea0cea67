"""The wire format of decoder jobs: a length-prefixed JSON head, then the payload it announces."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

from appliance.errors import BadInput, Damaged, EnvironmentProblem, NegatoError
from appliance.imaging.shape import (
    FrameShape,
    Layout,
    layout_from_json,
    shape_from_json,
    to_json,
)

PREFIX = struct.Struct(">I")
MAX_HEAD = 64 * 1024
MAX_PAYLOAD = 1024**3
KINDS = frozenset({"frame", "view", "native_file"})
_CLASSES: dict[str, type[NegatoError]] = {
    "bad_input": BadInput,
    "damaged": Damaged,
    "environment": EnvironmentProblem,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A job's head: ``frame`` and ``view`` carry a shape, ``native_file`` none; ``size`` bytes of
    payload follow."""

    kind: str
    size: int
    shape: FrameShape | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of a good answer: the decoded frame's shape, for ``view`` the layout, and the payload's
    size."""

    size: int
    shape: FrameShape | None = None
    layout: Layout | None = None


def pack_request(request: Request) -> bytes:
    """Return prefix and head of a request; the payload follows on the wire."""
    shape = None if request.shape is None else to_json(request.shape)
    return _pack({"kind": request.kind, "size": request.size, "shape": shape})


def parse_request(head: bytes, max_payload: int = MAX_PAYLOAD) -> Request:
    """Return the checked request of a head; raise :class:`BadInput` for anything malformed or too large."""
    body = _parse(head)
    kind, size, shape = body.get("kind"), body.get("size"), body.get("shape")
    if set(body) != {"kind", "size", "shape"} or kind not in KINDS or type(size) is not int:
        raise BadInput("The decoder was sent a malformed job.")
    if not 0 <= size <= max_payload:
        raise BadInput("The image is larger than the decoder accepts.")
    if (shape is None) != (kind == "native_file"):
        raise BadInput("The decoder was sent a malformed job.")
    return Request(str(kind), size, None if shape is None else shape_from_json(shape))


def pack_answer(answer: Answer) -> bytes:
    """Return prefix and head of a good answer; the payload follows on the wire."""
    shape = None if answer.shape is None else to_json(answer.shape)
    layout = None if answer.layout is None else to_json(answer.layout)
    return _pack({"size": answer.size, "shape": shape, "layout": layout})


def pack_error(error: NegatoError) -> bytes:
    """Return prefix and head of an answer that says no; nothing follows."""
    code = next((code for code, kind in _CLASSES.items() if isinstance(error, kind)), "bad_input")
    return _pack({"error": code, "message": error.message, "next_step": error.next_step})


def parse_answer(head: bytes) -> Answer:
    """Return the answer of a head; raise the error that it carries, or :class:`Damaged` for a
    malformed one."""
    try:
        body = _parse(head)
        if "error" in body:
            raise _CLASSES[body["error"]](str(body["message"])[:500], str(body["next_step"])[:500])
        size, shape, layout = body["size"], body["shape"], body["layout"]
        if type(size) is not int or not 0 <= size <= MAX_PAYLOAD:
            raise KeyError("size")
    except KeyError as error:
        raise Damaged("The decoder answered something malformed.") from error
    return Answer(
        size,
        None if shape is None else shape_from_json(shape),
        None if layout is None else layout_from_json(layout),
    )


def head_length(prefix: bytes) -> int:
    """Return the length of the head that follows a prefix; raise :class:`BadInput` beyond the limit."""
    length: int = PREFIX.unpack(prefix)[0]
    if not 2 <= length <= MAX_HEAD:
        raise BadInput("The decoder was sent a malformed job.")
    return length


def _pack(body: dict[str, Any]) -> bytes:
    head = json.dumps(body, separators=(",", ":")).encode()
    return PREFIX.pack(len(head)) + head


def _parse(head: bytes) -> dict[str, Any]:
    try:
        body = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise BadInput("The decoder was sent a malformed job.") from error
    if not isinstance(body, dict):
        raise BadInput("The decoder was sent a malformed job.")
    return body
