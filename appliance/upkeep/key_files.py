"""All key files of an archive, opened at once for a change."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.errors import Refused
from appliance.keyring.epochs import open_key_file
from appliance.keyring.public import KINDS
from appliance.keyring.readers import KeyFile
from appliance.paths import Kind, StatePaths
from appliance.sealing.identities import Identity

KeyFiles = dict[tuple[int, Kind], KeyFile]


def open_all(paths: StatePaths, numbers: Iterable[int], person: Identity) -> KeyFiles:
    """Return both key files of the epochs ``numbers``; :class:`Refused` if ``person`` does not open every one."""
    found: KeyFiles = {}
    for number in numbers:
        for kind in KINDS:
            opened = open_key_file(paths, number, kind, person)
            if opened is None:
                raise Refused("This slot does not open every key of the archive.", "Log in as another owner.")
            found[number, kind] = opened
    return found
