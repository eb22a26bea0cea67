"""``appliance init``: a new archive."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from appliance import clock
from appliance.cli.options import Generate, PasswordFile, State, chosen_passphrase
from appliance.cli.read_settings import read_settings
from appliance.errors import BadInput, EnvironmentProblem
from appliance.hardening import lock_memory, no_dumps
from appliance.paths import StatePaths
from appliance.sealing.identities import Identity
from appliance.sealing.passphrase_key import calibrate, seconds_for
from appliance.settings import Settings
from appliance.upkeep.recovery_kit import Kit, as_text, make_kit

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
    from appliance.upkeep.setup import set_up  # SQLAlchemy is loaded when it is needed

    settings = read_settings(state=state)
    render = _renderer(recovery_out)
    no_dumps()
    lock_memory()
    fd = _open_new(recovery_out)
    made, tunnel = False, ""
    try:
        passphrase = chosen_passphrase(password_file, generate)
        params, moment = calibrate(login_seconds), clock.now()

        def keep(paper: Identity) -> None:
            nonlocal tunnel
            tunnel = _emergency(settings, outside, cabinet, moment)
            kit = make_kit(paper, moment, tunnel)
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(render(kit))
                file.flush()
                os.fsync(file.fileno())

        set_up(StatePaths(settings.state), owner, passphrase, keep, params, moment)
        made = True
    finally:
        os.close(fd)
        if not made:
            recovery_out.unlink(missing_ok=True)
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
    print(f"Next: appliance serve --state {settings.state}")


def _emergency(settings: Settings, outside: str, cabinet: str, moment: datetime) -> str:
    """Make the sheet's own peer of the tunnel; return its text, empty when nobody knows where the box is found."""
    from appliance.enrol.emergency import renew_emergency
    from appliance.enrol.endpoints import Endpoints
    from appliance.enrol.wanted import new_tunnel
    from appliance.network.subnets import RANDOM_BYTES
    from appliance.network.wireguard_config import require_endpoint
    from appliance.people.devices import Devices
    from appliance.people.file import SystemFile
    from appliance.sealing.tunnel_keys import public_key_of

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
        box_key = public_key_of(paths.wireguard_key.read_text("ascii").strip())
        return renew_emergency(devices, tunnel, box_key, moment)[0].text
    finally:
        file.close()


def _renderer(path: Path) -> Callable[[Kit], bytes]:
    """Return what makes the sheet in the form that the file's suffix asks for."""
    if path.suffix.lower() == ".pdf":
        from appliance.upkeep.recovery_pdf import as_pdf  # Loaded when it is needed

        return as_pdf
    if path.suffix.lower() in (".txt", ""):
        return as_text
    raise BadInput("The recovery sheet is a PDF or a text.", "Name a file that ends in .pdf or .txt.")


def _open_new(path: Path) -> int:
    """Make the sheet's file before anything else: an archive without its sheet must not come to be."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EnvironmentProblem(
            f"The recovery sheet cannot be written to {path}: {error.strerror}.",
            "Name a new file in a directory of yours.",
        ) from error
