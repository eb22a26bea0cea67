"""``appliance init``: a new archive."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from appliance import clock
from appliance.cli.options import PasswordFile, State, read_passphrase
from appliance.cli.read_settings import read_settings
from appliance.errors import EnvironmentProblem
from appliance.paths import StatePaths
from appliance.sealing.passphrase_key import calibrate
from appliance.sealing.words import new_passphrase

LOGIN_SECONDS = 0.4


def init(
    owner: Annotated[str, typer.Option(help="Name of the owner, who logs in with it.")],
    recovery_out: Annotated[Path, typer.Option(help="File for the recovery sheet; it must not exist yet.")],
    state: State = None,
    password_file: PasswordFile = None,
    generate: Annotated[str, typer.Option(help="Make a passphrase of words instead and print it: fr or en.")] = "",
) -> None:
    """Make a new archive: its keys, the owner's passphrase, the recovery sheet to print.

    A passphrase needs 80 bits or more: six words drawn at random, or --generate fr.
    """
    from appliance.upkeep.setup import set_up  # SQLAlchemy is loaded when it is needed

    settings = read_settings(state=state)
    passphrase = (
        new_passphrase("english" if generate == "en" else "french") if generate else read_passphrase(password_file)
    )

    def keep(text: str) -> None:
        _write_new(recovery_out, text)

    set_up(StatePaths(settings.state), owner, passphrase, keep, calibrate(LOGIN_SECONDS), clock.now())
    print(f"The archive is ready in {settings.state}.")
    print(f"Print {recovery_out}, keep it in a safe, then delete the file: it opens every image.")
    if generate:
        print(f"Passphrase of {owner}: {passphrase}")
    print(f"Next: appliance serve --state {settings.state}")


def _write_new(path: Path, text: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise EnvironmentProblem(
            f"The recovery sheet cannot be written to {path}: {error.strerror}.",
            "Name a new file in a directory of yours.",
        ) from error
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
