"""``appliance init``: a new archive."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from appliance import clock
from appliance.cli.options import Generate, PasswordFile, State, chosen_passphrase
from appliance.cli.read_settings import read_settings
from appliance.cli.sheet import new_sheet
from appliance.hardening import lock_memory, no_dumps
from appliance.paths import StatePaths
from appliance.sealing.passphrase_key import calibrate, seconds_for

LOGIN_SECONDS = 0.4


def init(
    owner: Annotated[str, typer.Option(help="Name of the owner, who logs in with it.")],
    recovery_out: Annotated[Path, typer.Option(help="New file for the recovery sheet: .pdf to print it, or .txt.")],
    state: State = None,
    password_file: PasswordFile = None,
    generate: Generate = "",
    login_seconds: Annotated[
        float, typer.Option(min=0, max=10, help="How long checking a passphrase shall take on this machine.")
    ] = LOGIN_SECONDS,
) -> None:
    """Make a new archive: its keys, the owner's passphrase, the recovery sheet to print.

    A passphrase needs 80 bits or more: eight words drawn at random, or --generate fr.
    """
    from appliance.upkeep.setup import set_up  # SQLAlchemy is loaded when it is needed

    settings = read_settings(state=state)
    no_dumps()
    lock_memory()
    with new_sheet(recovery_out) as sheet:
        passphrase = chosen_passphrase(password_file, generate)
        params, moment = calibrate(login_seconds), clock.now()
        keep = partial(sheet.write, moment=moment)
        set_up(StatePaths(settings.state), owner, passphrase, keep, params, moment)
        sheet.counts = True
    print(f"The archive is ready in {settings.state}.")
    print(f"Print {recovery_out}, keep it in a safe, then delete the file: it opens every image.")
    if generate:
        print(f"Passphrase of {owner}: {passphrase}")
    print(
        f"Checking a passphrase takes {seconds_for(params):.2f} s here (Argon2id, {params.memory_kib >> 10} MiB,"
        f" {params.iterations} passes, {params.lanes} lanes)."
    )
    print(f"Next: appliance serve --state {settings.state}")
