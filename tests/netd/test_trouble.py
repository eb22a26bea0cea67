"""When a change cannot be made, netd says why and what to do, and the network stays as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from appliance.errors import EnvironmentProblem, NegatoError, Refused
from tests.netd.box import OUTSIDE4, OWN4, Phone, eventually, reaches, with_peers
from tests.netd.conftest import Ground


def require_kept(ground: Ground, change: Callable[[], object], mend: Callable[[], object]) -> NegatoError:
    """Fail unless ``change`` is refused and a phone that is connected stays so; return the refusal."""
    phone = Phone.make(2)
    ground.netd.apply(with_peers(phone, senders=("192.168.77.9",)))
    phone.connect(ground.net, ground.folder, ground.netd.public_key(), f"{OUTSIDE4}:51820")
    eventually(lambda: reaches(ground.net, OWN4, 80))
    with pytest.raises(NegatoError) as refused:
        change()
    assert reaches(ground.net, OWN4, 80)
    mend()
    assert [peer.public_key for peer in ground.netd.status().peers] == [phone.peer.public_key]
    assert reaches(ground.lan, "192.168.77.2", 11112)
    assert not reaches(ground.lan, "192.168.77.2", 80, 0.5)
    phone.disconnect(ground.net, ground.folder)
    return refused.value


@pytest.mark.parametrize(("program", "package"), [("wg", "wireguard-tools"), ("nft", "nftables"), ("ip", "iproute2")])
def test_a_missing_program_is_named_with_its_package(ground: Ground, program: str, package: str) -> None:
    path = shutil.which(program)
    assert path is not None

    def without() -> None:
        ground.box.run("mount", "--bind", "/dev/null", path)
        ground.netd.apply(with_peers(Phone.make(3)))

    error = require_kept(ground, without, lambda: ground.box.run("umount", path))
    assert isinstance(error, EnvironmentProblem)
    assert program in error.message and package in error.next_step


def test_a_ruleset_that_nft_does_not_take_changes_nothing(ground: Ground) -> None:
    path = shutil.which("nft")
    assert path is not None
    broken = ground.folder / "nft"
    broken.write_text('#!/bin/sh\necho "Error: no such thing" >&2\nexit 1\n')
    broken.chmod(0o755)

    def refused() -> None:
        ground.box.run("mount", "--bind", broken, path)
        ground.netd.apply(with_peers(Phone.make(3)))

    error = require_kept(ground, refused, lambda: ground.box.run("umount", path))
    assert "nft" in error.message and "no such thing" in error.message


def test_an_interface_of_somebody_elses_under_our_name_is_left_alone(ground: Ground) -> None:
    ground.box.run("ip", "link", "add", "negato0", "type", "veth", "peer", "name", "other0")
    with pytest.raises(Refused, match="did not make"):
        ground.netd.apply(with_peers(Phone.make(2)))
    assert "veth" in ground.box.run("ip", "-details", "link", "show", "negato0")
    assert not reaches(ground.lan, "192.168.77.2", 80, 0.5)
    ground.box.run("ip", "link", "delete", "negato0")
    assert ground.netd.apply(with_peers(Phone.make(2))).up
