"""The archive's identities, made and opened epoch by epoch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.errors import Damaged, Refused
from appliance.keyring.disk import write_key_file
from appliance.keyring.public import epoch_numbers, read_recipient
from appliance.paths import Kind, StatePaths
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, unwrap
from appliance.sealing.reader import open_sealed
from appliance.sealing.recipients import Recipient
from appliance.sealing.writer import seal

KINDS: tuple[Kind, ...] = ("notes", "images")


class ExchangedKey(Damaged):
    """A public key does not belong to the identity beside it; ``file`` is its name."""

    def __init__(self, file: str) -> None:
        super().__init__(
            f"The public key {file} is not ours: somebody may have exchanged it.",
            "Disconnect the box and ask for help; images received since then may be readable by a stranger.",
        )
        self.file = file


@dataclass(frozen=True, slots=True)
class OpenEpoch:
    """The identities of one epoch that a person's own identity opened; ``None`` for what was not granted."""

    number: int
    notes: Identity | None
    images: Identity | None

    def of(self, kind: Kind) -> Identity | None:
        """Return the identity of one kind."""
        return self.notes if kind == "notes" else self.images


def make_epoch(paths: StatePaths, number: int, readers: dict[Kind, Sequence[Recipient]], paper: Recipient) -> None:
    """Make the identities of epoch ``number``, each sealed to its readers and to the paper key."""
    for kind in KINDS:
        identity = Identity.generate()
        sealed = seal(f"{identity.reveal()}\n".encode("ascii"), [*readers[kind], paper])
        write_key_file(paths.epoch_identity(number, kind), sealed)
        write_key_file(paths.epoch_recipient(number, kind), f"{identity.recipient()}\n".encode("ascii"))


def open_epochs(paths: StatePaths, person: Identity) -> list[OpenEpoch]:
    """Open what ``person`` may of every epoch, newest first.

    Raises :class:`ExchangedKey` when an identity does not belong to the recipient that lies beside it: somebody who
    could swap the public key would have every new image sealed to himself.
    """
    opened = []
    for number in reversed(epoch_numbers(paths)):
        notes, images = (_open_one(paths, number, kind, person) for kind in KINDS)
        opened.append(OpenEpoch(number, notes, images))
    return opened


def _open_one(paths: StatePaths, number: int, kind: Kind, person: Identity) -> Identity | None:
    path = paths.epoch_identity(number, kind)
    try:
        sealed = path.read_bytes()
    except OSError as error:
        raise Damaged(f"The key file {path.name} cannot be read.", "Restore keys/ from a backup.") from error
    try:
        file_key = unwrap([person], read_header(io.BytesIO(sealed)))
    except Refused:
        return None
    try:
        identity = Identity.parse(open_sealed(sealed, file_key).decode("ascii").strip())
    except ValueError as error:
        raise Damaged(f"The key file {path.name} is damaged.", "Restore keys/ from a backup.") from error
    if str(identity.recipient()) != str(read_recipient(paths, number, kind)):
        raise ExchangedKey(paths.epoch_recipient(number, kind).name)
    return identity
