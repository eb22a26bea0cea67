"""Identities: the private keys that open sealed files."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from appliance.errors import BadInput, Damaged, Refused
from appliance.sealing import bech32, unpadded, x25519
from appliance.sealing.derive import verify_header
from appliance.sealing.header import Header, Stanza
from appliance.sealing.recipients import Recipient

MOST_IDENTITIES = 256
_MOST_FILE_SIZE = 64 * 1024


class Identity:
    """One X25519 private key. Its text form is only ever given by :meth:`reveal`, never by printing it."""

    __slots__ = ("_private", "_recipient", "_secret")

    def __init__(self, secret: bytes) -> None:
        """Take the 32 bytes of a private key; :class:`BadInput` for another size."""
        if len(secret) != x25519.KEY_SIZE:
            raise BadInput("This is not an age identity: it has the wrong length.")
        self._secret = bytes(secret)
        self._private = X25519PrivateKey.from_private_bytes(self._secret)
        self._recipient = Recipient(self._private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Identity:
        """Draw a fresh identity."""
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Return the identity that ``AGE-SECRET-KEY-1...`` spells, in upper case; :class:`BadInput` otherwise."""
        hrp, secret = bech32.decode(text)
        if hrp != x25519.IDENTITY_HRP:
            raise BadInput("This is not an age identity.", "It begins with AGE-SECRET-KEY-1.")
        return cls(secret)

    def reveal(self) -> str:
        """Return the secret as ``AGE-SECRET-KEY-1...``."""
        return bech32.encode(x25519.IDENTITY_HRP, self._secret)

    def reveal_bytes(self) -> bytes:
        """Return the 32 bytes of the secret, for recovery words."""
        return self._secret

    def recipient(self) -> Recipient:
        """Return the public half."""
        return self._recipient

    def open_stanza(self, stanza: Stanza) -> bytes | None:
        """Return the file key in an X25519 stanza, or ``None`` if it is somebody else's.

        Raises :class:`Damaged` if the share is a point of low order.
        """
        share = _share(stanza)
        shared = x25519.agree(self._private, share)
        cipher = x25519.wrap_cipher(shared, share=share, recipient=self._recipient.public)
        try:
            return cipher.decrypt(x25519.WRAP_NONCE, stanza.body, None)
        except InvalidTag:
            return None

    def __repr__(self) -> str:
        return f"Identity(of {self._recipient})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and hmac.compare_digest(self._secret, other._secret)

    def __hash__(self) -> int:
        return hash(self._recipient)

    def __reduce__(self) -> str:
        raise TypeError("an identity is not pickled")


@dataclass(frozen=True, slots=True)
class StanzaKind:
    """How one kind of stanza is read: ``check`` raises :class:`Damaged` on a wrong form, ``open`` tries an identity."""

    check: Callable[[Stanza], object]
    open: Callable[[Identity, Stanza], bytes | None]


def _share(stanza: Stanza) -> bytes:
    if len(stanza.arguments) != 1:
        raise Damaged("An X25519 recipient of a sealed file has the wrong number of arguments.")
    share = unpadded.decode(stanza.arguments[0].encode("ascii"))
    if len(share) != x25519.KEY_SIZE:
        raise Damaged("An X25519 recipient of a sealed file has a share of the wrong size.")
    # The size of the body is checked before it is decrypted: otherwise a sender could learn which of several
    # keys opens a file that he made for that end (C2SP age: partitioning oracle).
    if len(stanza.body) != x25519.WRAPPED_SIZE:
        raise Damaged("An X25519 recipient of a sealed file has a wrapped key of the wrong size.")
    return share


# Kinds that are not in this table are skipped, as the specification asks: other implementations put some in
# that mean nothing ("grease") so that nobody unlearns it.
KINDS: dict[str, StanzaKind] = {x25519.KIND: StanzaKind(_share, Identity.open_stanza)}

# A passphrase stanza stands alone (C2SP age, "The scrypt recipient type"), otherwise somebody else than those
# who know the passphrase could have written the file.
_LONE_KIND = "scrypt"


def unwrap(identities: Sequence[Identity], header: Header) -> bytes:
    """Return the 16-byte file key of ``header``, its MAC verified.

    Raises :class:`Refused` if no stanza is for one of ``identities``, :class:`Damaged` if a stanza of a known
    kind is malformed, whoever it is for, or the MAC is wrong.
    """
    if len(header.stanzas) > 1 and any(stanza.kind == _LONE_KIND for stanza in header.stanzas):
        raise Damaged("A sealed file has a passphrase beside other recipients.")
    known = [(KINDS[stanza.kind], stanza) for stanza in header.stanzas if stanza.kind in KINDS]
    for kind, stanza in known:
        kind.check(stanza)
    for kind, stanza in known:
        for identity in identities:
            file_key = kind.open(identity, stanza)
            if file_key is not None:
                verify_header(file_key, header)
                return file_key
    raise Refused("None of these keys opens this file.", "Use the identity that it was sealed to.")


def parse_identities(text: str) -> list[Identity]:
    """Return the identities of a file as ``age-keygen`` writes it: one a line, empty lines and ``#`` lines
    left out.

    Raises :class:`BadInput` if there is none, more than 256, or a line is something else.
    """
    if len(text) > _MOST_FILE_SIZE:
        raise BadInput("This is no file of age identities: it is too long.")
    lines = [line.rstrip("\r") for line in text.split("\n")]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise BadInput("This file holds no age identity.", "It has a line that begins with AGE-SECRET-KEY-1.")
    if len(keys) > MOST_IDENTITIES:
        raise BadInput("This file holds too many age identities.")
    return [Identity.parse(key) for key in keys]
