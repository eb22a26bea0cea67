"""``appliance audit``: what was done with the keys, and whether its record is whole."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from appliance import clock
from appliance.cli.options import Json, State, printable
from appliance.errors import BadInput, Damaged, EnvironmentProblem
from appliance.paths import StatePaths
from appliance.settings import read_settings
from appliance.upkeep.layout import check_layout

app = typer.Typer(help="The record of who read what.", no_args_is_help=True, rich_markup_mode=None)

Log = Annotated[str | None, typer.Option("--log", help="Only the log of this process, for example keyagent.")]
Event = Annotated[str | None, typer.Option(help="Only events that begin so, for example keyagent:study:")]
Person = Annotated[str | None, typer.Option(help="Only what this person did: a name, or an id.")]
Since = Annotated[str | None, typer.Option(help="Only from this day on, YYYY-MM-DD or RFC 3339, in UTC.")]
Until = Annotated[str | None, typer.Option(help="Only before this day.")]


@app.callback()
def _audit() -> None:
    """The record of who read what."""


@app.command("list")
def list_lines(
    state: State = None,
    log: Log = None,
    event: Event = None,
    person: Person = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=0, help="Only the last so many lines; 0: all.")] = 0,
    as_json: Json = False,
) -> None:
    """List audit lines in the order of each log. What is no line is listed as what it is."""
    from collections import deque

    paths = _state(state)
    names = _Names(paths)
    wanted = deque(_chosen(paths, names, log, event, person, since, until), limit or None)
    for found in wanted:
        if as_json:
            print(json.dumps(found, ensure_ascii=True))
        else:
            print(_readable(found, names))


@app.command()
def verify(state: State = None, as_json: Json = False) -> None:
    """Verify the chain of every log and what the logs know of each other; exit 5 names log and line."""
    from appliance.audit.verify import verify as verify_all

    with _readable_logs():
        found = verify_all(_state(state))
    if as_json:
        print(json.dumps({"whole": not any(log.problems for log in found), "logs": [asdict(log) for log in found]}))
    else:
        for log in found:
            torn = f", {log.torn} cut by a crash" if log.torn else ""
            print(f"{log.process}: {log.lines} lines, {log.first} to {log.last}{torn}; head {log.head[:16]}")
    problems = [problem for log in found for problem in log.problems]
    for problem in problems[1:]:
        print(printable(str(problem)), file=sys.stderr)
    if problems:
        raise Damaged(f"{printable(str(problems[0]))}.", "Keep the disk as it is and report it.")


@app.command()
def export(
    state: State = None,
    form: Annotated[str, typer.Option("--format", help="jsonl, or dicom: PS3.15 A.5 messages, one a line.")] = "jsonl",
    log: Log = None,
    event: Event = None,
    person: Person = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Write audit lines to standard output for another program; the export itself is audited."""
    from appliance.audit.dicom import message
    from appliance.upkeep.cli_log import record

    if form not in ("jsonl", "dicom"):
        raise BadInput(f"There is no format {form}.", "Choose jsonl or dicom.")
    paths = _state(state)
    with _readable_logs():
        record(paths, clock.now(), "cli:audit:export", format=form)
    source = f"negatoscope {paths.root.absolute().name}"
    for found in _chosen(paths, _Names(paths), log, event, person, since, until):
        if form == "jsonl":
            print(json.dumps(found, ensure_ascii=True))
        elif "hash" in found and found.get("fault", "") in ("", "gap"):
            print(message(found["log"], found, source))


@app.command()
def prune(
    state: State = None,
    before: Annotated[str | None, typer.Option(help="A day, YYYY-MM-DD. [default: twelve months ago]")] = None,
) -> None:
    """Remove what is older, file by file, and record in the chain what was removed."""
    from appliance.audit.prune import KEPT_MONTHS
    from appliance.audit.prune import prune as prune_log
    from appliance.upkeep.cli_log import record

    paths, now = _state(state), clock.now()
    day = min(now.day, 28)
    months = now.year * 12 + now.month - 1 - KEPT_MONTHS
    limit = _moment(before) if before else datetime(months // 12, months % 12 + 1, day, tzinfo=UTC)
    with _readable_logs():
        record(paths, now, "cli:audit:prune", before=clock.stamp(limit))
        for process in paths.audit_processes():
            print(f"{process}: removed {prune_log(paths, process, limit, now)} lines older than {limit:%Y-%m-%d}")


def _state(state: Path | None) -> StatePaths:
    paths = StatePaths(read_settings(state=state).state)
    check_layout(paths)
    return paths


def _chosen(
    paths: StatePaths,
    names: _Names,
    log: str | None,
    event: str | None,
    person: str | None,
    since: str | None,
    until: str | None,
) -> Iterator[dict[str, Any]]:
    """Yield lines as objects: their log, file and line, their fields, and a fault if they have one."""
    from appliance.audit.entries import entries

    first, last = (clock.stamp(_moment(text)) if text else None for text in (since, until))
    filtered = event or person or first or last
    who = names.id(person) if person else ""
    with _readable_logs():
        for process in paths.audit_processes():
            if log is not None and process != log:
                continue
            for entry in entries(paths, process):
                fields = entry.fields
                if not fields and filtered:
                    continue
                if event and not str(fields["event"]).startswith(event):
                    continue
                if who and fields.get("person") != who:
                    continue
                if (first and fields["at"] < first) or (last and fields["at"] >= last):
                    continue
                place = {"log": process, "file": entry.file, "line": entry.line}
                yield {**fields, **place, **({"fault": entry.fault} if entry.fault else {})}


def _readable(found: dict[str, Any], names: _Names) -> str:
    fault = f"  !! {found['fault']}" if "fault" in found else ""
    if "hash" not in found:
        return f"{'-':24}  {found['log']}  line {found['line']} of {found['file']}{fault}"
    person = str(found.get("person") or "")
    words = [
        f"{found['at']}  {found['log']} {found['seq']}  {found['event']}",
        names.name(person) if person else "",
        f"study {found['study']}" if found.get("study") else "",
        f"{len(found['headers'])} objects" if isinstance(found.get("headers"), list) else "",
        str(found.get("reason") or ""),
    ]
    text = "  ".join(word for word in words if word) + fault
    return printable(text)


class _Names:
    """People's names by id, as far as the list of people can be read."""

    def __init__(self, paths: StatePaths) -> None:
        from appliance.people.store import People  # SQLAlchemy is loaded when it is needed

        self._people = People(paths.system_db)
        self._known: dict[str, str] = {}

    def name(self, person: str) -> str:
        """Return the name that belongs to an id, the id itself when nobody has it."""
        if person not in self._known:
            with contextlib.suppress(Damaged):
                found = self._people.by_id(person)
                self._known[person] = found.name if found else person
        return self._known.get(person, person)

    def id(self, name: str) -> str:
        """Return the id that belongs to a name, the name itself when there is none: it may be an id."""
        with contextlib.suppress(Damaged):
            found = self._people.by_name(name)
            return found.id if found else name
        return name


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{text} is not a day.", "Write YYYY-MM-DD.") from error


class _readable_logs:  # reads like the context manager it is
    """Turns what the system refuses into a sentence."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, BrokenPipeError):
            return
        if isinstance(error, OSError):
            raise EnvironmentProblem(
                f"The audit logs cannot be read: {error.strerror}.", "Run as the box's user."
            ) from error
