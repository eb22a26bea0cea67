"""``appliance check``: whether everything that was received is there and whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.options import Json, PasswordFile, State, log_in, printable
from appliance.errors import BadInput, Damaged, EnvironmentProblem
from appliance.paths import StatePaths
from appliance.settings import Settings, read_settings
from appliance.upkeep.check import Progress
from appliance.upkeep.check import check as check_names
from appliance.upkeep.findings import DERIVED, HALVES, NO_FOLDERS, Finding
from appliance.upkeep.mend import mend


def check(
    state: State = None,
    deep: Annotated[bool, typer.Option("--deep", help="Open everything, too: needs --user and a running box.")] = False,
    user: Annotated[str, typer.Option("--user", help="Name of the person who logs in for a deep check.")] = "",
    password_file: PasswordFile = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make anew what is derived; set strays aside; make shelves.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the archive: 0 when all is well, 5 when something is damaged. Without --deep it works while locked."""
    if deep and not user:
        raise BadInput("A deep check opens images.", "Name who does it: --user NAME")
    settings = read_settings(state=state)
    paths = StatePaths(settings.state)
    try:
        with _bar("Names") as progress:
            findings = list(check_names(paths, progress))
    except PermissionError as error:
        raise EnvironmentProblem("You may not read all of the archive.", "Run it as root.") from error
    if repair:
        findings = list(mend(paths, findings))
    if deep:
        findings = [one for one in findings if one.what not in DERIVED]  # The deep check looks at these itself.
        # Root writes nothing into a folder that leads elsewhere.
        inside = not any(one.what in NO_FOLDERS for one in findings)
        opened = _deep(settings, paths, user, password_file, repair and inside)
        findings = [*_not_named(findings, opened), *opened]
    left = [one for one in findings if not one.repaired]
    if as_json:
        print(json.dumps({"clean": not left, "findings": [one.as_json() for one in findings]}))
    else:
        _tell(findings, deep=deep)
    if left:
        raise typer.Exit(Damaged.exit_code)


def _deep(settings: Settings, paths: StatePaths, user: str, password_file: PasswordFile, repair: bool) -> list[Finding]:
    from appliance.archive.files import FileBackend  # SQLCipher is loaded when it is needed
    from appliance.ingest.rebuild import rebuild
    from appliance.upkeep.deep_check import DeepCheck

    agent, token, _ = log_in(settings, user, password_file)
    archive = FileBackend(paths, "check")
    if repair:
        archive.forget_drafts()
    try:
        with _bar("Contents") as progress:
            findings = list(DeepCheck(paths, archive, agent, token, repair).run(progress))
        if repair and any(one.what in DERIVED for one in findings):
            with _bar("Index") as progress:
                rebuild(paths, archive, agent, progress)
            findings = [replace(one, repaired=one.repaired or one.what in DERIVED) for one in findings]
        return findings
    finally:
        agent.logout(token)


def _not_named(findings: list[Finding], opened: list[Finding]) -> list[Finding]:
    """Return the findings without those of halves whose study the deep check has named."""
    named = {_object(one) for one in opened if one.study}
    return [one for one in findings if one.what not in HALVES or _object(one) not in named]


def _object(one: Finding) -> str:
    return Path(one.where).name.partition(".")[0]


@contextmanager
def _bar(label: str) -> Iterator[Progress]:
    """Yield what moves a bar on standard error; nothing is drawn where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    with typer.progressbar(length=0, label=label, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield progress


def _tell(findings: list[Finding], *, deep: bool) -> None:
    for one in findings:
        study = f"  study {one.study}" if one.study else ""
        print(printable(f"{one.what}  {one.where}{study}{'  repaired' if one.repaired else ''}"))
        if not one.repaired:
            print(f"  -> {one.next_step}")
    left = sum(not one.repaired for one in findings)
    print("all is well" if not left else f"{left} findings")
    if not deep:
        print("Looked at: names, forms, keys and the record. What the files hold takes --deep.")
