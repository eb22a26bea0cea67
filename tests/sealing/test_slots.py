"""A slot opens with the right passphrase, and with nothing else."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from appliance.errors import BadInput, Damaged, Refused
from appliance.sealing.slots import (
    CEILING,
    FLOOR,
    Argon2Params,
    calibrate,
    make_slot,
    open_slot,
    read_slot_header,
)

SECRET = b"AGE-SECRET-KEY-1 stands for it"
PASSPHRASE = "lumière-négatif-rayon".encode()
SALT, NONCE, HALF = bytes(range(16)), bytes(range(12)), bytes(range(32))
SLOT = make_slot("p1", PASSPHRASE, SECRET, FLOOR, SALT, NONCE)
HALF_SLOT = make_slot("p1", PASSPHRASE, SECRET, FLOOR, SALT, NONCE, HALF)


def rewritten(change: Callable[[dict[str, Any]], object], raw: bytes = SLOT) -> bytes:
    """A slot altered by somebody who can compute its checksum."""
    body = json.loads(raw)
    change(body)
    del body["sha256"]
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    body["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def test_the_right_passphrase_opens() -> None:
    assert open_slot(SLOT, PASSPHRASE) == SECRET
    assert open_slot(SLOT, PASSPHRASE, person="p1") == SECRET
    assert rewritten(lambda body: None) == SLOT


def test_a_slot_is_the_same_for_the_same_salt_and_nonce_and_fresh_otherwise() -> None:
    assert make_slot("p1", PASSPHRASE, SECRET, FLOOR, SALT, NONCE) == SLOT
    one, other = (read_slot_header(make_slot("p1", PASSPHRASE, SECRET, FLOOR)) for _ in range(2))
    assert one.salt != other.salt
    assert one.nonce != other.nonce


@pytest.mark.parametrize("wrong", [b"", b"x", PASSPHRASE + b" ", PASSPHRASE[:-1], PASSPHRASE.upper(), b"x" * 2000])
def test_a_wrong_passphrase_is_refused(wrong: bytes) -> None:
    with pytest.raises(Refused):
        open_slot(SLOT, wrong)


def test_both_halves_are_needed_where_a_device_holds_one() -> None:
    assert open_slot(HALF_SLOT, PASSPHRASE, HALF) == SECRET
    with pytest.raises(Refused, match="wrong"):
        open_slot(HALF_SLOT, PASSPHRASE, bytes(32))
    for half in (b"", HALF[:-1], HALF + b"\0"):
        with pytest.raises(Refused, match="devices"):
            open_slot(HALF_SLOT, PASSPHRASE, half)
    with pytest.raises(Refused):
        open_slot(HALF_SLOT, b"wrong", HALF)
    with pytest.raises(Refused):
        open_slot(SLOT, PASSPHRASE, HALF)


def test_a_slot_in_another_persons_place_is_noticed() -> None:
    with pytest.raises(Damaged):
        open_slot(SLOT, PASSPHRASE, person="p2")


def test_every_single_bit_of_a_slot_matters_and_costs_no_derivation() -> None:
    raw = bytearray(SLOT)
    for position in range(len(raw) * 8):
        raw[position // 8] ^= 1 << position % 8
        with pytest.raises(Damaged):
            open_slot(bytes(raw), PASSPHRASE)
        raw[position // 8] ^= 1 << position % 8


ALTERED: dict[str, Callable[[dict[str, Any]], object]] = {
    "another person": lambda body: body["header"].update(person="p2"),
    "more iterations": lambda body: body["header"]["argon2id"].update(iterations=3),
    "more lanes": lambda body: body["header"]["argon2id"].update(lanes=2),
    "another salt": lambda body: body["header"].update(salt="A" * 22),
    "another nonce": lambda body: body["header"].update(nonce="A" * 16),
    "another body": lambda body: body.update(sealed="A" * len(body["sealed"])),
    "an empty body": lambda body: body.update(sealed=""),
    "another need of a device": lambda body: body["header"].update(needs_possession=True),
}


@pytest.mark.parametrize("name", ALTERED)
def test_a_slot_altered_by_somebody_who_mends_the_checksum_does_not_open(name: str) -> None:
    raw = rewritten(ALTERED[name])
    assert read_slot_header(raw)
    with pytest.raises(Refused):
        open_slot(raw, PASSPHRASE)


MALFORMED: dict[str, Callable[[dict[str, Any]], object]] = {
    "64 GiB of memory": lambda body: body["header"]["argon2id"].update(memory_kib=64 * 1024 * 1024),
    "a bit more memory than the ceiling": lambda body: body["header"]["argon2id"].update(
        memory_kib=CEILING.memory_kib + 1
    ),
    "memory below the floor": lambda body: body["header"]["argon2id"].update(memory_kib=FLOOR.memory_kib - 1),
    "a million iterations": lambda body: body["header"]["argon2id"].update(iterations=1_000_000),
    "one iteration": lambda body: body["header"]["argon2id"].update(iterations=1),
    "no lanes": lambda body: body["header"]["argon2id"].update(lanes=0),
    "many lanes": lambda body: body["header"]["argon2id"].update(lanes=CEILING.lanes + 1),
    "negative lanes": lambda body: body["header"]["argon2id"].update(lanes=-1),
    "lanes true": lambda body: body["header"]["argon2id"].update(lanes=True),
    "iterations as a fraction": lambda body: body["header"]["argon2id"].update(iterations=2.0),
    "iterations as text": lambda body: body["header"]["argon2id"].update(iterations="2"),
    "a parameter more": lambda body: body["header"]["argon2id"].update(more=1),
    "a parameter less": lambda body: body["header"]["argon2id"].pop("lanes"),
    "parameters as a list": lambda body: body["header"].update(argon2id=[19456, 2, 1]),
    "a field more in the header": lambda body: body["header"].update(more=1),
    "a field more": lambda body: body.update(more=1),
    "a header less": lambda body: body.pop("header"),
    "version 2": lambda body: body["header"].update(version=2),
    "version true": lambda body: body["header"].update(version=True),
    "a short salt": lambda body: body["header"].update(salt="AAAA"),
    "a padded salt": lambda body: body["header"].update(salt="A" * 22 + "=="),
    "a non-canonical salt": lambda body: body["header"].update(salt="A" * 21 + "B"),
    "a salt as a number": lambda body: body["header"].update(salt=1),
    "a long nonce": lambda body: body["header"].update(nonce="A" * 32),
    "no person": lambda body: body["header"].update(person=""),
    "a person of two lines": lambda body: body["header"].update(person="a\nb"),
    "a lone surrogate as person": lambda body: body["header"].update(person="\ud800"),
    "a long person": lambda body: body["header"].update(person="p" * 129),
    "need of a device as a number": lambda body: body["header"].update(needs_possession=0),
    "a body as a list": lambda body: body.update(sealed=[]),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_slot_is_refused_before_any_derivation(name: str) -> None:
    raw = rewritten(MALFORMED[name])
    with pytest.raises(Damaged):
        read_slot_header(raw)
    with pytest.raises(Damaged):
        open_slot(raw, PASSPHRASE)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{}", b"[]", b"null", b"1", SLOT[:-1], SLOT + b"\n", b" " + SLOT, SLOT * 2, b"\xff" * 10, b"[" * 8000,
        b'{"header":' * 800, b"1" * 8000, b"{" + SLOT[1:-2] + b" }\n", SLOT + b" " * 10_000,
        SLOT.replace(b'"iterations":2', b'"iterations":3,"iterations":2'), SLOT.replace(b"p1", b"\\u0070\\u0031"),
    ],
)  # fmt: skip
def test_what_is_no_slot_is_refused(raw: bytes) -> None:
    with pytest.raises(Damaged):
        open_slot(raw, PASSPHRASE)


def test_noise_is_refused() -> None:
    for seed in range(300):
        noise = random.Random(seed)
        cut = noise.randrange(len(SLOT))
        with pytest.raises(Damaged):
            open_slot(SLOT[:cut] + noise.randbytes(noise.randrange(1, 40)) + SLOT[cut:], PASSPHRASE)


@pytest.mark.parametrize(
    "arguments",
    [
        {"person": ""}, {"passphrase": b""}, {"passphrase": b"x" * 1025}, {"secret": b""}, {"secret": bytes(5000)},
        {"salt": b"short"}, {"nonce": b"short"}, {"possession": b"short"}, {"params": Argon2Params(1024, 1, 1)},
        {"params": Argon2Params(1 << 26, 2, 1)},
    ],
)  # fmt: skip
def test_a_slot_that_could_not_be_read_is_not_made(arguments: dict[str, Any]) -> None:
    right = {"person": "p1", "passphrase": PASSPHRASE, "secret": SECRET, "params": FLOOR}
    with pytest.raises(BadInput):
        make_slot(**{**right, **arguments})


def test_a_slot_says_nothing_of_the_secret_or_the_passphrase() -> None:
    assert SECRET not in SLOT
    assert PASSPHRASE not in SLOT


@pytest.mark.parametrize("speed", [1e-9, 1e-7, 1e-6, 1e-5, 1e-3, 0.0])
@pytest.mark.parametrize("target", [0.0, 0.1, 0.5, 1.0, 100.0])
def test_calibration_stays_between_floor_and_ceiling_and_near_its_target(speed: float, target: float) -> None:
    def cost(params: Argon2Params) -> float:
        return params.memory_kib * params.iterations * speed

    params = calibrate(target, measure=cost)
    params.check()
    assert params.memory_kib <= 128 * 1024
    assert cost(params) <= max(target, cost(Argon2Params(FLOOR.memory_kib, FLOOR.iterations, 2)))
    if speed and params.iterations < CEILING.iterations and target > 2 * cost(FLOOR):
        assert cost(params) >= target / 2


def test_calibration_on_this_machine_gives_parameters_that_work() -> None:
    params = calibrate(0.05)
    assert open_slot(make_slot("p1", PASSPHRASE, SECRET, params), PASSPHRASE) == SECRET
