"""The public half of the archive's epochs: all that a receiver ever needs."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass

from appliance.errors import Damaged, EnvironmentProblem, NegatoError
from appliance.paths import Kind, StatePaths
from appliance.regular import read_regular
from appliance.sealing.recipients import Recipient

KINDS: tuple[Kind, ...] = ("notes", "images")
UNREADABLE = "unreadable"  # in place of the names in an alarm that cannot be read
LARGEST = 64 * 1024  # bytes of a public key or of the names in an alarm

# What the clock of a file system may be behind: a directory that changed so recently may change again unseen.
_COARSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Epoch:
    """The two recipients of one epoch: ``notes`` for what is known of images, ``images`` for themselves."""

    number: int
    notes: Recipient
    images: Recipient


def epoch_numbers(paths: StatePaths) -> list[int]:
    """Return the numbers of all epochs, ascending. The public key of the notes is written last and makes an epoch."""
    found = (re.fullmatch(r"([1-9]\d*)\.notes\.pub", path.name) for path in paths.keys.glob("*.notes.pub"))
    return sorted(int(match[1]) for match in found if match)


def is_whole(paths: StatePaths, number: int) -> bool:
    """Return whether all four files of an epoch are there: sealing to one whose identity is lost would lose images."""
    return not missing_files(paths, number)


def missing_files(paths: StatePaths, number: int) -> list[str]:
    """Return the names of the files that an epoch lacks."""
    files = [file(number, kind) for kind in KINDS for file in (paths.epoch_identity, paths.epoch_recipient)]
    return [path.name for path in files if not path.exists()]


def current_epoch(paths: StatePaths) -> Epoch:
    """Return the newest whole epoch, the one that new images are sealed to.

    Raises :class:`Damaged` when a recipient cannot be read or no epoch is whole, :class:`EnvironmentProblem` when
    there is none.
    """
    numbers = epoch_numbers(paths)
    if not numbers:
        raise EnvironmentProblem("This archive has no keys.", "Run: appliance init")
    number = next((number for number in reversed(numbers) if is_whole(paths, number)), None)
    if number is None:
        lacking = ", ".join(missing_files(paths, numbers[-1]))
        raise Damaged(f"This archive lacks {lacking}; nothing is taken in.", "Restore keys/ from a backup.")
    return Epoch(number, read_recipient(paths, number, "notes"), read_recipient(paths, number, "images"))


class EpochWatch:
    """Tells the current epoch again and again, at the price of one stat(2); safe to share between threads."""

    def __init__(self, paths: StatePaths) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._known: tuple[int, Epoch] | None = None

    def current(self) -> Epoch:
        """Return :func:`current_epoch`, read again when keys/ has changed or may be changing."""
        stamp = self._paths.keys.stat().st_mtime_ns
        with self._lock:
            if self._known is not None and self._known[0] == stamp:
                return self._known[1]
        epoch = current_epoch(self._paths)
        with self._lock:
            settled = time.time_ns() - stamp > _COARSE_SECONDS * 1e9
            self._known = (stamp, epoch) if settled else None
        return epoch


def read_recipient(paths: StatePaths, number: int, kind: Kind) -> Recipient:
    """Return one recipient of an epoch; :class:`Damaged` when its file is missing or malformed."""
    path = paths.epoch_recipient(number, kind)
    try:
        return Recipient.parse(read_regular(path, LARGEST).decode("ascii").strip())
    except (OSError, ValueError, NegatoError) as error:
        raise Damaged(f"The public key {path.name} cannot be read.", "Restore keys/ from a backup.") from error


def exchanged_keys(paths: StatePaths) -> list[str]:
    """Return the names of the public keys over which the key agent raised an alarm at the last unlock."""
    try:
        return read_regular(paths.exchanged, LARGEST).decode("utf-8").split()
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        return [UNREADABLE]


def refuse_if_exchanged(paths: StatePaths) -> None:
    """Raise :class:`Damaged` while that alarm stands: what is taken in would be sealed to a stranger."""
    if names := exchanged_keys(paths):
        raise Damaged(
            f"A public key ({', '.join(names)}) was exchanged; nothing is taken in.",
            "Restore keys/ from a backup and log in.",
        )
