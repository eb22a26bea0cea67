"""A person's slot: the file that only this person's passphrase opens.

One line of canonical JSON: a header in clear, the sealed secret, a checksum. The header is the associated data of the
seal, so nothing in it can be changed by somebody who does not know the passphrase. The checksum needs no secret: it
tells a broken disk from a wrong passphrase, before any costly derivation.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from appliance.errors import BadInput, Damaged, Refused
from appliance.sealing import unpadded
from appliance.sealing.passphrase_key import (
    CEILING,
    FLOOR,
    LONGEST_PASSPHRASE,
    SALT_SIZE,
    Argon2Params,
    calibrate,
    derive_key,
)

__all__ = ["CEILING", "FLOOR", "Argon2Params", "SlotHeader", "calibrate", "make_slot", "open_slot", "read_slot_header"]

VERSION = 1
NONCE_SIZE = 12
POSSESSION_SIZE = 32
LONGEST_PERSON = 128
LONGEST_SECRET = 4096
LONGEST_SLOT = 8192

_AAD_PREFIX = b"negatoscope slot\n"


@dataclass(frozen=True, slots=True)
class SlotHeader:
    """What a slot says in clear: whose it is, the cost of a guess, and whether a device's half is needed as well."""

    person: str
    params: Argon2Params
    salt: bytes
    nonce: bytes
    needs_possession: bool


def make_slot(
    person: str,
    passphrase: bytes,
    secret: bytes,
    params: Argon2Params,
    salt: bytes | None = None,
    nonce: bytes | None = None,
    possession: bytes = b"",
) -> bytes:
    """Return the slot file in which ``secret`` (an identity's text) is sealed for ``person`` (an opaque id).

    ``salt`` (16 bytes) and ``nonce`` (12 bytes) are drawn when left out. ``possession`` is empty, or the 32 random
    bytes of a person's devices. Raises :class:`BadInput` for sizes and parameters out of range.
    """
    salt = secrets.token_bytes(SALT_SIZE) if salt is None else salt
    nonce = secrets.token_bytes(NONCE_SIZE) if nonce is None else nonce
    header = SlotHeader(person, params, salt, nonce, bool(possession))
    try:
        _check(header)
    except Damaged as error:
        raise BadInput("This slot cannot be made: " + error.message) from error
    if len(possession) not in (0, POSSESSION_SIZE) or not 0 < len(secret) <= LONGEST_SECRET:
        raise BadInput("A slot's secret or device half has the wrong size.")
    key = derive_key(passphrase, salt, params, possession)
    sealed = ChaCha20Poly1305(key).encrypt(nonce, secret, _AAD_PREFIX + _canonical(_header_json(header)))
    return _render(header, sealed)


def open_slot(raw: bytes, passphrase: bytes, possession: bytes = b"", person: str | None = None) -> bytes:
    """Return the secret in a slot.

    Raises :class:`Refused` for a wrong passphrase or device half, :class:`Damaged` for anything but a canonical slot
    with acceptable parameters and, where ``person`` is given, for a slot that is somebody else's.
    """
    header, sealed = _parse(raw)
    if person is not None and header.person != person:
        raise Damaged("A slot is in the place of another person's.", "Run: appliance check")
    if len(possession) != (POSSESSION_SIZE if header.needs_possession else 0):
        raise Refused("This passphrase opens the box only from one of the person's own devices, or without one.")
    if not 0 < len(passphrase) <= LONGEST_PASSPHRASE:
        raise _wrong()
    key = derive_key(passphrase, header.salt, header.params, possession)
    try:
        return ChaCha20Poly1305(key).decrypt(header.nonce, sealed, _AAD_PREFIX + _canonical(_header_json(header)))
    except InvalidTag:
        raise _wrong() from None


def read_slot_header(raw: bytes) -> SlotHeader:
    """Return what a slot says in clear, unauthenticated; :class:`Damaged` as :func:`open_slot`."""
    return _parse(raw)[0]


def _wrong() -> Refused:
    return Refused("The passphrase is wrong.", "Try again.")


def _check(header: SlotHeader) -> None:
    header.params.check()
    if not 0 < len(header.person) <= LONGEST_PERSON or not header.person.isprintable():
        raise Damaged("A slot has no usable name.")
    if len(header.salt) != SALT_SIZE or len(header.nonce) != NONCE_SIZE:
        raise Damaged("A slot's salt or nonce has the wrong size.")


def _parse(raw: bytes) -> tuple[SlotHeader, bytes]:
    malformed = Damaged("A slot cannot be read.", "Run: appliance check")
    if len(raw) > LONGEST_SLOT:
        raise malformed
    try:
        body: dict[str, Any] = json.loads(raw.decode("utf-8"))
        head = body["header"]
        if head["version"] != VERSION:
            raise Damaged("A slot has an unknown version.", "Update the appliance.")
        header = SlotHeader(
            person=_text(head["person"]).decode("utf-8"),
            params=Argon2Params(**head["argon2id"]),
            salt=unpadded.decode(_text(head["salt"])),
            nonce=unpadded.decode(_text(head["nonce"])),
            needs_possession=bool(head["needs_possession"]),
        )
        sealed = unpadded.decode(_text(body["sealed"]))
        _check(header)
        # One slot has one spelling: whatever the JSON parser let pass (order, spaces, a key twice, true for 1, an
        # unknown field, a wrong checksum) makes a difference here.
        if _render(header, sealed) != raw:
            raise malformed
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise malformed from error
    return header, sealed


def _text(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError("a string was expected")
    return value.encode("utf-8")


def _render(header: SlotHeader, sealed: bytes) -> bytes:
    body: dict[str, Any] = {"header": _header_json(header), "sealed": unpadded.encode(sealed).decode("ascii")}
    body["sha256"] = hashlib.sha256(_canonical(body)).hexdigest()
    return _canonical(body) + b"\n"


def _header_json(header: SlotHeader) -> dict[str, Any]:
    return {
        "version": VERSION,
        "person": header.person,
        "argon2id": asdict(header.params),
        "salt": unpadded.encode(header.salt).decode("ascii"),
        "nonce": unpadded.encode(header.nonce).decode("ascii"),
        "needs_possession": header.needs_possession,
    }


def _canonical(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
