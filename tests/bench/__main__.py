"""Runs the benchmark: ``python -m tests.bench store|query|retrieve|login|seal|all``, as ``appliance bench`` does."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench import corpus, login, netns, report, seal, store, web
from tests.demo.box import Trouble

WHILE_LOCKED = 500


def main() -> int:
    """Measure and print; return the exit code (6 when the machine is in the way)."""
    parser = argparse.ArgumentParser(prog="appliance bench", description="Measure the appliance, beside Orthanc.")
    parser.add_argument("what", choices=["store", "query", "retrieve", "login", "seal", "all"])
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--plot", type=Path, help="write the ratios as an SVG drawing")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of C-STORE (default 3)")
    parser.add_argument("--slices", type=int, default=200, help="CT slices (default 200)")
    parser.add_argument("--radiographs", type=int, default=20, help="radiographs (default 20)")
    parser.add_argument("--instances", default="1000,20000", help="steps of growth (default 1000,20000)")
    parser.add_argument("--mebibytes", type=int, default=1024, help="size of the object that is sealed (default 1024)")
    parser.add_argument("--here", action="store_true", help="stay in this network namespace")
    chosen = parser.parse_args()
    if netns.possible() and not chosen.here:
        return netns.run_inside(sys.argv[1:])
    try:
        result = run(chosen)
    except Trouble as trouble:
        print(f"bench: {trouble}", file=sys.stderr)
        return 6
    except KeyboardInterrupt:
        return 130
    if chosen.plot:
        chosen.plot.write_text(report.drawing(result))
    print(json.dumps(result, indent=1) if chosen.json else report.text(result))
    slow = [row for row in result.get("login", []) if row["value"] > row.get("at_most", row["value"])]
    for row in slow:
        print(f"bench: {row['what']}: {row['value']:.2f} s; expected are {row['at_most']:.0f}.", file=sys.stderr)
    return 1 if slow else 0


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return every figure that was asked for."""

    def say(line: str) -> None:
        print(f"  {line}", file=sys.stderr, flush=True)

    result: dict[str, Any] = {"machine": report.machine()}
    work = Path(tempfile.mkdtemp(prefix="negatoscope-corpus-"))
    try:
        if chosen.what in {"seal", "all"}:
            result["seal"] = seal.measure(chosen.mebibytes, work, say)
        if chosen.what == "seal":
            return result | {"ratios": report.ratios(result)}
        say("making the images ...")
        ct = corpus.ct_files(work / "files", chosen.slices)
        dx = corpus.radiograph_files(work / "files", chosen.radiographs)
        if chosen.what in {"store", "all"}:
            result["store"] = store.measure({"ct": ct, "dx": dx}, work, chosen.rounds, say)
            result["footprint"] = store.footprint(ct, work, say)
        if chosen.what in {"login", "all"}:
            result["login"] = login.measure(corpus.ct_files(work / "locked", WHILE_LOCKED), work, say)
        if chosen.what in {"query", "retrieve", "all"}:
            steps, small = [], 0
            for place, total in enumerate(int(part) for part in chosen.instances.split(",")):
                add = total - small - len(ct) - len(dx)
                files = corpus.small_files(work / "files", small, add) + ([*ct, *dx] if place == 0 else [])
                small += add
                steps.append((files, web.small_studies(small)))
            result["web"] = web.measure(chosen.what, steps, (len(ct), len(dx)), work, say)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    result["ratios"] = report.ratios(result)
    return result


if __name__ == "__main__":
    sys.exit(main())
