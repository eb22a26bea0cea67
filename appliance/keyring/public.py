"""The public half of the archive's epochs: all that a receiver ever needs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from appliance.errors import Damaged, EnvironmentProblem, NegatoError
from appliance.paths import Kind, StatePaths
from appliance.sealing.recipients import Recipient


@dataclass(frozen=True, slots=True)
class Epoch:
    """The two recipients of one epoch: ``notes`` for what is known of images, ``images`` for themselves."""

    number: int
    notes: Recipient
    images: Recipient


def epoch_numbers(paths: StatePaths) -> list[int]:
    """Return the numbers of all epochs, ascending."""
    found = (re.fullmatch(r"([1-9]\d*)\.notes\.pub", path.name) for path in paths.keys.glob("*.notes.pub"))
    return sorted(int(match[1]) for match in found if match)


def current_epoch(paths: StatePaths) -> Epoch:
    """Return the newest epoch, the one that new images are sealed to.

    Raises :class:`Damaged` when a recipient cannot be read, :class:`EnvironmentProblem` when there is none.
    """
    numbers = epoch_numbers(paths)
    if not numbers:
        raise EnvironmentProblem("This archive has no keys.", "Run: appliance init")
    number = numbers[-1]
    return Epoch(number, read_recipient(paths, number, "notes"), read_recipient(paths, number, "images"))


def read_recipient(paths: StatePaths, number: int, kind: Kind) -> Recipient:
    """Return one recipient of an epoch; :class:`Damaged` when its file is missing or malformed."""
    path = paths.epoch_recipient(number, kind)
    try:
        return Recipient.parse(path.read_text("ascii").strip())
    except (OSError, ValueError, NegatoError) as error:
        raise Damaged(f"The public key {path.name} cannot be read.", "Restore keys/ from a backup.") from error


def exchanged_keys(paths: StatePaths) -> list[str]:
    """Return the names of the public keys over which the key agent raised an alarm at the last unlock."""
    try:
        return paths.exchanged.read_text("utf-8").split()
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        return ["unreadable"]


def refuse_if_exchanged(paths: StatePaths) -> None:
    """Raise :class:`Damaged` while that alarm stands: what is taken in would be sealed to a stranger."""
    if names := exchanged_keys(paths):
        raise Damaged(
            f"A public key ({', '.join(names)}) was exchanged; nothing is taken in.",
            "Restore keys/ from a backup and log in.",
        )
