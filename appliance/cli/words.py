"""Times and sizes as a person says them."""

from __future__ import annotations

_STEPS = ((60, 1, "second"), (3600, 60, "minute"), (86400, 3600, "hour"), (10**12, 86400, "day"))
_UNITS = ("B", "kB", "MB", "GB", "TB")


def ago(moment: int, now: int) -> str:
    """Return how long ``moment`` is past, both in Unix seconds; 0 is never."""
    if not moment:
        return "never seen"
    past = max(0, now - moment)
    for below, unit, word in _STEPS:
        if past < below:
            count = past // unit
            return f"{count} {word}{'' if count == 1 else 's'} ago"
    return "long ago"


def size(count: int) -> str:
    """Return a number of bytes in the unit in which it has one to three digits before the point."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 10 else f"{value:.1f} {_UNITS[unit]}"
