"""The figures as text, ratios first, and as a drawing."""

from __future__ import annotations

import os
import platform
from html import escape
from math import log2
from typing import Any


def machine() -> dict[str, Any]:
    """Return what was measured on."""
    from tests.bench.netns import loopback_mtu

    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "loopback_mtu": loopback_mtu(),
        "load": os.getloadavg()[0],
    }


def ratios(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a line for each figure: ours, its peer's (Orthanc's; age's of sealing), and ours divided by that."""
    lines = []
    for row in result.get("store", []):
        lines.append((row["what"], "images/s", row["system"], row["per_second"]))
    for row in result.get("web", []):
        lines.append((f"{row['what']}, {row['instances']} instances", "ms", row["system"], row["p50_ms"]))
    for row in result.get("login", []) + result.get("seal", []):
        lines.append((row["what"], row["unit"], row["system"], row["value"]))
    for system, found in result.get("footprint", {}).items():
        lines.append(("ready after start", "s", system, found["start_seconds"]))
        lines.append(("memory idle", "MB", system, found["idle_bytes_together"] / 1e6))
        lines.append(("memory at most while storing", "MB", system, found["peak_bytes_together"] / 1e6))
    table: dict[tuple[str, str], dict[str, float]] = {}
    for what, unit, system, value in lines:
        table.setdefault((what, unit), {})["ours" if system == "ours" else "peer"] = value
    return [
        {
            "what": what,
            "unit": unit,
            "ours": found.get("ours"),
            "peer": found.get("peer"),
            "ratio": found["ours"] / found["peer"] if {"ours", "peer"} <= set(found) else None,
        }
        for (what, unit), found in table.items()
    ]


def text(result: dict[str, Any]) -> str:
    """Return the figures for a terminal."""
    lines = [f"{'ratio':>7}  {'ours':>9}  {'peer':>9}"]
    for row in result["ratios"]:
        cells = [_number(row[name]) for name in ("ratio", "ours", "peer")]
        lines.append(f"{cells[0]:>7}  {cells[1]:>9}  {cells[2]:>9}  {row['unit']:<8}  {row['what']}")
    for system, found in result.get("footprint", {}).items():
        each = ", ".join(
            f"{name} {size / 1e6:.0f}/{found['peak_bytes'].get(name, 0) / 1e6:.0f}"
            for name, size in found["idle_bytes"].items()
        )
        lines.append(f"memory of {system}, idle/at most in MB: {each}")
    lines.append(f"on {result['machine']['system']}, {result['machine']['cores']} cores, {_network(result)}")
    return "\n".join(lines)


def drawing(result: dict[str, Any]) -> str:
    """Return the ratios as bars on a logarithmic scale, an SVG; right of the line means larger than the peer's."""
    rows = [row for row in result["ratios"] if row["ratio"]]
    left, step, middle, unit = 430, 24, 640, 42
    height = 60 + step * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="900" height="{height}" fill="#fff"/>',
        '<text x="16" y="24" font-size="15">Négatoscope divided by its peer (Orthanc, or age), same run</text>',
    ]
    for place, row in enumerate(rows):
        y = 44 + place * step
        good = (row["ratio"] >= 1) == (row["unit"] in ("images/s", "MB/s"))
        length = max(-4.8, min(4.8, log2(row["ratio"]))) * unit
        x = middle + min(length, 0)
        colour = "#2a7f62" if good else "#b5651d"
        parts.append(f'<text x="{left}" y="{y + 12}" text-anchor="end">{escape(row["what"])}</text>')
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{abs(length) + 1:.1f}" height="15" fill="{colour}"/>')
        parts.append(f'<text x="880" y="{y + 12}" text-anchor="end">{_number(row["ratio"])}</text>')
    parts.append(f'<line x1="{middle}" y1="36" x2="{middle}" y2="{height - 12}" stroke="#444"/></svg>')
    return "\n".join(parts) + "\n"


def _network(result: dict[str, Any]) -> str:
    return f"loopback MTU {result['machine']['loopback_mtu']}, load {result['machine']['load']:.1f} at the start"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
