"""The box's own WireGuard key: made once, kept 0600, and sealed to the paper key for the day the box is lost.

Its public half lies beside it: a key in which one bit was turned is a good key as well, and no phone fits it.
"""

from __future__ import annotations

from pathlib import Path

from appliance.durable import write_durably
from appliance.errors import BadInput, Damaged, EnvironmentProblem
from appliance.logs import log
from appliance.network.wireguard_key import KEY_TEXT, require_key
from appliance.paths import StatePaths
from appliance.regular import open_regular
from appliance.sealing.recipients import Recipient
from appliance.sealing.tunnel_keys import new_private_key, public_key_of
from appliance.sealing.writer import seal

RESTORE = "Restore it: age -d -i paper.txt < keys/box/wireguard.age > netd/server.key"


class ServerKey:
    """The key on disk; it is read anew at each use, so that no object holds it."""

    def __init__(self, paths: StatePaths) -> None:
        self._paths = paths

    def make_sure(self) -> None:
        """Make the key if there is none, and its sealed copy where a paper key and no copy exist.

        :class:`Damaged` when the key cannot be read: a fresh one would lock out every phone without a word.
        """
        try:
            self._paths.netd.mkdir(mode=0o700, exist_ok=True)
            if not self._paths.wireguard_key.exists() and not self._paths.wireguard_public.exists():
                fresh = new_private_key()
                write_durably(self._paths.wireguard_public, f"{public_key_of(fresh)}\n".encode("ascii"))
                write_durably(self._paths.wireguard_key, f"{fresh}\n".encode("ascii"))
            elif not self._paths.wireguard_public.exists():
                write_durably(
                    self._paths.wireguard_public, f"{public_key_of(_read(self._paths.wireguard_key))}\n".encode("ascii")
                )
            self._seal_copy()
        except OSError as error:
            raise EnvironmentProblem(
                f"The tunnel's key cannot be kept: {error.strerror}.", "Look at the rights and the space of the state."
            ) from error
        self.private()

    def private(self) -> str:
        """Return the private key (base64), a secret; :class:`Damaged` when it cannot be read or is another."""
        key = _read(self._paths.wireguard_key)
        if public_key_of(key) != _read(self._paths.wireguard_public):
            raise Damaged("The tunnel's key netd/server.key does not fit netd/server.pub.", RESTORE)
        return key

    def public(self) -> str:
        """Return the public key (base64)."""
        return public_key_of(self.private())

    def _seal_copy(self) -> None:
        paper, copy = self._paths.paper_recipient, self._paths.sealed_wireguard_key
        if copy.exists() or not paper.exists():
            return
        try:
            recipient = Recipient.parse(paper.read_text("ascii").strip())
            if not copy.parent.exists():
                copy.parent.mkdir(mode=0o750)
            write_durably(copy, seal(f"{self.private()}\n".encode("ascii"), [recipient]), mode=0o640)
        except (OSError, ValueError, BadInput, Damaged) as error:
            # The tunnel is worth more than its copy; the next start tries again.
            log("server_key_not_sealed", kind=type(error).__name__)


def _read(path: Path) -> str:
    try:
        with open_regular(path, KEY_TEXT + 1) as file:
            return require_key(file.read(KEY_TEXT + 2).decode("ascii").removesuffix("\n"), path.name)
    except (OSError, UnicodeDecodeError, BadInput):
        raise Damaged(f"The tunnel's key netd/{path.name} cannot be read.", RESTORE) from None
