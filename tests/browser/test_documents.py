"""The documents page in one visit: a picture is read and what is hostile ends in a sentence; then
the host is gone, and 30 pages of a real PDF, one of them scanned, are taken in, found again page by
page, and questioned."""

import io
import os
import time
import zipfile

import pytest

from onglet.words import TABLES
from onglet_build.driver import App
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS
from tests.browser.long_tasks import LongTasks, resident
from tests.manual import part_of_manual, with_scan

pytestmark = pytest.mark.service_worker
FULL = bool(os.environ.get("ONGLET_FULL"))
TIMES = 16  # the manual's 63 pages

PAGES = (5, 34)
SCANNED = 13  # of these; page 17 of the manual
SOME = (12, 19)
SLIP = "<p style='font: 20px serif'>The code of the garage door is 4711.</p>"
QUESTION = "Which characters may a package name hold?"
NOTE = (
    b"# Keys\n\nThe spare key of the shed hangs behind the blue door.\n\n# Cat\n\nFeed her at noon."
)


def bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content.xml", bytes(90 << 20))
    return made.getvalue()


HOSTILE = {
    "bomb.odt": (bomb(), "error.document_bomb"),
    "broken.pdf": (b"%PDF-1.7 nothing of a PDF follows", "error.broken_document"),
    "program.exe": (b"MZ" * 500, "error.unknown_document"),
}


class Documents:
    """The page as a person uses it."""

    def __init__(self, app: App, host: Loopback):
        self.app, self.page, self.host = app, app.page, host

    def open(self) -> "Documents":
        self.page.locator("[data-key=page-documents]").click()
        self.app.expect("documents.meaning")
        return self

    def add(self, **files: bytes) -> None:
        """Picks files; `__` in a name stands for its dot."""
        named = {name.replace("__", "."): data for name, data in files.items()}
        kind = "application/octet-stream"
        with self.page.expect_file_chooser() as chooser:
            self.app.press("documents.pick")
        chooser.value.set_files(
            [{"name": name, "mimeType": kind, "buffer": data} for name, data in named.items()]
        )

    def item(self, name: str):
        return self.page.locator(".items li").filter(has_text=name)

    def wait_for_stage(self, name: str) -> None:
        words = TABLES["en"][f"documents.stage.{name}"].partition("{")[0]
        self.page.get_by_text(words).first.wait_for(timeout=240_000)

    def wait_for(self, name: str, seconds: int = 240) -> None:
        self.item(name).locator("[data-key=delete]").wait_for(timeout=1000 * seconds)

    def end_workshop(self) -> None:
        """Cancels something: that ends the workshop, whose memory goes."""
        self.add(cancelled__pdf=part_of_manual(*SOME))
        self.app.expect("documents.stage.indexing")
        self.item("cancelled.pdf").locator("[data-key=cancel]").click()
        self.item("cancelled.pdf").wait_for(state="detached")

    def find(self, question: str) -> list[str]:
        """The places of the passages that are found."""
        self.page.locator("#find-find").fill(question)
        self.page.locator("#find-find").press("Enter")
        self.page.get_by_text(f"“{question}”").filter(visible=True).wait_for(timeout=60_000)
        return self.page.locator(".passages .place").all_inner_texts()


@pytest.fixture
def documents(open_app, site):
    """On a host of its own, which a test may stop."""
    with Loopback({"/": site}, headers=HEADERS) as host:
        yield Documents(open_app(host).wait_live().wait_model().wait_stored(), host)


