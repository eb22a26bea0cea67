"""DICOMweb latency: the same requests to every system, one after the other."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import quote

from tests.bench.corpus import PER_STUDY
from tests.bench.ours import wait_for
from tests.bench.sender import spread, storescu
from tests.bench.store import Say, nodelay, systems
from tests.demo.box import Trouble
from tests.samples.ct import series_uid
from tests.samples.uids import uid

JSON = "application/dicom+json"
OCTETS = 'multipart/related; type="application/octet-stream"'
OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'


@dataclass(frozen=True)
class Ask:
    """One kind of request: ``path`` draws the next one, ``count`` counts what came back (for a fair comparison)."""

    what: str
    path: Callable[[random.Random], str]
    accept: str
    times: int


def queries(studies: int) -> list[Ask]:
    """Return the searches, over ``studies`` small studies beside the others."""

    def study(draw: random.Random) -> str:
        return uid("bench small study", draw.randrange(studies))

    return [
        Ask("QIDO all studies", lambda _: "/studies?limit=2000", JSON, 15),
        Ask("QIDO first 50 studies", lambda _: "/studies?limit=50", JSON, 40),
        Ask("QIDO studies by name prefix", lambda draw: f"/studies?PatientName={quote(_prefix(draw))}*", JSON, 60),
        Ask("QIDO series of a study", lambda draw: f"/studies/{study(draw)}/series", JSON, 100),
        Ask("QIDO instances of a study", lambda draw: f"/studies/{study(draw)}/instances", JSON, 60),
    ]


def retrievals(slices: int, radiographs: int) -> list[Ask]:
    """Return the requests for pictures."""
    ct = f"/studies/{uid('ct', 1, 'study')}/series/{series_uid(1)}"

    def radiograph(draw: random.Random) -> str:
        seed = 1000 + draw.randrange(radiographs)
        series, instance = uid("radiograph", seed, "series"), uid("radiograph", seed, "instance", 0)
        return f"/studies/{uid('radiograph', seed, 'study')}/series/{series}/instances/{instance}/frames/1"

    def instance(draw: random.Random) -> str:
        return f"{ct}/instances/{uid('ct', 1, 'instance', draw.randrange(slices))}"

    return [
        Ask("WADO frame of a CT", lambda draw: f"{instance(draw)}/frames/1", OCTETS, 150),
        Ask("WADO frame of a radiograph", radiograph, OCTETS, 40),
        Ask("WADO instance of a CT", instance, OBJECTS, 100),
        Ask("WADO metadata of a CT series", lambda _: f"{ct}/metadata", JSON, 10),
    ]


def measure(
    kinds: str, steps: list[tuple[list[Path], int]], pictures: tuple[int, int], work: Path, say: Say
) -> list[dict[str, Any]]:
    """Load every step's files into all systems and measure after each; ``kinds`` is query, retrieve or all.

    ``steps`` holds (files to add, small studies then); ``pictures`` the numbers of CT slices and radiographs.
    """
    running = []
    rows: list[dict[str, Any]] = []
    try:
        for make in systems():
            system = make()
            running.append(system)
            with nodelay(True):
                system.start()
        total = 0
        for number, (files, studies) in enumerate(steps):
            total += len(files)
            for system in running:
                seconds = storescu(spread(files, 4, work / f"step{number}"), system.dicom_port, nodelay=True)
                seconds += wait_for(system, total)
                say(f"{system.name}: {total} instances, the last {len(files)} in {seconds:.0f} s")
            asks = queries(studies) if kinds in {"query", "all"} else []
            asks += retrievals(*pictures) if kinds in {"retrieve", "all"} else []
            for ask in asks:
                rows += [row | {"instances": total} for row in _compare(ask, running, say)]
    finally:
        for system in running:
            system.clean()
    return rows


def _compare(ask: Ask, running: list[Any], say: Say) -> list[dict[str, Any]]:
    draw = random.Random(ask.what)
    links = [http.client.HTTPConnection("127.0.0.1", system.http_port, timeout=120) for system in running]
    times: list[list[float]] = [[] for _ in running]
    sizes: list[set[int]] = [set() for _ in running]
    for turn in range(ask.times + 3):
        path = "/dicom-web" + ask.path(draw)
        for place, (system, link) in enumerate(zip(running, links, strict=True)):
            headers = {"Accept": ask.accept, "Accept-Encoding": "identity", **system.headers()}
            begun = time.perf_counter()
            link.request("GET", path, headers=headers)
            answer = link.getresponse()
            body = answer.read()
            seconds = time.perf_counter() - begun
            if answer.status not in {200, 204}:
                raise Trouble(f"{system.name} answered {answer.status} to {ask.what}: {body[:200]!r}")
            if turn >= 3:  # the first three warm up
                times[place].append(seconds)
            sizes[place].add(len(json.loads(body or b"[]")) if ask.accept == JSON else len(body) // 1024)
    for link in links:
        link.close()
    rows = []
    for system, seconds_of, size in zip(running, times, sizes, strict=True):
        p50, p95 = median(seconds_of) * 1000, quantiles(seconds_of, n=20)[-1] * 1000
        rows.append(
            {"what": ask.what, "system": system.name, "p50_ms": p50, "p95_ms": p95, "answers": sorted(size)[-3:]}
        )
        say(f"{ask.what}: {system.name} {p50:.1f} ms (p95 {p95:.1f}), answers {sorted(size)[-3:]}")
    return rows


def _prefix(draw: random.Random) -> str:
    return draw.choice(["Lanv", "Brun", "Vauc", "Rive", "Tess", "Hau", "Cast", "Font"])


def small_studies(instances: int) -> int:
    """Return how many studies so many small instances make."""
    return instances // PER_STUDY
