"""The table of commands: each is loaded when it is asked for, all of them for the help."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module

import typer

from appliance import __version__

# Name -> module and what it holds: a function is one command, a Typer a group of them.
TABLE = {
    "init": "init:init",
    "serve": "serve:serve",
    "run": "run:run",
    "status": "status:status",
    "unlock": "keys:unlock",
    "lock": "keys:lock",
    "bench": "bench:bench",
    "rotate": "rotate:rotate",
    "check": "check:check",
    "decide": "decide:decide",
    "open": "open:open_sealed",
    "study": "study:app",
    "index": "index:app",
    "audit": "audit:app",
    "user": "user:app",
    "device": "device:app",
    "equipment": "equipment:app",
    "way-in": "way_in:app",
}


def application(names: Iterable[str] = tuple(TABLE)) -> typer.Typer:
    """Return the command line with these commands, with their help."""
    app = typer.Typer(
        name="appliance",
        help="A sealed light box: receives medical images, keeps them encrypted, shows them to the right people.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_appliance)
    for name in names:
        module, _, held = TABLE[name].partition(":")
        command = getattr(import_module(f"appliance.cli.{module}"), held)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def commands() -> None:
    """Run the command line; usage errors exit with 2."""
    asked = sys.argv[1:2]
    application(asked if asked and asked[0] in TABLE else TABLE)(prog_name="appliance")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"appliance {__version__}")
        raise typer.Exit


def _appliance(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Take the options that come before a command."""
