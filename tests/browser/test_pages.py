"""A real Chromium at the real box: what a doctor does, sees and must never leave behind."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.box import OWNER, PASSPHRASE, Box, running, wait_for
from tests.browser.chromium import CANVAS, DESKTOP, PHONE, chromium, logged_in
from tests.browser.reference import picture
from tests.e2e.objects import tiny
from tests.ingest.tiny import image
from tests.samples.collection import collection
from tests.samples.ct import slices
from tests.samples.modality import send
from tests.samples.panoramic import panoramic
from tests.samples.part10 import Sample
from tests.samples.radiograph import radiograph

PIXELS = """([x, y, width, height]) => {
  const from = document.querySelector('[data-testid=lightbox-canvas]');
  const to = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  to.drawImage(from, x, y, width, height, 0, 0, width, height);
  const bytes = to.getImageData(0, 0, width, height).data;
  let text = '';
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}"""
# Samples by name, with the grey levels they may differ by from pydicom: 1, and 3 where the codec is lossy.
COMPARED = {
    "pydicom-test_files-CT_small.dcm": 1,  # signed, rescale, no window
    "data-693_UNCI.dcm": 1,  # CT with rescale, window
    "pydicom-test_files-693_J2KI.dcm": 3,
    "pydicom-test_files-MR_small_bigendian.dcm": 1,
    "pydicom-test_files-MR_small_RLE.dcm": 1,
    "pydicom-test_files-dicomdirtests-77654033-CR1-6154": 1,  # MONOCHROME1 with rescale, window
    "data-RG1_UNCI.dcm": 1,  # radiographs, MONOCHROME1
    "data-RG3_UNCI.dcm": 1,
    "data-RG3_J2KR.dcm": 1,
    "data-SC_rgb.dcm": 1,
    "pydicom-test_files-SC_rgb_small_odd.dcm": 1,
    "pydicom-test_files-SC_rgb_jpeg_gdcm.dcm": 1,
    "data-US1_J2KR.dcm": 1,  # RGB by a reversible colour transform
    "data-US1_J2KI.dcm": 3,
    "data-JPGLosslessP14SV1_1s_1f_8b.dcm": 1,
    "data-vlut_04.dcm": 1,  # VOI LUT Sequence
}
# By half a picture towards each corner, from the one before: first from the middle, then across.
CORNERS = ((0.5, 0.5), (-1, 0), (0, -1), (1, 0))
MADE = ("ct", "panoramic", "radiograph")


@pytest.fixture(scope="module")
def samples() -> dict[str, Sample]:
    """Samples by name: the test sets, one CT slice, a panoramic and a radiograph."""
    found = {sample.name: sample for sample in collection() if sample.name in COMPARED}
    made = (next(iter(slices(1))), panoramic(), radiograph())
    return found | dict(zip(MADE, made, strict=True))


@pytest.fixture(scope="module")
def filled(samples: dict[str, Sample], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box that received every sample."""
    with running(tmp_path_factory.mktemp("browser")) as box:
        send(list(samples.values()), "127.0.0.1", box.dicom_port)
        with box.login() as client:
            box.settled(client, len(samples), 60)
        yield box


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def page(filled: Box, browser: Browser) -> Iterator[Page]:
    """A page that is logged in, on a desktop."""
    with browser.new_context(locale="fr-FR", **DESKTOP) as context:
        yield logged_in(filled, context)


@pytest.fixture(scope="module")
def places(filled: Box) -> dict[str, tuple[str, str]]:
    """Where each SOP instance hangs: the key of its study, and what data-rendered says of its first frame."""
    found = {}
    with filled.login() as client:
        listed = client.post("/api/studies/search", json={"limit": 200}).json()["studies"]
        for study in listed:
            for series in client.get(f"/api/studies/{study['key']}").json()["series"]:
                for number, instance in enumerate(client.get(f"/api/series/{series['key']}").json()["instances"]):
                    uid = instance["attributes"]["00080018"]["Value"][0]
                    found[uid] = (study["key"], f"{series['key']}/{number}/1")
    return found


