"""The layout version of a state directory: refused when newer than this program."""

from __future__ import annotations

import re

from appliance.errors import Damaged, EnvironmentProblem
from appliance.keyring.disk import write_key_file
from appliance.paths import StatePaths
from appliance.regular import read_regular

LAYOUT = 1
LONGEST = 64

_TEXT = re.compile(r"negatoscope ([1-9][0-9]{0,8})\n")


def write_layout(paths: StatePaths) -> None:
    """Mark a state directory as complete and of this layout; written last when one is made."""
    write_key_file(paths.format, f"negatoscope {LAYOUT}\n".encode("ascii"), 0o644)


def check_layout(paths: StatePaths) -> None:
    """Return if ``paths`` holds a state this program can use.

    Raises :class:`EnvironmentProblem` when there is none or a newer one, :class:`Damaged` when FORMAT is unreadable.
    """
    try:
        text = read_regular(paths.format, LONGEST).decode("ascii")
    except FileNotFoundError as error:
        raise EnvironmentProblem(f"{paths.root} holds no archive.", "Make one: appliance init --state DIR") from error
    except PermissionError as error:
        raise EnvironmentProblem(f"{paths.root} cannot be read by this user.", "Run as the box's user.") from error
    except (OSError, ValueError) as error:
        raise Damaged("FORMAT cannot be read.", "Restore it from a backup.") from error
    match = _TEXT.fullmatch(text)
    if match is None:
        raise Damaged("FORMAT is not ours.", "Restore it from a backup.")
    if int(match[1]) > LAYOUT:
        raise EnvironmentProblem(
            f"This archive was written by a newer version (layout {match[1]}, this program knows {LAYOUT}).",
            "Update the appliance; nothing was changed.",
        )
