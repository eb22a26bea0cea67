"""A process of the appliance that was broken on purpose: a check that lets it pass proves nothing."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]


def broken(process: str, code: str, folder: Path) -> dict[str, str]:
    """Return the environment in which ``appliance run PROCESS`` runs ``code`` before anything else.

    ``folder`` takes the file that every Python program of that environment loads at its start.
    """
    text = f"import sys\nif sys.orig_argv[-2:] == ['run', {process!r}]:\n" + "".join(
        f"    {line}\n" for line in code.splitlines()
    )
    (folder / "sitecustomize.py").write_text(text)
    return {"PYTHONPATH": f"{folder}:{ROOT}"}