def shown(page: Page, place: tuple[str, str], query: str = "") -> None:
    """Open a study and hang the series and image wanted, one screen pixel for one image pixel."""
    study, rendered = place
    page.evaluate("hash => { location.hash = hash }", f"#/study/{study}{query}")
    page.wait_for_selector(f"{CANVAS}[data-origin]")
    series = page.locator("[data-testid=series]")
    for number in range(series.count()):
        if (page.get_attribute(CANVAS, "data-rendered") or "").startswith(rendered.split("/")[0]):
            break
        series.nth(number).click()
        page.wait_for_selector(f"{CANVAS}[data-origin]")
    page.locator(CANVAS).hover()
    page.keyboard.press("Home")
    page.wait_for_selector(f"{CANVAS}[data-origin]")
    for _ in range(200):
        if page.get_attribute(CANVAS, "data-rendered") == rendered:
            break
        page.keyboard.press("ArrowDown")
        page.wait_for_selector(f"{CANVAS}[data-origin]")
    assert page.get_attribute(CANVAS, "data-rendered") == rendered
    page.keyboard.press("1")
    page.wait_for_function(
        "css => /^-?\\d+,-?\\d+$/.test(document.querySelector(css).dataset.origin ?? '')", arg=CANVAS
    )


def pulled(page: Page, right: int, down: int) -> bool:
    """Pull the picture so far by the right mouse button, in CSS pixels; return whether it moved."""
    before = page.get_attribute(CANVAS, "data-origin")
    box = page.locator(CANVAS).bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for _ in range(4):  # A mouse has the window to move in.
        page.mouse.move(*middle)
        page.mouse.down(button="right")
        page.mouse.move(
            middle[0] + max(-0.4 * box["width"], min(right / 4, 0.4 * box["width"])),
            middle[1] + max(-0.4 * box["height"], min(down / 4, 0.4 * box["height"])),
        )
        page.mouse.up(button="right")
    page.wait_for_function(
        "css => /^-?\\d+,-?\\d+$/.test(document.querySelector(css).dataset.origin ?? '')", arg=CANVAS
    )
    return page.get_attribute(CANVAS, "data-origin") != before


def difference(page: Page, sample: Sample) -> float:
    """Return by how many levels the canvas differs at most from pydicom, over all image pixels it shows."""
    reference = picture(sample)
    rows, columns = reference.shape[:2]
    x, y = map(int, str(page.get_attribute(CANVAS, "data-origin")).split(","))
    size = page.evaluate("css => { const c = document.querySelector(css); return [c.width, c.height] }", CANVAS)
    left, top = max(0, x), max(0, y)
    width, height = min(size[0], x + columns) - left, min(size[1], y + rows) - top
    raw = base64.b64decode(page.evaluate(PIXELS, [left, top, width, height]))
    canvas = np.frombuffer(raw, np.uint8).reshape(height, width, 4)[:, :, :3].astype(float)
    wanted = reference[top - y : top - y + height, left - x : left - x + width]
    assert canvas.size > 0
    return float(np.abs(canvas - np.clip(wanted, 0, 255)).max())


@pytest.mark.parametrize("name", [*COMPARED, *MADE])
@pytest.mark.parametrize("query", ["", "?gl=off"], ids=["webgl2", "canvas2d"])
def test_the_canvas_shows_the_levels_of_pydicom(
    page: Page, samples: dict[str, Sample], places: dict[str, tuple[str, str]], name: str, query: str
) -> None:
    shown(page, places[samples[name].sop_instance], query)
    assert page.get_attribute(CANVAS, "data-gl") == ("canvas2d" if query else "webgl2")
    assert difference(page, samples[name]) <= COMPARED.get(name, 1)
    rows, columns = picture(samples[name]).shape[:2]
    for right, down in CORNERS:
        if pulled(page, right * columns, down * rows):
            assert difference(page, samples[name]) <= COMPARED.get(name, 1), (right, down)


def test_a_wrong_window_would_be_noticed(
    page: Page, samples: dict[str, Sample], places: dict[str, tuple[str, str]]
) -> None:
    """The comparison itself is trusted because an inverted picture fails it."""
    shown(page, places[samples["ct"].sop_instance])
    page.keyboard.press("i")
    page.wait_for_selector(f"{CANVAS}[data-origin]")
    assert difference(page, samples["ct"]) > 100
    page.keyboard.press("i")


