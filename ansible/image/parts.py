"""Writes what an image is made of as CycloneDX 1.5: parts.py TREE NAME. Debian's packages, Python's, the pages' own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path


def main(tree: Path, name: str) -> None:
    """Print the list."""
    components = [*debian(tree), *python(tree), *npm(Path("web/package-lock.json"))]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "firmware", "name": name}},
        "components": sorted(components, key=lambda one: one["purl"]),
    }
    print(json.dumps(document, indent=1))


def debian(tree: Path) -> list[dict[str, str]]:
    """Return the installed Debian packages."""
    form = "${Package} ${Version} ${Architecture}\n"
    command = ["dpkg-query", f"--admindir={tree}/var/lib/dpkg", "-W", "-f", form]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [
        {**part(name, version), "purl": f"pkg:deb/debian/{name}@{version}?arch={arch}"}
        for name, version, arch in (line.split() for line in lines)
    ]


def python(tree: Path) -> list[dict[str, str]]:
    """Return what lies in the appliance's own environment."""
    found = []
    for path in tree.glob("opt/negatoscope/.venv/lib/python3*/site-packages/*.dist-info/METADATA"):
        text = path.read_text("utf-8")
        name, version = (re.search(rf"^{key}: (.+)$", text, re.M) for key in ("Name", "Version"))
        if name and version:
            found.append({**part(name[1], version[1]), "purl": f"pkg:pypi/{name[1].lower()}@{version[1]}"})
    return found


def npm(lock: Path) -> list[dict[str, str]]:
    """Return the packages that the pages were built with and that run in the browser."""
    packages = json.loads(lock.read_text("utf-8"))["packages"]
    return [
        {**part(path.rpartition("node_modules/")[2], one["version"]),
         "purl": f"pkg:npm/{path.rpartition('node_modules/')[2].replace('@', '%40')}@{one['version']}"}
        for path, one in packages.items()
        if path and not one.get("dev")
    ]  # fmt: skip


def part(name: str, version: str) -> dict[str, str]:
    """Return one component without its address."""
    return {"type": "library", "name": name, "version": version}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
