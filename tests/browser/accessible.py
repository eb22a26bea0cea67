"""What every page must be: usable without a mouse, a sharp eye or a small finger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"


def require_accessible(page: Page) -> None:
    """Assert that axe finds nothing, and that everything that is pressed measures 44 by 44 pixels."""
    page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run()).violations")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    small = page.evaluate(
        """() => ['main button', 'main a', 'dialog button', 'summary', 'label.choice',
            'input:not([type=radio], [type=checkbox])'].flatMap(what => [...document.querySelectorAll(what)])
        .filter(e => e.checkVisibility()).map(e => [e.textContent.trim() || e.ariaLabel, e.getBoundingClientRect()])
        .filter(([, r]) => r.width < 44 || r.height < 44).map(([t, r]) => `${t} ${r.width}x${r.height}`)"""
    )
    assert small == []
