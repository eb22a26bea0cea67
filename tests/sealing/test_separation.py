"""Whoever only seals cannot reach what opens."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import appliance.sealing.recipients, appliance.sealing.writer, appliance.sealing.header
private = {"identities", "reader", "slots", "passphrase_key", "words"}
sys.exit(", ".join(sorted(private & {name.rpartition(".")[2] for name in sys.modules if "sealing" in name})) or 0)
"""


def test_sealing_loads_no_private_key_code() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
