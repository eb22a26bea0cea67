"""What lies sealed in one key file: an identity of the archive, with the list of those it is sealed to.

The list stands in comment lines, which the age command passes over, so the opened file is an age identity file as it
is. It lies inside the seal and not beside it: the next re-sealing follows the list, and a list that whoever can write
to the disk could extend would make him a reader. Who does not hold the identity cannot forge a file that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from appliance.errors import BadInput, Damaged
from appliance.sealing.identities import Identity, parse_identities
from appliance.sealing.recipients import Recipient

_READER = re.compile(r"# reader ([0-9a-f]{16}) (age1\S+)(?: ([a-z]{1,16}))?")
_PAPER = re.compile(r"# paper (age1\S+)")


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody entitled to an identity of the archive: a person's opaque id, with the recipient of that person.

    ``role`` is what the person may decide by; empty in a file of an earlier version, which lets them decide nothing.
    """

    person: str
    recipient: Recipient
    role: str = ""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """An opened key file: the archive's identity, who may open it, and the paper key's recipient."""

    identity: Identity
    readers: tuple[Reader, ...]
    paper: Recipient

    def recipients(self) -> list[Recipient]:
        """Return all that the file is sealed to, the paper key last."""
        return [*(reader.recipient for reader in self.readers), self.paper]

    def with_readers(self, readers: Sequence[Reader]) -> KeyFile:
        """Return the same identity for other readers."""
        return replace(self, readers=tuple(readers))


def render(file: KeyFile) -> bytes:
    """Return the plaintext of a key file, ASCII lines."""
    lines = [f"# reader {reader.person} {reader.recipient} {reader.role}".rstrip() for reader in file.readers]
    return "\n".join([file.identity.reveal(), *lines, f"# paper {file.paper}", ""]).encode("ascii")


def parse(raw: bytes) -> KeyFile:
    """Return what :func:`render` wrote; :class:`Damaged` for anything else."""
    try:
        text = raw.decode("ascii")
        [identity] = parse_identities(text)
        lines = text.splitlines()
        readers = tuple(Reader(m[1], Recipient.parse(m[2]), m[3] or "") for m in map(_READER.fullmatch, lines) if m)
        [paper] = [Recipient.parse(m[1]) for m in map(_PAPER.fullmatch, lines) if m]
    except (ValueError, BadInput) as error:
        raise Damaged("A key file does not hold what it must.", "Restore keys/ from a backup.") from error
    file = KeyFile(identity, readers, paper)
    if render(file) != raw or len({reader.person for reader in readers}) != len(readers):
        raise Damaged("A key file does not hold what it must.", "Restore keys/ from a backup.")
    return file
