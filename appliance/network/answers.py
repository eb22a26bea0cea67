"""What answers of netd and courier have in common: ``{"ok": ...}``, or the error that a caller raises again."""

from __future__ import annotations

from typing import Any

from appliance import errors
from appliance.errors import BadInput, NegatoError
from appliance.network import line

# What an answer may say went wrong, by name; anything else comes as EnvironmentProblem.
_KINDS: dict[str, type[NegatoError]] = {
    kind.__name__: kind for kind in (BadInput, errors.Refused, errors.Damaged, errors.EnvironmentProblem)
}


def encode_ok(content: dict[str, Any]) -> bytes:
    """Return the line that answers with ``content``."""
    return line.encode({"ok": content})


def encode_error(error: NegatoError) -> bytes:
    """Return the line that says why not; the texts of our errors hold no secret."""
    kind = type(error).__name__ if type(error).__name__ in _KINDS else "EnvironmentProblem"
    return line.encode({"error": kind, "message": error.message, "next_step": error.next_step})


def decode(raw: bytes) -> dict[str, Any]:
    """Return the content of an answer; raises the error that it holds instead, :class:`BadInput` if it is none."""
    message = line.decode(raw)
    if "error" in message:
        kind = _KINDS.get(str(message["error"]), errors.EnvironmentProblem)
        raise kind(str(message.get("message", "")), str(message.get("next_step", "")))
    found = message.get("ok")
    if not isinstance(found, dict):
        raise BadInput("An answer between processes is none.")
    return found
