"""``appliance index``: the derived index of studies."""

from __future__ import annotations

from typing import Annotated

import typer

from appliance.archive.files import FileBackend
from appliance.cli.options import PasswordFile, State, User, log_in
from appliance.paths import StatePaths
from appliance.settings import read_settings

app = typer.Typer(help="The derived index of studies.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _index() -> None:
    """The derived index of studies."""


@app.command()
def rebuild(
    user: User,
    state: State = None,
    password_file: PasswordFile = None,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Miss no longer what vanished from the disk and cannot be restored.")
    ] = False,
) -> None:
    """Make the index anew from the notes; the appliance must be running, and goes on running."""
    from appliance.ingest.rebuild import rebuild as rebuild_index  # SQLCipher is loaded when it is needed

    settings = read_settings(state=state)
    paths = StatePaths(settings.state)
    agent, token, _ = log_in(settings, user, password_file)
    try:
        with typer.progressbar(length=0, label="Rebuilding") as bar:

            def progress(done: int, total: int) -> None:
                bar.length = total
                bar.update(done - bar.pos)

            count = rebuild_index(paths, FileBackend(paths, "rebuild"), agent, progress, give_up=give_up)
        print(f"indexed {count} images")
    finally:
        agent.logout(token)
