"""The table of commands, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from appliance.cli import audit, bench, check, decide, index, init, keys, rotate, run, serve, status, study, user
from appliance.cli.open import open_command
from appliance.cli.options import show_version

app = typer.Typer(
    name="appliance",
    help="A sealed light box: receives medical images, keeps them encrypted, shows them to the right people.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("init")(init.init)
app.command("serve")(serve.serve)
app.command("run")(run.run)
app.command("status")(status.status)
app.command("unlock")(keys.unlock)
app.command("lock")(keys.lock)
app.command("check")(check.check)
app.command("bench")(bench.bench)
app.command("rotate")(rotate.rotate)
app.command("decide")(decide.decide)
app.add_typer(study.app, name="study")
app.add_typer(index.app, name="index")
app.add_typer(audit.app, name="audit")
app.add_typer(user.app, name="user")


@app.command("open")
def open_sealed(
    identity: Annotated[Path, typer.Option(help="File with an age identity, for example the paper key.")],
    tmp: Annotated[Path | None, typer.Option(help="Directory for a large input's ciphertext.")] = None,
) -> None:
    """Open a sealed file: appliance open --identity FILE < sealed > plain. Writes nothing unless all of it verifies."""
    open_command(identity, tmp=tmp)


@app.callback()
def _appliance(
    version: bool = typer.Option(False, "--version", callback=show_version, is_eager=True, help="Show the version."),
) -> None:
    """Take the options that come before a command."""


def commands() -> None:
    """Run the command line; usage errors exit with 2."""
    app(prog_name="appliance")
