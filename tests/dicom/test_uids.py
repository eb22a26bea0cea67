"""UIDs: what is let through as one."""

import pytest

from appliance.dicom.uids import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION, is_valid_uid


@pytest.mark.parametrize("text", ["1", "1.2.840.10008.1.2", "2.25." + "9" * 39, "0.0", "1.02.3", "1" * 64])
def test_a_uid_of_the_standard_or_of_a_careless_device_is_valid(text: str) -> None:
    assert is_valid_uid(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "1.",
        ".1",
        "1..2",
        "1" * 65,
        "1.2\n",
        "1.2 ",
        "1.2\0",
        "../../etc/pwn",
        "1.2/3",
        "1.a",
        "١.٢",
        None,
        12,
    ],
)
def test_anything_that_could_be_a_path_or_is_not_a_uid_is_invalid(text: object) -> None:
    assert not is_valid_uid(text)


def test_our_own_identifiers_fit_their_fields() -> None:
    assert is_valid_uid(IMPLEMENTATION_UID)
    assert int(IMPLEMENTATION_UID.split(".")[2]) < 1 << 128
    assert len(IMPLEMENTATION_VERSION) <= 16
