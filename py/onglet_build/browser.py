"""Finds and starts the browsers: Playwright's own Chromium where it was downloaded, else the
system's, and Firefox for firefox.py. Knows nothing about Onglet's pages.

Every name but 127.0.0.1 is made unresolvable, so a page that tries to leave the machine fails
here instead of leaving it; `Watch` counts the tries.
"""

import contextlib
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FIREFOX_NAMES = ("firefox", "firefox-esr")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
NO_BROWSER = (
    "No Chromium was found. Install one (Debian: apt-get install chromium; elsewhere: "
    "build/venv/bin/python -m playwright install chromium)."
)


class BrowserMissing(Exception):
    """No browser of the wanted kind is on this machine; the text says what to install."""


def first_on_path(names: tuple[str, ...]) -> str | None:
    return next((found for name in names if (found := shutil.which(name))), None)


def chromium_executable(playwright) -> str:
    """The Chromium to start: ONGLET_CHROMIUM, Playwright's own, or one on the PATH."""
    named = os.environ.get("ONGLET_CHROMIUM")
    own = playwright.chromium.executable_path
    found = named or (own if Path(own).exists() else first_on_path(CHROMIUM_NAMES))
    if not found:
        raise BrowserMissing(NO_BROWSER)
    return found


def firefox_executable() -> str | None:
    """The Firefox to start (ONGLET_FIREFOX or one on the PATH), None where there is none."""
    return os.environ.get("ONGLET_FIREFOX") or first_on_path(FIREFOX_NAMES)


def launch_chromium(playwright, *extra_arguments: str):
    return playwright.chromium.launch(
        executable_path=chromium_executable(playwright),
        args=CHROMIUM_ARGUMENTS + list(extra_arguments),
    )


def launch_persistent_chromium(playwright, folder: Path, *extra_arguments: str, **options):
    """A context with its profile in `folder`, as a person has one who comes back tomorrow."""
    return playwright.chromium.launch_persistent_context(
        str(folder),
        executable_path=chromium_executable(playwright),
        args=CHROMIUM_ARGUMENTS + list(extra_arguments),
        **options,
    )


@contextlib.contextmanager
def chromium(*extra_arguments: str):
    """A headless Chromium for the length of a `with` block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch_chromium(playwright, *extra_arguments)
        try:
            yield browser
        finally:
            browser.close()


COLLECT_VIOLATIONS = """
globalThis.policyViolations = [];
addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sourceFile }) =>
  globalThis.policyViolations.push(`${effectiveDirective} blocked ${blockedURI} (${sourceFile})`));
"""


@dataclass
class Watch:
    """What one or several browser contexts asked for and complained about.

    off_origin: URLs asked for outside `origins`; violations: console lines about the content
    security policy; errors: every other console error and page error. `provoked` is set by a test
    that does forbidden things on purpose.
    """

    origins: set[str]
    requests: int = 0
    off_origin: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    provoked: bool = False

    def follow(self, context) -> None:
        """Watches every page and worker of a Playwright context from now on."""
        context.on("request", self._saw_request)
        context.on("console", self._saw_console)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.add_init_script(COLLECT_VIOLATIONS)

    def _saw_request(self, request) -> None:
        self.requests += 1
        address = urlsplit(request.url)
        ours = f"{address.scheme}://{address.netloc}" in self.origins
        if address.scheme in ("http", "https", "ws", "wss") and not ours:
            self.off_origin.append(request.url)

    def _saw_console(self, message) -> None:
        if message.type == "error":
            policy = "Content Security Policy" in message.text
            (self.violations if policy else self.errors).append(message.text)


def memory_of_pages(browser) -> int:
    """Bytes that a Chromium's pages have to themselves or share, in proportion. Linux only."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    pages = [Path(f"/proc/{one['id']}") for one in processes if one["type"] == "renderer"]
    told = [(page / "smaps_rollup").read_text() for page in pages if page.exists()]
    return sum(int(re.search(r"^Pss: +(\d+)", one, re.M)[1]) << 10 for one in told)
