"""Objects and notes whose other half is gone, and the note that an object is given again."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.archive.files import ID, NOTE, OBJECT, FileDraft
from appliance.durable import let_go, told_as_ours
from appliance.paths import StatePaths

# What is younger may be on its way into the inbox, where the two get their names one after the other.
ON_ITS_WAY_SECONDS = 60.0


def lone_objects(paths: StatePaths) -> list[str]:
    """Return the ids of objects, in the inbox or on a shelf, that have no note anywhere."""
    notes = _notes(paths)
    return sorted(object_id for object_id, path in _objects(paths) if object_id not in notes and _stays(path, paths))


def lone_notes(paths: StatePaths) -> list[str]:
    """Return the ids of notes, in the inbox or on a shelf, that have no object anywhere."""
    objects = {object_id for object_id, _ in _objects(paths)}
    return sorted(
        object_id for object_id, path in _notes(paths).items() if object_id not in objects and _stays(path, paths)
    )


def give_note(paths: StatePaths, object_id: str, note_draft: FileDraft) -> None:
    """Make a draft the note of a lone object, durably: in the inbox, from where settling brings it to its object.

    Raises :class:`EnvironmentProblem` when the disk refuses; then the draft is still one.
    """
    with told_as_ours("the note was not written"):
        note_draft.sync()
        note_draft.close()
        inbox = os.open(paths.inbox, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(inbox, fcntl.LOCK_SH)
            note_draft.path.rename(paths.inbox / f"{object_id}{NOTE}")
            os.fsync(inbox)
        finally:
            let_go(inbox)


def _objects(paths: StatePaths) -> list[tuple[str, Path]]:
    return [
        *_named(paths.inbox, OBJECT),
        *(found for shelf in _shelves(paths.objects) for found in _named(shelf, OBJECT)),
    ]


def _notes(paths: StatePaths) -> dict[str, Path]:
    on_shelves = (found for shelf in _shelves(paths.notes) for found in _named(shelf, NOTE))
    return dict([*_named(paths.inbox, NOTE), *on_shelves])


def _shelves(room: Path) -> list[Path]:
    return sorted(path for path in room.iterdir() if path.is_dir() and not path.is_symlink())


def _named(folder: Path, ending: str) -> Iterator[tuple[str, Path]]:
    for path in folder.iterdir():
        object_id, dot, rest = path.name.partition(".")
        if ID.fullmatch(object_id) and dot + rest == ending and folder.name in ("inbox", object_id[:2]):
            yield object_id, path


def _stays(path: Path, paths: StatePaths) -> bool:
    """Return whether a half is one for good: on a shelf, or in the inbox for longer than anything is on its way."""
    try:
        age = time.time() - path.stat().st_mtime
        # A time to come is one of a clock that was put back since.
        return path.parent != paths.inbox or not 0 <= age <= ON_ITS_WAY_SECONDS
    except FileNotFoundError:
        return False
