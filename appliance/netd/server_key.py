"""The box's own WireGuard key: made once, kept 0600, and sealed to the paper key for the day the box is lost."""

from __future__ import annotations

from appliance.errors import BadInput, Damaged, EnvironmentProblem
from appliance.logs import log
from appliance.netd.disk import write_durably
from appliance.network.wireguard_key import KEY_TEXT, require_key
from appliance.paths import StatePaths
from appliance.sealing.recipients import Recipient
from appliance.sealing.tunnel_keys import new_private_key, public_key_of
from appliance.sealing.writer import seal


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
            if not self._paths.wireguard_key.exists():
                write_durably(self._paths.wireguard_key, f"{new_private_key()}\n".encode("ascii"))
            self._seal_copy()
        except OSError as error:
            raise EnvironmentProblem(
                f"The tunnel's key cannot be kept: {error.strerror}.", "Look at the rights and the space of the state."
            ) from error
        self.private()

    def private(self) -> str:
        """Return the private key (base64), a secret; :class:`Damaged` when it cannot be read."""
        try:
            with self._paths.wireguard_key.open("rb") as file:
                text = file.read(KEY_TEXT + 2).decode("ascii").removesuffix("\n")
            return require_key(text, "server.key")
        except (OSError, UnicodeDecodeError, BadInput):
            raise Damaged(
                "The tunnel's key netd/server.key cannot be read.",
                "Restore it: age -d -i paper.txt keys/box/wireguard.age > netd/server.key",
            ) from None

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
