"""The archive's identities, made and opened epoch by epoch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.errors import BadInput, Damaged, Refused
from appliance.keyring.public import KINDS, epoch_numbers, read_recipient
from appliance.keyring.readers import KeyFile, Reader, parse, render
from appliance.keyring.sums import NewKeyFile, is_as_written, remove_summed, write_summed
from appliance.paths import Kind, StatePaths
from appliance.regular import read_regular
from appliance.sealing.header import read_header
from appliance.sealing.identities import Identity, unwrap
from appliance.sealing.reader import open_sealed
from appliance.sealing.recipients import Recipient
from appliance.sealing.writer import seal

__all__ = ["KINDS", "OpenEpoch", "make_epoch", "open_epochs", "open_key_file", "remove_epoch", "seal_key_file"]

LARGEST_KEY_FILE = 1024 * 1024


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
    """The identities of one epoch that a person's own identity opened; ``None`` for what was not granted.

    ``role`` is the person's, as it stands sealed beside the notes identity; empty when it does not.
    """

    number: int
    notes: Identity | None
    images: Identity | None
    role: str = ""

    def of(self, kind: Kind) -> Identity | None:
        """Return the identity of one kind."""
        return self.notes if kind == "notes" else self.images


def make_epoch(paths: StatePaths, number: int, readers: dict[Kind, Sequence[Reader]], paper: Recipient) -> None:
    """Make the identities of epoch ``number``, each sealed to its readers and to the paper key.

    Both identities are durable before either public key is, and the public key that makes the epoch count
    (:func:`appliance.keyring.public.epoch_numbers`) comes last: whatever was sealed to an epoch can be opened. Made
    again after a cut, an epoch that does not count yet is replaced by another.
    """
    files = {kind: KeyFile(Identity.generate(), tuple(readers[kind]), paper) for kind in KINDS}
    new = [_sealed(paths, number, kind, files[kind]) for kind in KINDS]
    for kind in reversed(KINDS):
        public = f"{files[kind].identity.recipient()}\n".encode("ascii")
        new.append(NewKeyFile(paths.epoch_recipient(number, kind), public, paths.epoch_recipient(number - 1, kind)))
    write_summed(paths, new)


def remove_epoch(paths: StatePaths, number: int) -> None:
    """Remove what there is of an epoch that does not count yet; :class:`Refused` for one that does."""
    if number in epoch_numbers(paths):
        raise Refused("This epoch is in use.")
    recipients = [paths.epoch_recipient(number, kind) for kind in KINDS]
    remove_summed(paths, recipients + [paths.epoch_identity(number, kind) for kind in KINDS])


def seal_key_file(paths: StatePaths, number: int, kind: Kind, file: KeyFile) -> None:
    """Write one identity of an epoch, sealed to those its list names, in place of what was there."""
    write_summed(paths, [_sealed(paths, number, kind, file)])


def _sealed(paths: StatePaths, number: int, kind: Kind, file: KeyFile) -> NewKeyFile:
    content = seal(render(file), file.recipients())
    return NewKeyFile(paths.epoch_identity(number, kind), content, paths.epoch_identity(number - 1, kind))


def open_key_file(paths: StatePaths, number: int, kind: Kind, person: Identity) -> KeyFile | None:
    """Open one identity of an epoch; ``None`` if ``person`` is not among its readers.

    Raises :class:`ExchangedKey` when the identity does not belong to the recipient that lies beside it: somebody who
    could swap the public key would have every new image sealed to himself. :class:`Damaged` names the file: one in
    which the very part for ``person`` was damaged looks as if it had been sealed to others only.
    """
    path = paths.epoch_identity(number, kind)
    damaged = Damaged(f"The key file {path.name} is damaged.", "Restore keys/ from a backup.")
    try:
        sealed = read_regular(path, LARGEST_KEY_FILE)
        opened = parse(open_sealed(sealed, unwrap([person], read_header(io.BytesIO(sealed)))))
    except Refused:
        if is_as_written(paths, path):
            return None
        raise damaged from None
    except (OSError, BadInput, Damaged) as error:
        raise damaged from error
    if opened.identity.recipient() != read_recipient(paths, number, kind):
        raise ExchangedKey(paths.epoch_recipient(number, kind).name)
    return opened


def open_epochs(paths: StatePaths, person: Identity) -> list[OpenEpoch]:
    """Open what ``person`` may of every epoch, newest first; :class:`ExchangedKey` as :func:`open_key_file`."""
    opened = []
    for number in reversed(epoch_numbers(paths)):
        notes, images = (open_key_file(paths, number, kind, person) for kind in KINDS)
        opened.append(OpenEpoch(number, _identity(notes), _identity(images), _role(notes, person)))
    return opened


def _role(notes: KeyFile | None, person: Identity) -> str:
    listed = notes.readers if notes is not None else ()
    return next((reader.role for reader in listed if reader.recipient == person.recipient()), "")


def _identity(file: KeyFile | None) -> Identity | None:
    return None if file is None else file.identity