def test_documents_are_read_found_and_kept(documents, watch):
    app, page = documents.app, documents.page
    documents.open()
    app.expect("documents.empty")
    with page.context.new_page() as slip:
        slip.set_viewport_size({"width": 500, "height": 100})
        slip.set_content(SLIP)
        documents.add(slip__png=slip.screenshot())
    documents.wait_for("slip.png")
    place = documents.find("garage door code")[0]
    assert place.startswith("slip.png") and place.endswith("read from a picture")
    documents.add(**{name.replace(".", "__"): data for name, (data, _) in HOSTILE.items()})
    for name, (_, key) in HOSTILE.items():
        documents.item(name).locator("p.problem").wait_for()
        app.expect(key)
        documents.item(name).locator("[data-key=cancel]").click()

    documents.host.stop()
    page.context.set_offline(True)
    page.reload()
    app.wait_live()
    documents.open()
    documents.add(guide__pdf=with_scan(part_of_manual(*PAGES), SCANNED))
    app.expect("documents.stage.seeing")
    documents.wait_for_stage("indexing")
    page.reload()  # a killed tab: the next one goes on, without the file
    app.wait_live()
    documents.open()
    documents.wait_for("guide.pdf")
    documents.end_workshop()
    assert "30 pages" in documents.item("guide.pdf").inner_text()
    wanted = f"guide.pdf · page {SCANNED} · read from a picture"
    assert wanted in documents.find(QUESTION)[:3]
    page.locator(".passages button").first.click()
    marked = page.locator(".passages li.marked")
    marked.wait_for()
    assert marked.evaluate("it => it.getRootNode().activeElement === it")
    app.press("documents.back")
    documents.add(notes__md=NOTE)
    documents.wait_for("notes.md")
    assert documents.find("Where is the key for the shed?")[0] == "notes.md · Keys"
    assert documents.find("Who won the football world cup?") == []

    documents.item("guide.pdf").locator("[data-key=collect]").click()
    page.locator("#name-name").fill("Debian")
    page.locator("#name-name").press("Enter")
    page.get_by_role("heading", name="Debian").wait_for()
    app.press("documents.ask_these")
    page.locator("[data-key=documents]").get_by_text("My documents · Debian").wait_for()
    app.wait_model().ask(QUESTION)
    assert {each["document"] for each in app.citations()} == {"guide.pdf"}
    (cited,) = (each for each in app.citations() if "lower case letters" in each["passage"])
    assert (cited["document"], cited["page"]) == ("guide.pdf", SCANNED)
    app.send("Who won the football world cup?")
    app.expect("chat.not_in_documents")
    page.reload()
    app.wait_live()
    app.expect("chat.not_in_documents")
    source = page.locator(".sources li").filter(has_text="lower case letters")
    assert "read from a picture" in source.inner_text()
    source.locator("summary").click()
    source.locator("button").click()
    page.locator(".passages li.marked").get_by_text("lower case letters").wait_for()

    app.press("documents.back")
    documents.item("notes.md").locator("[data-key=delete]").click()
    documents.item("notes.md").wait_for(state="detached")
    app.press("chat.undo")
    documents.wait_for("notes.md")
    assert watch.off_origin == []


@pytest.mark.skipif(not FULL, reason="minutes: with check --full")
def test_a_thousand_pages_leave_the_page_free_and_its_memory_as_it_was(documents):
    page = documents.page
    documents.open()
    documents.add(small__pdf=part_of_manual(*PAGES))  # what every import leaves behind
    documents.wait_for("small.pdf")
    documents.end_workshop()
    page.wait_for_timeout(5000)
    before, tasks, started = resident(page), LongTasks(page), time.monotonic()
    documents.add(big__pdf=part_of_manual(1, 63, times=TIMES))
    documents.wait_for("big.pdf", seconds=3600)
    lasted, longest = time.monotonic() - started, tasks.longest()
    documents.end_workshop()
    page.wait_for_timeout(5000)
    after = resident(page)
    print(f"{63 * TIMES} pages: {lasted:.0f} s, longest task {longest:.0f} ms")
    print(f"memory: {before} -> {after} bytes")
    assert f"{63 * TIMES:,} pages" in documents.item("big.pdf").inner_text()
    assert longest < 100
    assert after < 1.1 * before
