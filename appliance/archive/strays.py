"""What ``check --repair`` set aside of an object that is deleted: it goes with the object."""

from __future__ import annotations

import os
import re
from pathlib import Path

from appliance.logs import log

_ID = re.compile(r"[0-9a-f]{64}")


def erase_strays(strays: Path, ids: set[str]) -> None:
    """Remove the files in ``strays``, at any depth, whose names hold one of these ids, durably; no link is followed.

    What its owner keeps from this process stays and is told in the log: all other deleting must not wait for it.
    Raises :class:`OSError` for a disk that fails.
    """
    kept: list[OSError] = []
    try:
        top = os.open(strays, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        kept.append(error)
    else:
        try:
            for _, _, names, folder in os.fwalk(".", onerror=kept.append, follow_symlinks=False, dir_fd=top):
                _remove([name for name in names if not ids.isdisjoint(_ID.findall(name))], folder, kept)
        except RecursionError:  # Folders in folders, as nobody makes them but to hold this up.
            kept.append(OSError())
        finally:
            os.close(top)
    if any(not isinstance(error, FileNotFoundError) for error in kept):
        log("archive.strays-kept", next="remove deleted images from strays/ as root")


def _remove(names: list[str], folder: int, kept: list[OSError]) -> None:
    for name in names:
        try:
            os.unlink(name, dir_fd=folder)
        except (FileNotFoundError, PermissionError) as error:
            kept.append(error)
    if names:
        os.fsync(folder)
