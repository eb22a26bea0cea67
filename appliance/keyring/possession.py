"""The half of a slot's key that a person's devices hold: one random P, wrapped once for each device.

Beside the slot lies one file of wraps, JSON: version, the person's id, and under each device's id its kind and the
wrap, with a checksum that tells a broken disk from a device that is unknown or was revoked. ``browser`` is a claimed
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
from typing import Any

from appliance.errors import BadInput, Damaged, Refused
from appliance.keyring.disk import remove_key_file, write_key_file
from appliance.paths import StatePaths
from appliance.sealing.device_wrap import HALF_SIZE, open_half, wrap_half

VERSION = 1
DEVICE_KINDS = ("browser", "passkey")
MOST_DEVICES = 64
LARGEST_FILE = 64 * 1024

_DEVICE = re.compile(r"[0-9a-f]{16}")

_Wraps = dict[str, tuple[str, bytes]]


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
    wraps[device] = (kind, wrap_half(half, secret, _context(person, device, kind)))
    _write(paths, person, wraps)


def open_wrap(paths: StatePaths, person: str, device: str, secret: bytes) -> bytes:
    """Return P as one device holds it; :class:`Refused` for a device that is unknown, revoked or has another secret."""
    found = _read(paths, person).get(device)
    if found is None:
        raise Refused("This device is not one of the person's own.", "Claim the device.")
    kind, wrapped = found
    return open_half(wrapped, secret, _context(person, device, kind))


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
    return {device: kind for device, (kind, _) in _read(paths, person).items()}


def _context(person: str, device: str, kind: str) -> bytes:
    """Return what binds a wrap to its place, so that none can be moved to another person, device or kind."""
    return f"negatoscope {kind} {device} of {person}".encode("ascii")


def _read(paths: StatePaths, person: str) -> _Wraps:
    try:
        with paths.possession(person).open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return {}
    malformed = Damaged("The list of a person's devices cannot be read.", "Restore keys/ from a backup.")
    if len(raw) > LARGEST_FILE:
        raise malformed
    try:
        body = json.loads(raw)
        if body["version"] != VERSION or body["person"] != person:
            raise malformed
        wraps = {d: (str(w["kind"]), b64decode(w["wrap"], validate=True)) for d, w in body["devices"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise malformed from error
    if not all(_DEVICE.fullmatch(device) and kind in DEVICE_KINDS for device, (kind, _) in wraps.items()):
        raise malformed
    if _render(person, wraps) != raw:
        raise malformed
    return wraps


def _write(paths: StatePaths, person: str, wraps: _Wraps) -> None:
    write_key_file(paths.possession(person), _render(person, wraps), like=paths.slot(person))


def _render(person: str, wraps: _Wraps) -> bytes:
    listed = {d: {"kind": kind, "wrap": b64encode(wrapped).decode("ascii")} for d, (kind, wrapped) in wraps.items()}
    body: dict[str, Any] = {"version": VERSION, "person": person, "devices": listed}
    body["sha256"] = hashlib.sha256(_canonical(body)).hexdigest()
    return _canonical(body) + b"\n"


def _canonical(body: dict[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode("ascii")
