"""``appliance bench``: hands over to the benchmark, which lives in the source tree beside its sample images."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.options import Json
from appliance.errors import BadInput, EnvironmentProblem

SOURCE = Path(__file__).resolve().parents[2]
KINDS = ("store", "query", "retrieve", "login", "seal", "all")


def bench(
    what: Annotated[str, typer.Argument(help="store, query, retrieve, login, seal or all.")],
    as_json: Json = False,
    plot: Annotated[Path | None, typer.Option(help="Write the ratios to this file as an SVG drawing.")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of storing.")] = 3,
    slices: Annotated[int, typer.Option(help="CT slices to store.")] = 200,
    radiographs: Annotated[int, typer.Option(help="Radiographs to store.")] = 20,
    instances: Annotated[str, typer.Option(help="Steps of growth for searches and pictures.")] = "1000,20000",
) -> None:
    """Measure the appliance on archives of its own, beside Debian's Orthanc where that is installed.

    Needs the source tree, dcmtk's storescu, and some minutes. No archive of yours is touched.
    """
    if what not in KINDS:
        raise BadInput(f"There is no benchmark {what!r}.", f"Choose one of: {', '.join(KINDS)}.")
    if not (SOURCE / "tests" / "bench" / "__main__.py").is_file():
        raise EnvironmentProblem(
            "The benchmark is not installed with the appliance: it needs the sample images of the source tree.",
            "Run it from a source checkout after: make install",
        )
    arguments = [what, "--rounds", str(rounds), "--slices", str(slices), "--radiographs", str(radiographs)]
    arguments += ["--instances", instances, *(["--json"] if as_json else [])]
    arguments += ["--plot", str(plot.absolute())] if plot else []
    os.chdir(SOURCE)
    # This process becomes the benchmark: its exit code and Ctrl-C are the command's.
    os.execv(sys.executable, [sys.executable, "-m", "tests.bench", *arguments])  # noqa: S606  # no shell
