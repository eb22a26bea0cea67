"""``appliance serve``: all processes of the appliance under one supervisor."""

from __future__ import annotations

from typing import Annotated

import typer

from appliance import logs
from appliance.cli.options import State
from appliance.cli.read_settings import read_settings
from appliance.paths import StatePaths
from appliance.supervisor import Supervisor
from appliance.upkeep.layout import check_layout


def serve(
    state: State = None,
    http: Annotated[str | None, typer.Option(help="HOST:PORT of the pages. [default: 127.0.0.1:8080]")] = None,
    dicom: Annotated[str | None, typer.Option(help="HOST:PORT for modalities. [default: 127.0.0.1:11112]")] = None,
) -> None:
    """Start receiver, key agent, decoder and pages; stay until Ctrl-C."""
    settings = read_settings(state=state, http=http, dicom=dicom)
    logs.configure("supervisor")
    check_layout(StatePaths(settings.state))

    def ready() -> None:
        print(f"ready http://{settings.http}/ dicom {settings.ae_title}@{settings.dicom}", flush=True)

    Supervisor(settings, ready).run()
