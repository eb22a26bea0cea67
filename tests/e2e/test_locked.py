"""A locked appliance takes images and shows none; what came meanwhile is listed soon after the login."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from appliance.app import openapi_schema
from appliance.ingest.index_file import index_lock
from appliance.paths import StatePaths
from tests.box import OWNER, PASSPHRASE, Box, wait_for
from tests.e2e.objects import tiny
from tests.samples import ct, splice
from tests.samples.modality import send
from tests.samples.part10 import Sample, wrap
from tests.samples.uids import uid

# All but the first three look at the device that asks, or at the recovery sheet, and show nothing of a patient.
OPEN_TO_ALL = {
    ("GET", "/healthz"), ("GET", "/api/status"), ("POST", "/api/session"), ("GET", "/api/session/device"),
    ("GET", "/api/session/leave"), ("GET", "/api/session/arrive"), ("POST", "/api/claim"),
    ("POST", "/api/recovery"), ("POST", "/api/recovery/device"),
}  # fmt: skip
BODIES = {"/api/studies/search": {"text": "essai"}}
WHILE_LOCKED = 500


def routes() -> list[tuple[str, str]]:
    """Return method and path of every route in the schema that is not open to all, with values in its places."""
    found = [(method.upper(), path) for path, methods in openapi_schema()["paths"].items() for method in methods]
    assert set(found) >= OPEN_TO_ALL
    return sorted((method, re.sub(r"\{\w+\}", "1", path)) for method, path in set(found) - OPEN_TO_ALL)


def slices(count: int) -> list[Sample]:
    """Return CT slices of full size, each an instance of its own."""
    first = next(iter(ct.slices(1)))
    return [
        wrap(
            f"slice-{number}",
            first.sop_class,
            name := uid("locked", number),
            first.transfer_syntax,
            splice.replace(first.dataset, first.transfer_syntax, {0x00080018: (b"UI", name.encode())}),
        )
        for number in range(count)
    ]


def test_the_schema_names_the_reads_that_have_to_be_locked() -> None:
    text = "\n".join(path for _, path in routes())
    for part in ("/dicom-web/studies", "/metadata", "/frames/", "/bulkdata/", "/api/series/", "/api/events"):
        assert part in text


@pytest.mark.parametrize(("method", "path"), routes())
def test_every_route_that_is_not_open_to_all_answers_423_with_a_clear_body(box: Box, method: str, path: str) -> None:
    for cookies in ({}, {"negato_session": "x" * 43}):
        with httpx.Client(base_url=box.url, timeout=30, cookies=cookies) as client:
            answer = client.request(method, path, json=BODIES.get(path))
        assert answer.status_code == 423, answer.text
        assert answer.json() == {
            "error": "locked",
            "message": "The archive is locked.",
            "next_step": "Log in to unlock it.",
        }


def test_health_and_status_answer_while_locked_and_say_how_many_images_wait(box: Box) -> None:
    with box.client() as client:
        before = client.get("/api/status").json()
        assert send([tiny("status")], "127.0.0.1", box.dicom_port)[0].stored
        after = client.get("/api/status").json()
        assert client.get("/healthz").text == "ok"
    assert (before["locked"], after["locked"]) == (True, True)
    assert after["waiting"] == before["waiting"] + 1


def reads(client: httpx.Client) -> bool:
    """Return whether a session is answered with a result."""
    with contextlib.suppress(httpx.TransportError):
        return client.get("/dicom-web/studies").status_code == 200
    return False


def refused(client: httpx.Client) -> bool:
    """Return whether a session is answered 423; it must never be answered with a result again."""
    with contextlib.suppress(httpx.TransportError):
        answer = client.get("/dicom-web/studies")
        assert answer.status_code in (423, 503), answer.status_code
        return answer.status_code == 423
    return False


def by_command(box: Box, _client: httpx.Client) -> None:
    box.lock()


def by_logout(box: Box, client: httpx.Client) -> None:
    with box.login() as other:
        assert other.delete("/api/session").status_code == 204
    assert client.get("/dicom-web/studies").status_code == 200, "a session is still open"
    token = client.cookies["negato_session"]
    assert client.delete("/api/session").status_code == 204
    client.cookies.set("negato_session", token)


def by_request(_box: Box, client: httpx.Client) -> None:
    assert client.post("/api/lock").status_code == 204


def by_killing_the_key_agent(box: Box, _client: httpx.Client) -> None:
    os.kill(box.children()["keyagent"], signal.SIGKILL)


def by_restart(box: Box, _client: httpx.Client) -> None:
    box.stop()
    box.start()


@pytest.mark.parametrize("lock", [by_command, by_logout, by_request, by_killing_the_key_agent, by_restart])
def test_after_a_lock_no_session_reads_and_images_are_still_taken(
    box: Box, lock: Callable[[Box, httpx.Client], None]
) -> None:
    assert send([tiny("before", lock.__name__)], "127.0.0.1", box.dicom_port)[0].stored
    with box.login() as client:
        wait_for(lambda: client.get("/dicom-web/studies").json(), 10)
        lock(box, client)
        if lock is by_killing_the_key_agent:
            wait_for(lambda: not reads(client), 1)
        wait_for(lambda: refused(client), 20)
        assert client.get("/api/status").json()["locked"] is True
        assert send([tiny("after", lock.__name__)], "127.0.0.1", box.dicom_port)[0].stored
        assert client.get("/api/session").status_code == 423


def test_who_logs_in_while_it_is_being_locked_is_let_in_or_told_to_try_again(own_box: Box) -> None:
    told: set[int] = set()
    for number in range(6):
        with own_box.login(), own_box.client() as other:
            locking = threading.Timer(0.1 * number, own_box.run, ["lock", "--state", str(own_box.state)])
            locking.start()
            end = time.monotonic() + 3
            while time.monotonic() < end:
                with contextlib.suppress(httpx.TransportError):
                    answer = other.post("/api/session", json={"user": OWNER, "password": PASSPHRASE}, timeout=20)
                    told.add(answer.status_code)
                    assert answer.status_code == 200 or (answer.status_code == 503 and answer.json()["next_step"])
            locking.join()
    assert told >= {200}


def test_a_key_agent_that_ends_while_somebody_waits_to_be_let_in_keeps_nobody_waiting(own_box: Box) -> None:
    """What keeps the archive from opening here is another process that works on the index."""
    with ThreadPoolExecutor(1) as executor, own_box.client() as client:
        with index_lock(StatePaths(own_box.state)):
            credentials = {"user": OWNER, "password": PASSPHRASE}
            waiting = executor.submit(client.post, "/api/session", json=credentials)
            wait_for(lambda: says_locked(own_box) is False, 10)
            before = own_box.children()
            os.kill(before["keyagent"], signal.SIGKILL)
            wait_for(lambda: own_box.children().get("web", before["web"]) != before["web"], 10)
        with contextlib.suppress(httpx.TransportError):
            assert waiting.result().status_code == 503
    with own_box.login() as client:
        assert client.get("/dicom-web/studies").status_code == 200


def says_locked(box: Box) -> bool:
    """Return whether the box says that it is locked."""
    with box.client() as client:
        return bool(client.get("/api/status").json()["locked"])


def listed(client: httpx.Client) -> int:
    """Return how many instances the list of studies tells: one short answer, so that asking delays nothing."""
    answer = client.get("/dicom-web/studies", params={"includefield": "00201208"})
    return sum(int(study["00201208"]["Value"][0]) for study in answer.json())


@pytest.mark.alone
def test_500_images_received_while_locked_are_listed_soon_after_the_login(own_box: Box) -> None:
    """Soon is half of the time that they took to come: the seconds of this machine are told, not judged.

    The bound in seconds, two, belongs to ``appliance bench login``.
    """
    began = time.monotonic()
    answers = send(slices(WHILE_LOCKED), "127.0.0.1", own_box.dicom_port, associations=2)
    receiving = time.monotonic() - began
    assert all(answer.stored for answer in answers)
    with own_box.client() as client:
        began = time.monotonic()
        answer = client.post("/api/session", json={"user": OWNER, "password": PASSPHRASE})
        assert answer.status_code == 200, answer.text
        login = time.monotonic() - began
        wait_for(lambda: listed(client) == WHILE_LOCKED, 60)
        taken = time.monotonic() - began
    print(f"{WHILE_LOCKED} images in {receiving:.2f} s; login answered after {login:.2f} s, listed after {taken:.2f} s")
    assert taken < receiving / 2
