"""The half of a slot's key that devices hold: without one, the passphrase opens nothing."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import BadInput, Damaged, Refused
from appliance.keyring import possession
from appliance.keyring.slots import add_slot, change_passphrase, remove_slot, unlock_slot
from appliance.sealing.device_wrap import open_half, wrap_half
from appliance.sealing.identities import Identity
from appliance.sealing.slots import FLOOR
from tests.keyring.conftest import Archive
from tests.torture.judges import flipped

PERSON, PHONE, LAPTOP = "0123456789abcdef", "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"


@pytest.fixture
def half(archive: Archive) -> bytes:
    half = possession.new_half()
    add_slot(archive.paths, PERSON, b"half in the head", Identity.generate(), FLOOR, half)
    return half


def test_each_claimed_device_opens_the_slot_together_with_the_password(archive: Archive, half: bytes) -> None:
    devices = {PHONE: ("browser", secrets.token_bytes(32)), LAPTOP: ("passkey", secrets.token_bytes(32))}
    for device, (kind, secret) in devices.items():
        possession.add_wrap(archive.paths, PERSON, device, kind, half, secret)
    assert possession.devices(archive.paths, PERSON) == {PHONE: "browser", LAPTOP: "passkey"}
    for device, (_, secret) in devices.items():
        held = possession.open_wrap(archive.paths, PERSON, device, secret)
        assert unlock_slot(archive.paths, PERSON, b"half in the head", held)


def test_neither_the_password_nor_the_device_alone_opens_the_slot(archive: Archive, half: bytes) -> None:
    for password, held in ((b"half in the head", b""), (b"half in the head", bytes(32)), (b"another", half)):
        with pytest.raises(Refused):
            unlock_slot(archive.paths, PERSON, password, held)


def test_a_device_whose_secret_was_renewed_opens_with_the_new_one_alone(archive: Archive, half: bytes) -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    possession.add_wrap(archive.paths, PERSON, PHONE, "browser", half, old)
    possession.add_wrap(archive.paths, PERSON, PHONE, "browser", half, new)
    assert possession.open_wrap(archive.paths, PERSON, PHONE, new) == half
    with pytest.raises(Refused):
        possession.open_wrap(archive.paths, PERSON, PHONE, old)


def test_a_revoked_device_holds_nothing_and_the_others_go_on(archive: Archive, half: bytes) -> None:
    secret = secrets.token_bytes(32)
    for device in (PHONE, LAPTOP):
        possession.add_wrap(archive.paths, PERSON, device, "browser", half, secret)
    possession.revoke_wrap(archive.paths, PERSON, PHONE)
    with pytest.raises(Refused):
        possession.open_wrap(archive.paths, PERSON, PHONE, secret)
    assert possession.open_wrap(archive.paths, PERSON, LAPTOP, secret) == half
    possession.revoke_wrap(archive.paths, PERSON, LAPTOP)
    assert not archive.paths.possession(PERSON).exists()


def forged(body: dict[str, Any]) -> bytes:
    """Return the file of somebody who can write to the disk: the checksum needs no secret."""
    rest = {name: value for name, value in body.items() if name != "sha256"}
    rest["sha256"] = hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return json.dumps(rest, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def test_one_flipped_bit_is_damage_and_never_another_device(archive: Archive, half: bytes) -> None:
    """A device that is unknown would be told to be claimed again, which is no way out of a broken disk."""
    for device in (PHONE, LAPTOP):
        possession.add_wrap(archive.paths, PERSON, device, "browser", half, secrets.token_bytes(32))
    path = archive.paths.possession(PERSON)
    raw = path.read_bytes()
    assert forged(json.loads(raw)) == raw
    for bit in range(8 * len(raw)):
        path.write_bytes(flipped(raw, bit))
        with pytest.raises(Damaged):
            possession.devices(archive.paths, PERSON)


def test_a_wrap_moved_to_another_person_or_device_opens_nothing(archive: Archive, half: bytes) -> None:
    secret = secrets.token_bytes(32)
    possession.add_wrap(archive.paths, PERSON, PHONE, "browser", half, secret)
    body = json.loads(archive.paths.possession(PERSON).read_bytes())
    body["devices"][LAPTOP] = body["devices"].pop(PHONE)
    archive.paths.possession(PERSON).write_bytes(forged(body))
    with pytest.raises(Refused):
        possession.open_wrap(archive.paths, PERSON, LAPTOP, secret)
    body["person"] = "f" * 16
    archive.paths.possession(PERSON).write_bytes(forged(body))
    with pytest.raises(Damaged):
        possession.devices(archive.paths, PERSON)


def test_a_slot_that_goes_takes_what_devices_held_with_it(archive: Archive, half: bytes) -> None:
    possession.add_wrap(archive.paths, PERSON, PHONE, "browser", half, secrets.token_bytes(32))
    remove_slot(archive.paths, PERSON)
    assert not list(archive.paths.slots.glob(f"{PERSON}*"))


def test_a_changed_password_keeps_the_devices(archive: Archive, half: bytes) -> None:
    change_passphrase(archive.paths, PERSON, b"half in the head", b"another half", half)
    assert unlock_slot(archive.paths, PERSON, b"another half", half)
    with pytest.raises(Refused):
        unlock_slot(archive.paths, PERSON, b"half in the head", half)


@given(st.binary(max_size=2000))
def test_a_damaged_list_of_devices_is_named_as_such(made: Archive, raw: bytes) -> None:
    path = made.paths.possession("f" * 16)
    path.write_bytes(raw)
    try:
        with pytest.raises(Damaged):
            possession.devices(made.paths, "f" * 16)
    finally:
        path.unlink()


@pytest.mark.parametrize("place", range(64))
def test_any_changed_byte_of_a_wrap_is_refused(place: int) -> None:
    wrapped = bytearray(wrap_half(bytes(32), b"s" * 32, b"context"))
    wrapped[place] ^= 1
    with pytest.raises(Refused):
        open_half(bytes(wrapped), b"s" * 32, b"context")


def test_sizes_that_cannot_be_are_refused() -> None:
    for half, secret in ((bytes(31), bytes(32)), (bytes(32), bytes(31)), (b"", b"")):
        with pytest.raises(BadInput):
            wrap_half(half, secret, b"")
    with pytest.raises(Damaged):
        open_half(bytes(63), bytes(32), b"")


def test_only_known_kinds_of_device_hold_anything(archive: Archive, half: bytes) -> None:
    for device, kind in ((PHONE, "fax"), ("../x", "browser"), ("", "browser")):
        with pytest.raises(BadInput):
            possession.add_wrap(archive.paths, PERSON, device, kind, half, bytes(32))
