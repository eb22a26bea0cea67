"""Debian's Chromium, as the tests drive it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.box import OWNER, PASSPHRASE, Box

PROGRAM = "/usr/bin/chromium"
OPTIONS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]
DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
CANVAS = "[data-testid=lightbox-canvas]"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


def logged_in(box: Box, context: BrowserContext, hash_query: str = "") -> Page:
    """Return a page that went through the log-in form to the list."""
    page = context.new_page()
    page.goto(f"{box.url}/{hash_query}")
    page.fill("input[name=user]", OWNER)
    page.fill("input[name=password]", PASSPHRASE)
    page.keyboard.press("Enter")
    page.wait_for_selector("input[type=search]")
    return page
