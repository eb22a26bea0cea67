"""``appliance serve``: all processes of the appliance under one supervisor."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from appliance.cli.options import State
from appliance.paths import StatePaths
from appliance.settings import Settings, read_settings
from appliance.upkeep.layout import check_layout


def serve(
    state: State = None,
    http: Annotated[str | None, typer.Option(help="HOST:PORT of the pages. [default: 127.0.0.1:8080]")] = None,
    dicom: Annotated[str | None, typer.Option(help="HOST:PORT for modalities. [default: 127.0.0.1:11112]")] = None,
) -> None:
    """Start receiver, key agent, decoder and pages; stay until Ctrl-C."""
    settings = read_settings(state=state, http=http, dicom=dicom)
    check_layout(StatePaths(settings.state))
    environment = os.environ | {
        "NEGATO_STATE": str(settings.state.absolute()),
        "NEGATO_RUN": str(settings.run_root.absolute()),
        "NEGATO_HTTP": settings.http,
        "NEGATO_HTTPS": settings.https,
        "NEGATO_DICOM": settings.dicom,
        "NEGATO_AE_TITLE": settings.ae_title,
        "NEGATO_FURTHER": ",".join(_further(settings)),
    }
    # The supervisor stays for weeks and needs none of what reading a command line took: it replaces this program.
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "appliance.cli.supervise"], environment)  # noqa: S606  # no shell


def _further(settings: Settings) -> list[str]:
    """Return the processes beside the four that every appliance has."""
    wanted = {"netd": settings.tunnel, "courier": settings.courier}
    return [name for name, how in wanted.items() if how != "none"]
