"""Whether one file is what its name says, as far as no key is needed; what is no plain file never is."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from appliance.archive.files import OBJECT
from appliance.errors import NegatoError
from appliance.regular import open_regular
from appliance.sealing.header import read_header
from appliance.sealing.stream import NONCE_SIZE, layout_of

PIECE = 1024 * 1024
# No sealed file of ours is longer: the largest object that a setting allows, with what sealing adds; a key, a slot.
LARGEST = 4400 * PIECE
LARGEST_KEY = PIECE
FRESH_SECONDS = 60.0  # younger drafts and halves belong to somebody who is writing


def is_named_right(path: Path) -> bool:
    """Say whether a file's name is the SHA-256 of its bytes; one that has gone meanwhile is no finding."""
    digest = hashlib.sha256()
    try:
        with open_regular(path, LARGEST) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return path.name == f"{digest.hexdigest()}{OBJECT}"


def is_sealed(path: Path, recipient: str = "") -> bool:
    """Say whether a file has the form of an age file, with a recipient of this kind if one is given.

    One that has gone meanwhile is no finding.
    """
    try:
        with open_regular(path, LARGEST) as file:
            return holds(lambda: _form(file, recipient))
    except FileNotFoundError:
        return True
    except OSError:
        return False


def holds(look: Callable[[], object]) -> bool:
    """Say whether a look at something raises nothing that damage raises."""
    try:
        look()
    except (NegatoError, OSError, ValueError):
        return False
    return True


def is_old(path: Path) -> bool:
    """Say whether nobody can be about to write a file any more; one that has gone is not old."""
    try:
        return not 0 <= time.time() - path.lstat().st_ctime <= FRESH_SECONDS  # A clock may have been put back.
    except OSError:
        return False


def _form(file: BinaryIO, recipient: str) -> None:
    header = read_header(file)
    layout_of(file.seek(0, 2) - len(header.raw) - NONCE_SIZE)
    if recipient and all(stanza.kind != recipient for stanza in header.stanzas):
        raise ValueError("It is sealed to nobody of this kind.")