def test_a_study_sent_by_storescu_appears_in_the_open_page(filled: Box, browser: Browser, tmp_path: Path) -> None:
    with browser.new_context(locale="fr-FR", **DESKTOP) as context:
        page = logged_in(filled, context)
        rows = page.locator("[data-testid=study-row]")
        expect(rows.first).to_be_visible()
        before = rows.count()
        loads: list[str] = []
        page.on("load", lambda loaded: loads.append(loaded.url))
        file = tmp_path / "new.dcm"
        file.write_bytes(next(iter(slices(1, seed=77))).data)
        assert filled.storescu(file).returncode == 0
        expect(rows).to_have_count(before + 1, timeout=5000)
        assert loads == []


def test_only_what_arrives_is_marked_as_new_and_an_older_study_is_led_to(own_box: Box, browser: Browser) -> None:
    def store(*seeds: int, date: str = "") -> None:
        made = [study(seed, date) for seed in seeds]
        assert all(answer.stored for answer in send(made, "127.0.0.1", own_box.dicom_port))

    store(*range(1, 61))
    with own_box.login() as client:
        own_box.settled(client, 60)
    with browser.new_context(locale="en-GB", **DESKTOP) as context:
        page = logged_in(own_box, context)
        rows, marks = page.locator("[data-testid=study-row]"), page.locator(".row .new")
        for _ in range(2):
            expect(rows).to_have_count(50)
            page.wait_for_timeout(500)
            assert marks.count() == 0
            page.reload()
        expect(rows).to_have_count(50)
        page.wait_for_timeout(500)
        store(61)
        expect(marks).to_have_count(1, timeout=5000)
        below = page.get_by_role("button", name="stands further down")
        assert below.count() == 0
        store(62, date="19990101")
        below.click(timeout=5000)
        expect(rows.first).to_contain_text("1 Jan 1999")
        expect(below).to_have_count(0)


def study(seed: int, date: str) -> Sample:
    """Return one small image of a study of its own, of today or of another day."""
    when = date or datetime.now(UTC).strftime("%Y%m%d")
    return tiny(
        f"list-{seed}", study=seed, StudyDate=when, StudyTime=f"{seed:06d}", PatientName=f"LISTE^Patient {seed}"
    )


def test_rows_that_answer_another_question_do_not_stay(own_box: Box, browser: Browser) -> None:
    assert send([study(1, "")], "127.0.0.1", own_box.dicom_port)[0].stored
    with own_box.login() as client:
        own_box.settled(client, 1)
    with browser.new_context(locale="en-GB", **DESKTOP) as context:
        page = logged_in(own_box, context)
        rows = page.locator("[data-testid=study-row]")
        expect(rows).to_have_count(1)
        page.fill("input[type=search]", "x" * 300)
        assert len(page.input_value("input[type=search]")) == 200
        expect(rows).to_have_count(0)
        page.fill("input[type=search]", "")
        expect(rows).to_have_count(1)
        page.route("**/api/studies/search", lambda route: route.fulfill(status=500, body="{}"))
        page.fill("input[type=search]", "liste")
        expect(page.get_by_text("could not be loaded")).to_be_visible()
        expect(rows).to_have_count(0)


def test_locking_takes_the_page_to_the_log_in_form(own_box: Box, browser: Browser) -> None:
    with browser.new_context(locale="fr-FR", **DESKTOP) as context:
        page = logged_in(own_box, context)
        own_box.lock()
        page.wait_for_selector("input[name=password]", timeout=15000)


def test_a_wrong_passphrase_is_said_in_the_language_of_the_page(filled: Box, browser: Browser) -> None:
    for locale, words in (("fr-FR", r"incorrect"), ("en-GB", r"[Ww]rong|incorrect|not right")):
        with browser.new_context(locale=locale, **PHONE) as context:
            page = context.new_page()
            page.goto(filled.url)
            page.fill("input[name=user]", "Dr Essai")
            page.fill("input[name=password]", "certainly not this one")
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert")).to_contain_text(re.compile(words))


