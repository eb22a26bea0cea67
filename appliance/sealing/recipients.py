"""Recipients: the public keys that a file is sealed to.

Nothing here can open anything, and nothing here may import what can: the receiver holds only this.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from appliance.errors import BadInput, Damaged
from appliance.sealing import bech32, unpadded, x25519
from appliance.sealing.header import FILE_KEY_SIZE, Stanza


class Recipient:
    """One X25519 public key, written ``age1...``."""

    __slots__ = ("_text", "public")

    def __init__(self, public: bytes) -> None:
        """Take the 32 bytes of a public key; :class:`BadInput` for another size or a point of low order."""
        if len(public) != x25519.KEY_SIZE:
            raise BadInput("This is not an age recipient: it has the wrong length.")
        try:
            x25519.agree(X25519PrivateKey.generate(), public)
        except Damaged:
            raise BadInput("This is not an age recipient: anybody could open what is sealed to it.") from None
        self.public = public
        self._text = bech32.encode(x25519.RECIPIENT_HRP, public)

    @classmethod
    def parse(cls, text: str) -> Recipient:
        """Return the recipient that ``age1...`` spells, in lower case; :class:`BadInput` for anything else."""
        hrp, public = bech32.decode(text)
        if hrp != x25519.RECIPIENT_HRP:
            raise BadInput("This is not an age recipient.", "It begins with age1.")
        return cls(public)

    def wrap(self, file_key: bytes, ephemeral: bytes | None = None) -> Stanza:
        """Return the stanza that gives this recipient the 16-byte ``file_key``.

        ``ephemeral`` is a 32-byte secret used for this stanza alone; it is drawn when left out, and only
        published vectors have a reason to pass it (C2SP age, "The X25519 recipient type").
        """
        if len(file_key) != FILE_KEY_SIZE:
            raise BadInput("A file key has 16 bytes.")
        private = X25519PrivateKey.generate() if ephemeral is None else X25519PrivateKey.from_private_bytes(ephemeral)
        share = private.public_key().public_bytes_raw()
        cipher = x25519.wrap_cipher(x25519.agree(private, self.public), share=share, recipient=self.public)
        body = cipher.encrypt(x25519.WRAP_NONCE, file_key, None)
        return Stanza(x25519.KIND, (unpadded.encode(share).decode("ascii"),), body)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Recipient({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipient) and other.public == self.public

    def __hash__(self) -> int:
        return hash(self.public)
