"""A built image in QEMU takes longer than a test run may: it is asked for by name, ``make test-vm``."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("NEGATO_TEST_IMAGE") else ["test_image.py"]