def test_a_box_put_back_to_an_earlier_day_is_noticed_by_the_browser(filled: Box, browser: Browser) -> None:
    with browser.new_context(locale="fr-FR", **PHONE) as context:
        context.add_init_script(f"localStorage.setItem('negatoscope.auditHead', '999999:{'ab' * 32}')")
        page = context.new_page()
        page.goto(filled.url)
        page.fill("input[name=user]", OWNER)
        page.fill("input[name=password]", PASSPHRASE)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("remis à une date antérieure")
        page.get_by_role("button", name="continuer").click()
        page.wait_for_selector("input[type=search]")


def test_the_page_remembers_the_record_as_it_grows(own_box: Box, browser: Browser) -> None:
    with own_box.login() as client:
        send([image(1, 1)], "127.0.0.1", own_box.dicom_port)
        own_box.settled(client, 1)
    stored = "localStorage.getItem('negatoscope.auditHead').split(':')"
    with browser.new_context(locale="fr-FR", **DESKTOP) as context:
        page = logged_in(own_box, context)
        before = page.evaluate(stored)
        assert int(before[0]) > 0
        with own_box.login():  # Another session: a line of the record that this page has not caused.
            wait_for(lambda: int(page.evaluate(stored)[0]) > int(before[0]), 20)
        seq, digest = page.evaluate(stored)
        log = (own_box.state / "audit" / "keyagent.log").read_text()
        assert f'{{"seq":{seq},' in log and digest in log


def test_images_that_vanished_from_the_disk_are_told_above_the_list(own_box: Box, browser: Browser) -> None:
    with own_box.login() as client:
        send([image(1, 1), image(2, 1), image(3, 1)], "127.0.0.1", own_box.dicom_port)
        own_box.settled(client, 3)
        wait_for(lambda: not list((own_box.state / "inbox").glob("*.age")), 10)
    own_box.lock()
    for path in sorted((own_box.state / "objects").rglob("*.age"))[:2]:
        path.unlink()
    for locale, words in (("fr-FR", "Il manque 2 images"), ("en-GB", "2 images that the box had received")):
        with browser.new_context(locale=locale, **PHONE) as context:
            expect(logged_in(own_box, context).get_by_role("alert")).to_contain_text(words, timeout=10000)


def test_nothing_of_a_patient_stays_in_the_browser(
    filled: Box, browser: Browser, samples: dict[str, Sample], places: dict[str, tuple[str, str]]
) -> None:
    with browser.new_context(locale="fr-FR", **PHONE) as context:
        page = logged_in(filled, context)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        addresses: list[str] = []
        page.on("request", lambda request: addresses.append(request.url))
        page.fill("input[type=search]", "Vaucresson")
        page.wait_for_selector("[data-testid=study-row]")
        page.locator("[data-testid=study-row]").first.click()
        page.wait_for_selector(f"{CANVAS}[data-origin]")
        kept = page.evaluate(
            "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.title, location.href])"
        )
        assert "aucresson" not in kept + " ".join(said) + " ".join(addresses)
        assert page.evaluate("async () => (await indexedDB.databases()).length + (await caches.keys()).length") == 0


def test_the_pictures_of_the_documents_can_be_made(
    filled: Box,
    browser: Browser,
    samples: dict[str, Sample],
    places: dict[str, tuple[str, str]],
    tmp_path: Path,
) -> None:
    """``make screenshots`` keeps them in docs/; here they only have to be whole pages."""
    target = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    for name, locale, how in (("desktop", "fr-FR", DESKTOP), ("phone", "en-GB", PHONE)):
        with browser.new_context(locale=locale, **how) as context:
            page = logged_in(filled, context)
            page.wait_for_selector("[data-testid=study-row]")
            page.screenshot(path=target / f"{name}-list.jpg", type="jpeg", quality=70)
            page.evaluate("hash => { location.hash = hash }", f"#/study/{places[samples['panoramic'].sop_instance][0]}")
            page.wait_for_selector(f"{CANVAS}[data-origin]")
            page.screenshot(path=target / f"{name}-view.jpg", type="jpeg", quality=70)
    assert all(
        (target / f"{name}-{what}.jpg").stat().st_size > 10_000
        for name in ("desktop", "phone")
        for what in ("list", "view")
    )
