"""Writes the sample images to a folder: ``python -m tests.samples --out DIR``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.samples.collection import collection, refusals
from tests.samples.ct import slices
from tests.samples.panoramic import panoramic
from tests.samples.part10 import Sample
from tests.samples.radiograph import radiographs

KINDS: dict[str, Callable[[], Iterable[Sample]]] = {
    "ct": slices,
    "panoramic": lambda: [panoramic()],
    "radiographs": radiographs,
    "collection": collection,
}


def main() -> None:
    """Write the chosen kinds, each into a folder of its name; the refused files with ``--refused``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="folder to write to")
    parser.add_argument("--only", choices=sorted(KINDS), action="append", help="this kind only (may be repeated)")
    parser.add_argument("--refused", action="store_true", help="list the files that a receiver must refuse, and why")
    arguments = parser.parse_args()
    if arguments.refused:
        for refusal in refusals():
            print(f"{refusal.name}\t{refusal.reason}")
    if arguments.out is None:
        return None if arguments.refused else parser.error("--out is missing")
    for kind in arguments.only or KINDS:
        folder = arguments.out / kind
        folder.mkdir(parents=True, exist_ok=True)
        count = size = 0
        for sample in KINDS[kind]():
            target = folder / (sample.name if sample.name.endswith(".dcm") else f"{sample.name}.dcm")
            target.write_bytes(sample.data)
            count, size = count + 1, size + len(sample.data)
        print(f"{folder}: {count} files, {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
