"""A process of the appliance that was broken on purpose: a check that lets it pass proves nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]


def broken(process: str, code: str, folder: Path) -> dict[str, str]:
    """Return the environment in which ``appliance run PROCESS`` runs ``code`` before anything else.

    ``folder`` takes the file that every Python program of that environment loads at its start.
    """
    return _sabotaged(f"sys.orig_argv[-2:] == ['run', {process!r}]", code, folder)


def broken_command(name: str, code: str, folder: Path) -> dict[str, str]:
    """Return the environment in which the commands ``appliance NAME ...`` run ``code`` before anything else."""
    return _sabotaged(f"sys.orig_argv[2:4] == ['appliance.cli.main', {name!r}]", code, folder)


def whole_again(folder: Path) -> None:
    """Have programs that start from now on run as they are."""
    (folder / "sitecustomize.py").unlink(missing_ok=True)
    # A second sabotage of the same second and length would be taken for the first.
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)


def breakable(folder: Path) -> dict[str, str]:
    """Return the environment in which nothing is broken yet, and can be later: processes are broken as they start."""
    return {"PYTHONPATH": f"{folder}:{ROOT}"}


def _sabotaged(condition: str, code: str, folder: Path) -> dict[str, str]:
    whole_again(folder)
    text = f"import sys\nif {condition}:\n" + "".join(f"    {line}\n" for line in code.splitlines())
    (folder / "sitecustomize.py").write_text(text)
    return breakable(folder)
