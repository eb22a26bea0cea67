"""What every command that changes keys begins with: the owner's login, the lock, and an unfinished change completed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from appliance import clock
from appliance.cli.options import read_passphrase
from appliance.errors import EnvironmentProblem
from appliance.hardening import lock_memory, no_dumps
from appliance.keyring.client import AgentClient
from appliance.keyring.disk import key_lock
from appliance.paths import RunPaths, StatePaths
from appliance.settings import Settings, read_settings
from appliance.upkeep.layout import check_layout

if TYPE_CHECKING:
    from appliance.people.models import Person
    from appliance.people.store import People
    from appliance.upkeep.key_changes import KeyChanges
    from appliance.upkeep.key_journal import Entry


@dataclass(slots=True)
class KeySession:
    """An owner at work: the changes that can be made, and what was completed of an earlier one."""

    paths: StatePaths
    people: People
    changes: KeyChanges
    target: Person | None
    completed: Entry | None


@contextmanager
def key_session(state: Path | None, user: str, password_file: Path | None, target: str = "") -> Iterator[KeySession]:
    """Log an owner in and hold the keys for changing; ``target`` is the name of whom the command is about.

    The identities are opened in this process alone, which no other can read, and go with it.
    """
    from appliance.people.store import People  # SQLAlchemy is loaded when it is needed
    from appliance.upkeep.key_changes import KeyChanges
    from appliance.upkeep.owner import open_owner

    settings = read_settings(state=state)
    paths = StatePaths(settings.state)
    check_layout(paths)
    no_dumps()
    lock_memory()
    people = People(paths.system_db)
    moment = clock.now()
    try:
        passphrase = read_passphrase(password_file)
        with key_lock(paths):
            owner = open_owner(paths, people, user, passphrase, moment)
            about = people.by_name(target) if target else None
            changes = KeyChanges(paths, people, owner, moment, lambda: _end_sessions(settings), _show)
            yield KeySession(paths, people, changes, about, _complete(changes))
    finally:
        people.close()


def _complete(changes: KeyChanges) -> Entry | None:
    completed = changes.resume()
    if completed is not None:
        how = "taken back" if completed.act == "join" or _worthless(completed) else "completed"
        typer.echo(f"An earlier command ({completed.act}) had been cut short: it was {how}.", err=True)
        if _worthless(completed):
            typer.echo("The recovery sheet that it wrote opens nothing: destroy it. The older one counts.", err=True)
    return completed


def _worthless(completed: Entry) -> bool:
    return completed.act == "paper" and not completed.epoch


def _end_sessions(settings: Settings) -> None:
    """End every session of the running box, so that nobody goes on with keys that were loaded before."""
    try:
        AgentClient(RunPaths(settings.run_root).keyagent).lock()
    except EnvironmentProblem:
        typer.echo("The box is not running here, so there was no session to end.", err=True)


def _show(step: str, done: int, total: int) -> None:
    """Tell of a step that was done, on standard error."""
    typer.echo(f"[{done}/{total}] {step}", err=True)
