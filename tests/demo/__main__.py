"""Shows the whole product on loopback: ``python -m tests.demo``, which is what ``make demo`` runs.

``PORT`` (8080), ``DICOM_PORT`` (11112) and ``STATE`` (a fresh temporary folder, removed at the end) come from the
environment.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.demo.box import Box, Trouble, require_free
from tests.demo.show import Meter, next_steps, welcome
from tests.samples import modality, splice
from tests.samples.collection import collection, files, refusals
from tests.samples.ct import slices
from tests.samples.panoramic import panoramic
from tests.samples.part10 import Sample, wrap
from tests.samples.people import JAPANESE
from tests.samples.radiograph import radiograph

HOST = "127.0.0.1"
SLICES = 200


def main() -> int:
    """Run the demonstration; return the exit code (6 when the machine is in the way)."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    try:
        return demonstrate()
    except Trouble as trouble:
        print(f"\ndemo: {trouble}", file=sys.stderr)
        return 6
    except KeyboardInterrupt:
        print()
        return 0


def demonstrate() -> int:
    """Make, start, fill and show an appliance until Ctrl-C; remove what was made."""
    port, dicom_port = _port("PORT", 8080), _port("DICOM_PORT", 11112)
    require_free(HOST, port, "PORT")
    require_free(HOST, dicom_port, "DICOM_PORT")
    wanted = os.environ.get("STATE", "")
    state = Path(wanted).absolute() if wanted else Path(tempfile.mkdtemp(prefix="negatoscope-state-"))
    if wanted and (state / "FORMAT").exists():
        raise Trouble(f"{state} holds an archive already.\nOpen it with: appliance serve --state {state}")
    box = Box(state, f"{HOST}:{port}", f"{HOST}:{dicom_port}")
    try:
        print("  making an archive ...", flush=True)
        box.init()
        seconds = box.start()
        print(f"  ready after {seconds:.1f} s", flush=True)
        print(welcome(box), flush=True)
        if not _pages(box):
            print("     (the pages are not built: run make install, which needs Node 20 or newer)\n", flush=True)
        _fill(box, dicom_port)
        print(next_steps(box, _extra(box), _login(box)), flush=True)
        assert box.process is not None
        box.process.wait()
        raise Trouble(f"The appliance ended by itself.\n{box.log()}")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # a second Ctrl-C must not leave anything behind
            signal.signal(number, signal.SIG_IGN)
        box.clean()
        if not wanted:
            shutil.rmtree(state, ignore_errors=True)


def pictures() -> Iterator[Sample]:
    """Yield what the modality sends: the panoramic, the CT, then the test sets of pydicom."""
    yield panoramic()
    yield from slices(SLICES)
    yield from collection()


def _fill(box: Box, port: int) -> None:
    meter = Meter(1 + SLICES + sum(1 for _ in files()) - len(refusals()))
    try:
        modality.echo(HOST, port)
        modality.send(pictures(), HOST, port, progress=meter)
    except modality.Unanswered as error:
        raise Trouble(f"The modality could not send: {error}.\n{box.log()}") from None
    finally:
        meter.done()


def _pages(box: Box) -> bool:
    """Return whether the viewer answers at the printed address."""
    link = http.client.HTTPConnection(box.http, timeout=10)
    try:
        link.request("GET", "/")
        return link.getresponse().status == 200
    finally:
        link.close()


def _extra(box: Box) -> Path:
    """Leave one more study to send by hand; it is of today, and so comes first in the list."""
    made = radiograph(501, JAPANESE)
    today = {0x00080020: (b"DA", datetime.now(UTC).strftime("%Y%m%d").encode())}
    dataset = splice.replace(made.dataset, made.transfer_syntax, today)
    target = box.work / "thorax.dcm"
    target.write_bytes(wrap("thorax.dcm", made.sop_class, made.sop_instance, made.transfer_syntax, dataset).data)
    return target


def _login(box: Box) -> Path:
    target = box.work / "login.json"
    target.touch(mode=0o600)
    target.write_text(json.dumps({"user": box.owner, "password": box.passphrase}))
    return target


def _port(name: str, default: int) -> int:
    text = os.environ.get(name, "") or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise Trouble(f"{name} must be a port number from 1 to 65535.")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
