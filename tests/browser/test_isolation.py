"""The real site on hosts that differ: headers or none, a sub-folder, no service worker."""

import pytest

pytestmark = pytest.mark.service_worker

QUESTION = "What is the capital of France?"


def threads_of(app) -> int:
    return app.window()["loaded"]["threads"]


@pytest.fixture
def navigations():
    """navigations(app) -> the list of URLs that its page navigates to from now on."""

    def follow(page) -> list[str]:
        seen = []
        page.on("framenavigated", lambda frame: seen.append(frame.url))
        return seen

    return follow


def test_host_with_headers_needs_no_reload(new_context, server, navigations):
    from onglet_build.driver import App

    page = new_context(server).new_page()
    seen = navigations(page)
    app = App(page, server.url).open().wait_live().wait_model()
    assert len(seen) == 1
    assert app.window()["facts"]["isolated"]
    assert threads_of(app) >= 2


def test_plain_host_is_isolated_after_one_reload(new_context, plain_server, navigations):
    from onglet_build.driver import App

    page = new_context(plain_server).new_page()
    seen = navigations(page)
    app = App(page, plain_server.url).open().wait_live().wait_model()
    assert len(seen) <= 2
    assert app.window()["facts"]["isolated"]
    assert threads_of(app) >= 2
    assert "Paris" in app.ask(QUESTION).text


def test_subfolder_of_a_plain_host(open_app, subfolder_server):
    app = open_app(subfolder_server).wait_live()
    assert "Paris" in app.ask(QUESTION).text
    assert {path for _, path, _ in subfolder_server.log if not path.startswith("/some/where/")} <= {
        "/favicon.ico"
    }


def test_without_service_workers_one_thread_and_it_says_so(open_app, plain_server):
    app = open_app(plain_server, service_workers="block").wait_live()
    assert "Paris" in app.ask(QUESTION).text
    assert not app.window()["facts"]["isolated"]
    assert threads_of(app) == 1
    app.expect("notice.one_thread")
