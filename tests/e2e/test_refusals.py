"""What is not DICOM, not whole or not allowed gets a clear refusal, and nothing of it is kept."""

from __future__ import annotations

import errno
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pynetdicom import AE, build_context
from pynetdicom.dimse_primitives import C_STORE

from appliance.audit.entries import entries
from appliance.paths import StatePaths
from tests.box import OWNER, PASSPHRASE, Box, wait_for
from tests.e2e.memory import peak
from tests.e2e.objects import BOUNDARY, CT, STOW, below, stow_body, tiny
from tests.samples.modality import Unanswered, echo, send
from tests.samples.part10 import Sample, wrap

EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
UNDERSTOOD_NOTHING = range(0xC000, 0xD000)
MIB = 1 << 20


def nested(depth: int) -> bytes:
    """Return ``depth`` sequences of undefined length, each in an item of the one before."""
    head = struct.pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    tail = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return head * depth + tail * depth


def deflated_bomb() -> bytes:
    """Return about 1 MB that inflates to 1.1 GB of one value."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = tiny("bomb").dataset.partition(struct.pack("<HH", 0x7FE0, 0x0010))[0]
    made = squeeze.compress(start + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 1100 * MIB))
    block = bytes(MIB)
    return made + b"".join(squeeze.compress(block) for _ in range(1100)) + squeeze.flush()


def bad_objects() -> dict[str, Callable[[], Sample]]:
    good = tiny("bad")
    uid = good.sop_instance
    return {
        "cut in the middle": lambda: wrap("cut", CT, uid, EXPLICIT, good.dataset[:-60]),
        "random bytes": lambda: wrap("random", CT, uid, EXPLICIT, os.urandom(5000)),
        "another instance than announced": lambda: wrap("other", CT, uid + ".1", EXPLICIT, good.dataset),
        "another class than announced": lambda: wrap("class", CT + ".1", uid, EXPLICIT, good.dataset),
        "a path as its UID": lambda: wrap("path", CT, "../../../../etc/pwn", EXPLICIT, good.dataset),
        "a path in its data set": lambda: tiny("evil", SOPInstanceUID="../../../../etc/pwn"),
        "no study": lambda: tiny("no study", StudyInstanceUID=""),
        "sequences 300 deep": lambda: wrap("deep", CT, uid, EXPLICIT, good.dataset[:-140] + nested(300)),
        "deflated bytes that are none": lambda: wrap("nodeflate", CT, uid, DEFLATED, os.urandom(5000)),
    }


@pytest.mark.parametrize("name", list(bad_objects()))
def test_a_modality_is_told_no_and_nothing_is_kept(box: Box, name: str) -> None:
    before = below(box.state)
    (answer,) = send([bad_objects()[name]()], "127.0.0.1", box.dicom_port)
    assert answer.status in UNDERSTOOD_NOTHING
    assert below(box.state) == before
    assert not Path("/etc/pwn").exists()
    assert send([tiny("good after", name)], "127.0.0.1", box.dicom_port)[0].stored


def test_a_small_file_that_inflates_to_a_gigabyte_takes_little_memory(box: Box) -> None:
    assert send([tiny("warm")], "127.0.0.1", box.dicom_port)[0].stored
    receiver = box.children()["receiver"]
    before, kept = peak(receiver), below(box.state)
    (answer,) = send(
        [wrap("bomb", CT, tiny("bomb").sop_instance, DEFLATED, deflated_bomb())], "127.0.0.1", box.dicom_port
    )
    assert answer.status in UNDERSTOOD_NOTHING
    assert peak(receiver) - before < 150
    assert below(box.state) == kept


def test_a_pdu_that_claims_a_gigabyte_takes_no_memory(box: Box) -> None:
    receiver = box.children()["receiver"]
    before = peak(receiver)
    with socket.create_connection(("127.0.0.1", box.dicom_port), 10) as attacker:
        attacker.settimeout(20)
        with pytest.raises(OSError):
            attacker.sendall(struct.pack(">BBI", 1, 0, 1 << 30))
            for _ in range(300):
                attacker.sendall(bytes(MIB))
    assert peak(receiver) - before < 50
    assert echo("127.0.0.1", box.dicom_port) == 0


@pytest.mark.parametrize(
    "words", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(300), b"\x01\x00\x00\x00\x00\x04abcd"]
)
def test_who_does_not_speak_dicom_is_let_go(box: Box, words: bytes) -> None:
    with socket.create_connection(("127.0.0.1", box.dicom_port), 10) as stranger:
        stranger.sendall(words)
        stranger.settimeout(20)
        # Whether the end of the connection or its reset is met first, and where, is a race.
        try:
            stranger.shutdown(socket.SHUT_WR)
            while stranger.recv(4096):
                pass
        except OSError as error:
            assert error.errno in (errno.ENOTCONN, errno.ECONNRESET)
    assert echo("127.0.0.1", box.dicom_port) == 0


def test_a_store_without_a_data_set_is_answered_with_a_reason(box: Box) -> None:
    entity = AE(ae_title="MODALITY")
    link = entity.associate("127.0.0.1", box.dicom_port, [build_context(CT, [EXPLICIT])], ae_title="NEGATOSCOPE")
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CT, tiny("hollow").sop_instance
    link._reactor_checkpoint.clear()
    wait_for(lambda: link._is_paused, 5)
    link.dimse.send_msg(request, link.accepted_contexts[0].context_id)
    _, answer = link.dimse.get_msg(block=True)
    link._reactor_checkpoint.set()
    link.release()
    assert answer.Status in UNDERSTOOD_NOTHING and "no data set" in answer.ErrorComment


def test_a_wrong_called_title_gets_no_association(box: Box) -> None:
    with pytest.raises(Unanswered):
        echo("127.0.0.1", box.dicom_port, called="SOMEBODYELSE")
    # A technician finds why, and a log holds nothing that a stranger wrote.
    assert "dimse.called_by_another_title" in box.log.read_text() and "SOMEBODYELSE" not in box.log.read_text()
    assert echo("127.0.0.1", box.dicom_port) == 0


def test_60_idle_connections_do_not_shut_out_a_modality_at_another_address(box: Box) -> None:
    idle = [
        socket.create_connection(("127.0.0.1", box.dicom_port), 10, source_address=("127.0.0.2", 0)) for _ in range(60)
    ]
    try:
        assert send([tiny("beside idlers")], "127.0.0.1", box.dicom_port)[0].stored
    finally:
        for one in idle:
            one.close()


def audited(box: Box, event: str) -> int:
    return sum(entry.fields.get("event") == event for entry in entries(StatePaths(box.state), "keyagent"))


@pytest.mark.parametrize(
    ("user", "password"), [(OWNER, "wrong"), ("Nobody", PASSPHRASE), (OWNER, ""), ("'; DROP TABLE person; --", "x")]
)
def test_a_wrong_login_is_refused_in_the_same_words_and_audited(box: Box, user: str, password: str) -> None:
    before = audited(box, "keyagent:person:refused")
    with box.client() as client:
        answer = client.post("/api/session", json={"user": user, "password": password})
        assert answer.status_code == 401
        assert answer.json()["error"] == "refused" and "wrong" in answer.json()["message"]
        assert answer.cookies.get("negato_session") is None
        assert client.get("/api/status").json()["locked"] is True
    assert audited(box, "keyagent:person:refused") == before + 1


def part(data: bytes, head: str = "Content-Type: application/dicom") -> bytes:
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
BODIES: dict[str, tuple[bytes, dict[str, str], set[int]]] = {
    "a JPEG picture": (stow_body([b"\xff\xd8\xff\xe0" + bytes(3000)]), STOW, {409}),
    "random bytes": (stow_body([os.urandom(3000)]), STOW, {409}),
    "an image cut short": (stow_body([tiny("stow cut").data[:-60]]), STOW, {409}),
    "a part of another type": (stow_body([b"<svg/>"], "image/svg+xml"), STOW, {409}),
    "an empty body": (b"", STOW, {400}),
    "no final boundary": (part(tiny("stow open").data)[:-2], STOW, {400}),
    "a header of a megabyte": (part(b"", "X: " + "a" * MIB) + END, STOW, {400}),
    "a thousand headers": (part(b"", "\r\n".join(f"X{n}: y" for n in range(1000))) + END, STOW, {400}),
    "a boundary that is missing": (b"x", {"Content-Type": "multipart/related; type=application/dicom"}, {400}),
    "a boundary of 5000 letters": (b"x", {"Content-Type": f"multipart/related; boundary={'b' * 5000}"}, {400}),
    "a form": (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, {400, 415}),
    "no type at all": (b"x", {}, {400, 415}),
}


@pytest.mark.parametrize("name", list(BODIES))
def test_a_hostile_upload_is_refused_and_nothing_is_kept(box: Box, name: str) -> None:
    body, headers, codes = BODIES[name]
    with box.login() as client:
        wait_for(lambda: not list((box.state / "inbox").iterdir()), 20)
        before = below(box.state / "objects")
        answer = client.post("/dicom-web/studies", content=body, headers=headers)
        assert answer.status_code in codes, answer.text
        if answer.status_code != 409:
            assert set(answer.json()) == {"error", "message", "next_step"}
        assert list((box.state / "inbox").iterdir()) == []
        assert below(box.state / "objects") == before


@pytest.mark.parametrize("path", ["/dicom-web/studies", "/healthz", "/api/status"])
def test_a_head_request_is_not_answered_as_if_it_were_a_page(box: Box, path: str) -> None:
    with box.login() as client:
        assert client.head(path).status_code == 405
