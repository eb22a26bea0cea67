"""The half of a slot's key that a person's devices hold: one random P, wrapped once for each device.

Beside the slot lies one file of wraps, JSON: version, the person's id, and under each device's id its kind, the wrap
and, from a renewal until the device shows its fresh secret, the next wrap: an answer that was lost on the way locks
nobody out. A checksum tells a broken disk from a device that is unknown or was revoked. ``browser`` is a claimed
browser's secret, ``passkey`` the output of a passkey's PRF; both have 32 bytes. The file alone is worth nothing: a
stolen box has neither the passphrase nor a device.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
import secrets
from base64 import b64decode, b64encode
from typing import Any, NamedTuple

from appliance.errors import BadInput, Damaged, Refused
from appliance.keyring.disk import remove_key_file, write_key_file
from appliance.paths import StatePaths
from appliance.regular import read_regular
from appliance.sealing.device_wrap import HALF_SIZE, open_half, wrap_half

VERSION = 1
DEVICE_KINDS = ("browser", "passkey")
MOST_DEVICES = 64
LARGEST_FILE = 64 * 1024

_DEVICE = re.compile(r"[0-9a-f]{16}")


class _Wrap(NamedTuple):
    kind: str
    wrap: bytes
    following: bytes = b""


_Wraps = dict[str, _Wrap]


def new_half() -> bytes:
    """Return a fresh P, 32 random bytes."""
    return secrets.token_bytes(HALF_SIZE)


def add_wrap(paths: StatePaths, person: str, device: str, kind: str, half: bytes, secret: bytes) -> None:
    """Let one more device hold ``half``, or give a known one a fresh secret.

    ``device`` is 16 hex digits. Raises :class:`BadInput` for an unknown kind, too many devices or wrong sizes.
    """
    if kind not in DEVICE_KINDS or not _DEVICE.fullmatch(device):
        raise BadInput("There is no such kind of device, or its id is malformed.")
    wraps = _read(paths, person)
    if device not in wraps and len(wraps) >= MOST_DEVICES:
        raise BadInput(f"A person has {MOST_DEVICES} devices at most.", "Remove one that is not used any more.")
    wraps[device] = _Wrap(kind, wrap_half(half, secret, _context(person, device, kind)))
    _write(paths, person, wraps)


def renew_wrap(paths: StatePaths, person: str, device: str, half: bytes, shown: bytes, fresh: bytes) -> None:
    """Let a device that showed one secret hold ``half`` under a fresh one, too; any other it had is worth nothing now.

    Raises :class:`Refused` as :func:`open_wrap`.
    """
    wraps = _read(paths, person)
    known, context = _known(wraps, device), _context(person, device, _known(wraps, device).kind)
    kept = next((wrap for wrap in (known.wrap, known.following) if wrap and _opens(wrap, shown, context)), None)
    if kept is None:
        raise _not_own()
    wraps[device] = _Wrap(known.kind, kept, wrap_half(half, fresh, context))
    _write(paths, person, wraps)


def open_wrap(paths: StatePaths, person: str, device: str, secret: bytes) -> bytes:
    """Return P as one device holds it; :class:`Refused` for a device that is unknown, revoked or has another secret."""
    known = _known(_read(paths, person), device)
    context = _context(person, device, known.kind)
    if known.following and _opens(known.following, secret, context):
        return open_half(known.following, secret, context)
    return open_half(known.wrap, secret, context)


def revoke_wrap(paths: StatePaths, person: str, device: str) -> None:
    """Take P from one device; harmless for an unknown one."""
    wraps = _read(paths, person)
    wraps.pop(device, None)
    if wraps:
        _write(paths, person, wraps)
    else:
        remove_key_file(paths.possession(person))


def devices(paths: StatePaths, person: str) -> dict[str, str]:
    """Return the kind of every device that holds P, by the device's id."""
    return {device: known.kind for device, known in _read(paths, person).items()}


def _known(wraps: _Wraps, device: str) -> _Wrap:
    found = wraps.get(device)
    if found is None:
        raise _not_own()
    return found


def _not_own() -> Refused:
    return Refused("This device is not one of the person's own.", "Claim the device.")


def _opens(wrap: bytes, secret: bytes, context: bytes) -> bool:
    try:
        open_half(wrap, secret, context)
    except Refused:
        return False
    return True


def _context(person: str, device: str, kind: str) -> bytes:
    """Return what binds a wrap to its place, so that none can be moved to another person, device or kind."""
    return f"negatoscope {kind} {device} of {person}".encode("ascii")


def _read(paths: StatePaths, person: str) -> _Wraps:
    malformed = Damaged("The list of a person's devices cannot be read.", "Restore keys/ from a backup.")
    try:
        raw = read_regular(paths.possession(person), LARGEST_FILE)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise malformed from error
    try:
        body = json.loads(raw)
        if body["version"] != VERSION or body["person"] != person:
            raise malformed
        wraps = {
            d: _Wrap(str(w["kind"]), b64decode(w["wrap"], validate=True), b64decode(w.get("next", ""), validate=True))
            for d, w in body["devices"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise malformed from error
    if not all(_DEVICE.fullmatch(device) and kind in DEVICE_KINDS for device, (kind, *_) in wraps.items()):
        raise malformed
    if _render(person, wraps) != raw:
        raise malformed
    return wraps


def _write(paths: StatePaths, person: str, wraps: _Wraps) -> None:
    write_key_file(paths.possession(person), _render(person, wraps), like=paths.slot(person))


def _render(person: str, wraps: _Wraps) -> bytes:
    listed = {
        d: {"kind": known.kind, "wrap": b64encode(known.wrap).decode("ascii")}
        | ({"next": b64encode(known.following).decode("ascii")} if known.following else {})
        for d, known in wraps.items()
    }
    body: dict[str, Any] = {"version": VERSION, "person": person, "devices": listed}
    body["sha256"] = hashlib.sha256(_canonical(body)).hexdigest()
    return _canonical(body) + b"\n"


def _canonical(body: dict[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode("ascii")
