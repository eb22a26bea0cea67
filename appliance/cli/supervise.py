"""The program that ``appliance serve`` becomes: a supervisor with what its environment says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from appliance import logs
from appliance.errors import NegatoError
from appliance.supervisor import Plan, Supervisor


def main() -> None:
    """Supervise until told to stop; exit with the code of the error that stands in the way."""
    logs.configure("supervisor")
    further = tuple(name for name in os.environ["NEGATO_FURTHER"].split(",") if name)
    https = tuple(filter(None, [os.environ["NEGATO_HTTPS"]]))
    plan = Plan(Path(os.environ["NEGATO_RUN"]), os.environ["NEGATO_HTTP"], os.environ["NEGATO_DICOM"], further, https)
    ae_title = os.environ["NEGATO_AE_TITLE"]

    def ready() -> None:
        print(f"ready http://{plan.http}/ dicom {ae_title}@{plan.dicom}", flush=True)

    try:
        Supervisor(plan, ready).run()
    except NegatoError as error:
        print(f"appliance: {error.message}\n  -> {error.next_step}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
