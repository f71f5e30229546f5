"""Fixtures for everything that runs the built site in a browser.

`site` (the built dist/), `server` (with isolation headers), `plain_server` (without),
`subfolder_server` (the site under /some/where/), `browser`, `new_context`, `app_page` (the app,
live, model loaded), `ask` (asks app_page). Every context is watched: one request to another
origin, one policy violation or one unexpected console error fails the test that made it.
A test that provokes such things on purpose takes `watch` and sets `watch.provoked`.
"""

from pathlib import Path

import pytest
from hypothesis import settings

from onglet_build import browser as browsers
from onglet_build.driver import App
from onglet_build.kept_site import keep
from onglet_build.loopback import Loopback
from onglet_build.places import DIST
from onglet_build.policy import CONTENT_SECURITY_POLICY, HEADERS

# The same examples at each run: what a test finds, a change has made. `check --full` searches.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", derandomize=False, deadline=None)
settings.load_profile("same")

REPORT = "report-uri /policy-violations"
# Playwright's event loop runs from the first browser test to the end of the run, and asyncio.run
# refuses to work beside it: what needs no browser goes first, the quickest at the front.
ORDER = ("docs", "unit", "kernels", "faults", "browser")


def pytest_collection_modifyitems(items):
    tests = Path(__file__).parent
    items.sort(key=lambda item: ORDER.index(item.path.relative_to(tests).parts[0]))


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The built site; `build.py test` has built it before, a bare pytest run builds it here.

    The run keeps links of its own to the files, so that a build meanwhile changes nothing.
    """
    if not (DIST / "index.html").exists():
        from onglet_build.site import build

        build()
    return keep(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def server(site):
    """The site on a host that sends the isolation headers.

    It asks the browser to report every violation of the policy, in workers of workers too.
    """
    reporting = {"Content-Security-Policy-Report-Only": f"{CONTENT_SECURITY_POLICY}; {REPORT}"}
    with Loopback({"/": site}, headers=HEADERS | reporting) as running:
        yield running


@pytest.fixture(scope="session")
def plain_server(site):
    """The site on a plain static host: no headers of ours."""
    with Loopback({"/": site}) as running:
        yield running


@pytest.fixture(scope="session")
def subfolder_server(site):
    with Loopback({"/some/where/": site}) as running:
        yield running


@pytest.fixture(scope="session")
def playwright():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright):
    running = browsers.launch_chromium(playwright)
    yield running
    running.close()


@pytest.fixture
def watch():
    """Everything the test's pages asked for; checked at the end of each test."""
    seen = browsers.Watch(origins=set())
    yield seen
    if not seen.provoked:
        assert seen.off_origin == []
        assert seen.violations == []
        assert seen.errors == []


@pytest.fixture
def new_context(browser, watch, request):
    """new_context(server, **playwright options) -> a fresh, watched profile.

    With service workers only where the test or its file is marked so: storing the whole site for
    offline use costs more than most tests do.
    """
    marked = request.node.get_closest_marker("service_worker")
    workers = {"service_workers": "allow" if marked else "block"}
    opened, hosts = [], []

    def open_context(running: Loopback, **options):
        watch.origins.add(running.origin)
        context = browser.new_context(**workers | options)
        watch.follow(context)
        opened.append(context)
        hosts.append(running)
        return context

    yield open_context
    for context in opened:
        context.close()
    for running in hosts:
        watch.violations += [body.decode() for _, body in running.posted]
        running.posted.clear()


@pytest.fixture
def open_app(new_context):
    """open_app(server, **playwright options) -> an App in a fresh profile, navigation begun."""

    def open_fresh(running: Loopback, **options) -> App:
        page = new_context(running, **options).new_page()
        return App(page, running.url).open()

    return open_fresh


@pytest.fixture
def app_page(open_app, server) -> App:
    """The app in a fresh profile, live, its model loaded. `app_page.page` is Playwright's page."""
    return open_app(server).wait_live().wait_model()


@pytest.fixture
def ask(app_page):
    """ask(text) -> Answer(text, done)."""
    return app_page.ask
