"""``appliance init``: a new archive."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from appliance import clock
from appliance.cli.options import Generate, PasswordFile, State, chosen_passphrase
from appliance.cli.sheet import new_sheet
from appliance.hardening import lock_memory, no_dumps
from appliance.paths import StatePaths
from appliance.sealing.identities import Identity
from appliance.sealing.passphrase_key import calibrate, seconds_for
from appliance.settings import Settings, read_settings

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
    outside: Annotated[
        str, typer.Option(help="HOST:PORT at which the internet reaches the box, if that is known.")
    ] = "",
    cabinet: Annotated[str, typer.Option(help="HOST:PORT of the box on the practice's network.")] = "",
) -> None:
    """Make a new archive: its keys, the owner's passphrase, the recovery sheet to print.

    A passphrase needs 80 bits or more: eight words drawn at random, or --generate fr.
    """
    from appliance.upkeep.file_owners import hand_over
    from appliance.upkeep.setup import set_up  # SQLAlchemy is loaded when it is needed

    settings = read_settings(state=state)
    no_dumps()
    lock_memory()
    tunnel = ""
    with new_sheet(recovery_out) as sheet:
        passphrase = chosen_passphrase(password_file, generate)
        params, moment = calibrate(login_seconds), clock.now()

        def keep(paper: Identity) -> None:
            nonlocal tunnel
            tunnel = _emergency(settings, outside, cabinet, moment)
            sheet.write(paper, moment, tunnel)

        set_up(StatePaths(settings.state), owner, passphrase, keep, params, moment)
        sheet.counts = True
    handed_over = hand_over(settings.state)
    print(f"The archive is ready in {settings.state}.")
    print(f"Print {recovery_out}, keep it in a safe, then delete the file: it opens every image.")
    if not tunnel:
        print("It has no emergency tunnel yet: once the box is reached, print one with appliance device recovery.")
    if generate:
        print(f"Passphrase of {owner}: {passphrase}")
    print(
        f"Checking a passphrase takes {seconds_for(params):.2f} s here (Argon2id, {params.memory_kib >> 10} MiB,"
        f" {params.iterations} passes, {params.lanes} lanes)."
    )
    print(
        "Next: systemctl start negatoscope.target" if handed_over else f"Next: appliance serve --state {settings.state}"
    )


def _emergency(settings: Settings, outside: str, cabinet: str, moment: datetime) -> str:
    """Make the sheet's own peer of the tunnel; return its text, empty when nobody knows where the box is found."""
    from appliance.enrol.emergency import add_emergency
    from appliance.enrol.endpoints import Endpoints
    from appliance.enrol.wanted import new_tunnel
    from appliance.network.subnets import RANDOM_BYTES
    from appliance.network.wireguard_config import require_endpoint
    from appliance.people.devices import Devices
    from appliance.people.file import SystemFile

    drawn = new_tunnel(secrets.token_bytes(RANDOM_BYTES))
    drawn.outside = require_endpoint(outside, "outside") if outside else ""
    drawn.inside = require_endpoint(cabinet, "cabinet") if cabinet else ""
    paths = StatePaths(settings.state)
    file = SystemFile(paths.system_db)
    try:
        devices = Devices(file)
        tunnel = Endpoints(settings.wireguard_port).fill(devices.ensure_tunnel(lambda: drawn))
        if not (tunnel.outside or tunnel.inside):
            return ""
        box_key = paths.wireguard_public.read_text("ascii").strip()
        return add_emergency(devices, tunnel, box_key, moment)[1][0].text
    finally:
        file.close()
