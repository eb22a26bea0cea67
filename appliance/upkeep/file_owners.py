"""Who owns what of an archive on a box: the table of systemd-tmpfiles, applied where systemd-tmpfiles may not.

A fresh archive belongs to root. systemd-tmpfiles(8) works from the top down and refuses to go from a directory that it
has just given to a process to what root left in it. Nothing of a fresh archive is anybody else's yet, so here the
deepest come first.
"""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import EnvironmentProblem

TABLE = Path("/etc/tmpfiles.d/negatoscope.conf")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what matches ``pattern`` (glob) gets ``mode``, user, group; with ``made`` it is a directory to be."""

    made: bool
    pattern: Path
    mode: int
    user: str
    group: str


def read_table(text: str, root: Path) -> list[Line]:
    """Return the lines of tmpfiles.d(5) for directories and modes (d, z) at and below ``root``, the deepest first."""
    found = []
    for words in (line.split() for line in text.splitlines()):
        if len(words) >= 5 and words[0] in ("d", "z") and Path(words[1]).is_relative_to(root):
            found.append(Line(words[0] == "d", Path(words[1]), int(words[2], 8), words[3], words[4]))
    return sorted(found, key=lambda line: len(line.pattern.parts), reverse=True)


def hand_over(root: Path, table: Path = TABLE) -> bool:
    """Give a fresh archive to the processes that serve it; return whether there was a table that names any of it.

    Whoever is not root gives nothing.

    Raises :class:`EnvironmentProblem` when a user of the table does not exist.
    """
    if os.geteuid() != 0 or not table.is_file():
        return False
    try:
        lines = [
            (line, pwd.getpwnam(line.user).pw_uid, grp.getgrnam(line.group).gr_gid)
            for line in read_table(table.read_text("utf-8"), root)
        ]
    except KeyError as error:
        raise EnvironmentProblem(
            f"{table} names a user that is not on this machine.", "Run: systemd-sysusers negatoscope.conf"
        ) from error
    for line, user, group in lines:
        if line.made:
            line.pattern.mkdir(mode=line.mode, exist_ok=True)
        for path in root.parent.glob(str(line.pattern.relative_to(root.parent))):
            os.chown(path, user, group, follow_symlinks=False)
            if not path.is_symlink():
                path.chmod(line.mode)
    return bool(lines)
