"""The one change of keys that is under way, written down before it begins and removed when it is complete.

What a killed command left behind is therefore known to the next one, which completes it before anything else. The
journal names people by their ids and never holds a recipient: it cannot make anybody a reader. A checksum tells a
broken disk from what was begun: another person's id or another epoch would complete another change.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from appliance.errors import Damaged
from appliance.keyring.disk import remove_key_file, write_key_file
from appliance.paths import StatePaths
from appliance.regular import read_regular

Act = Literal["join", "change", "leave", "rotate", "paper"]

ACTS: tuple[Act, ...] = ("join", "change", "leave", "rotate", "paper")
LARGEST = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: whose, the role and grant it leads to, the epoch it begins (0 for none).

    Nobody's for ``rotate``, and for ``paper``, which replaces the paper key.
    """

    act: Act
    person: str = ""
    role: str = ""
    sees_images: bool = False
    epoch: int = 0


def begin(paths: StatePaths, entry: Entry) -> None:
    """Write down durably what is about to be done."""
    write_key_file(paths.key_journal, _render(entry), like=paths.index_key)


def pending(paths: StatePaths) -> Entry | None:
    """Return what was begun and not ended; :class:`Damaged` when the journal is not ours."""
    malformed = Damaged("keys/journal.json cannot be read.", "Restore keys/ from a backup.")
    try:
        raw = read_regular(paths.key_journal, LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise malformed from error
    try:
        body: dict[str, Any] = json.loads(raw)
        body.pop("sha256")
        entry = Entry(**body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise malformed from error
    if entry.act not in ACTS or any(type(getattr(entry, k)) is not type(v) for k, v in asdict(_EXAMPLE).items()):
        raise malformed
    if _render(entry) != raw:
        raise malformed
    return entry


def end(paths: StatePaths) -> None:
    """Forget the change: it is complete."""
    remove_key_file(paths.key_journal)


def _render(entry: Entry) -> bytes:
    body: dict[str, Any] = asdict(entry)
    body["sha256"] = hashlib.sha256(json.dumps(body, sort_keys=True).encode("ascii")).hexdigest()
    return json.dumps(body, sort_keys=True).encode("ascii") + b"\n"


_EXAMPLE = Entry("rotate")
