"""Another wall clock for a command and all that it starts, those included that ask the kernel themselves."""

from __future__ import annotations

from pathlib import Path

from tests.compiled import compiled

SOURCE = Path(__file__).with_name("clock.c")


def wall_clock(seconds: int) -> tuple[str, ...]:
    """Return what is put before a command so that its wall clock is ``seconds`` ahead of this machine's."""
    return (str(compiled(SOURCE, "-Wextra", "-pthread")), str(seconds))
