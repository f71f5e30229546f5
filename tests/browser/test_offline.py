"""After the first visit the host may vanish: the page opens and answers all the same."""

import pytest

from onglet_build.loopback import Loopback


@pytest.fixture
def host(site):
    """A server of this test's own, because it will be stopped."""
    with Loopback({"/": site}) as running:
        yield running


def test_reload_and_answer_without_the_host(open_app, host):
    app = open_app(host).wait_live().wait_model().wait_stored()
    host.stop()
    asked = len(host.log)
    app.page.reload(wait_until="commit")
    app.wait_live()
    assert "Paris" in app.ask("What is the capital of France?").text
    assert len(host.log) == asked
    assert app.window()["facts"]["isolated"]
