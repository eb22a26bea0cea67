"""Writing a key file so that it is either the old one or the new one, never a half."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_key_file(path: Path, content: bytes, mode: int = 0o640) -> None:
    """Replace ``path`` by ``content`` durably."""
    draft = path.with_name(f".draft-{secrets.token_hex(8)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
