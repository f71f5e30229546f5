"""The sandbox in real browsers: nothing gets out, nothing is read, what hangs is ended, programs
come to their results. Firefox does it all in `check --full`."""

import base64
import json
import os

import pytest
import sandbox_attempts
from sandbox_driver import PAGE, Canary, Sandbox

from onglet_build.browser import firefox_executable
from onglet_build.driver import App
from onglet_build.firefox import firefox
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

FULL = bool(os.environ.get("ONGLET_FULL"))
STOPPED = 2.0  # seconds
LOOP = "while True: pass"
FLOOD = "import js\nwhile True: js.self.postMessage(SAID)"
PLOT = """
import numpy as np
import matplotlib.pyplot as plt
plt.plot(np.linspace(0, 1, 20) ** 2)
plt.title("squares")
"""


def chromium(page) -> Sandbox:
    def wait_for(expression: str):
        while not (value := page.evaluate(expression)):
            page.wait_for_timeout(20)
        return value

    return Sandbox(page.evaluate, wait_for)


@pytest.fixture(scope="module")
def host(site):
    """The site in a folder of a host, with a page of our own beside it."""
    folders = {"/some/where/": site, "/sandbox_page/": PAGE}
    with Loopback(folders, headers=HEADERS) as running:
        yield running


@pytest.fixture
def opened(new_context, watch):
    """opened(host) -> the sandbox of a fresh page."""
    watch.provoked = True  # attempts to get out are told on the console

    def open_fresh(host, **options) -> Sandbox:
        page = new_context(host, **options).new_page()
        return chromium(App(page, host.url + "?model=none").open().wait_live().page)

    return open_fresh


def escapes(box: Sandbox, own: str, silent: frozenset[str] = frozenset()) -> None:
    """All attempts; nothing may arrive, nothing may be read; all but the `silent` ones are told."""
    with Canary() as canary:
        name = f"127.0.0.1:{canary.port}"
        outcome = box.run(sandbox_attempts.program(f"http://{name}/", own, name))
        told = json.loads(json.loads(outcome["value"])["value"])
    assert set(told) == set(sandbox_attempts.ATTEMPTS)
    passed = {title for title, said in told.items() if said == "passed"}
    assert passed <= sandbox_attempts.HARMLESS | silent, passed
    assert canary.seen == []
    assert "s3cret" not in outcome["value"]
    assert box.evaluate("heard") == []


def ends(box: Sandbox) -> None:
    """Whatever a program does, it is over in time and the page lives."""
    box.warm()
    outcome = box.run(LOOP, seconds=1)
    assert outcome["error"]["code"] == "sandbox_time"
    assert outcome["seconds"] <= 1 + STOPPED
    pending = box.begin(LOOP)
    box.wait_for("box.running.size")
    began = box.evaluate("performance.now()")
    box.evaluate("box.end()")
    assert json.loads(box.wait_for(pending))["error"]["code"] == "cancelled"
    assert box.evaluate("performance.now()") - began <= STOPPED * 1000
    assert box.evaluate("document.querySelectorAll('iframe').length") == 0
    told = box.result("x = bytearray(1 << 30)")
    assert told.error.endswith("MemoryError")
    assert box.result("x = []\nwhile True: x.append(bytearray(1 << 24))").error


def works(box: Sandbox) -> None:
    told = box.result("print('hello'); open('a.csv').read()", **{"a.csv": "1,2"})
    assert (told.text, told.value) == ("hello\n", "1,2")
    assert box.result("'a.csv' in __import__('os').listdir()").value == "False"
    told = box.result(PLOT)
    assert not told.error, told.error
    (figure,) = told.figures
    assert base64.b64decode(figure).startswith(b"\x89PNG")
    assert len(figure) > 10_000
    first, second = (box.result("import random; random.random()").value for _ in range(2))
    assert first != second


def test_nothing_gets_out(opened, host):
    escapes(opened(host), host.url)


def test_nothing_gets_out_where_only_the_policy_stands(opened, host, new_context):
    """The same without the second wall: the worker keeps all of its names."""
    page = new_context(host).new_page()

    def without_wall(route):
        text = route.fetch().text()
        assert text.count("takeAway();") == 1
        text = "const trueFetch = self.fetch;\n" + text
        body = text.replace("takeAway();", "self.fetch = trueFetch;")
        route.fulfill(body=body, content_type="text/javascript")

    page.route("**/sandbox/*/python.js", without_wall)
    box = chromium(App(page, host.url + "?model=none").open().wait_live().page)
    escapes(box, host.url, silent=sandbox_attempts.SILENT)
    for said in ("'x' * 100_000", "'awake'"):
        box.warm()
        outcome = box.run(FLOOD.replace("SAID", said))
        assert outcome["error"]["code"] == "sandbox_failed"
        assert outcome["seconds"] <= STOPPED
    page.unroute_all(behavior="ignoreErrors")  # a box may be warming: its fetch ends with the page


def test_what_hangs_is_ended_and_programs_work(opened, host):
    box = opened(host)
    works(box)
    ends(box)


@pytest.mark.skipif(not FULL, reason="check --full")
def test_firefox(host):
    executable = firefox_executable()
    if not executable:
        pytest.skip("no Firefox on this machine")
    with firefox(executable) as fox:
        fox.open(host.url + "?model=none")
        fox.wait_for("globalThis.onglet?.timeline?.live", 60)
        box = Sandbox(fox.evaluate, lambda expression: fox.wait_for(expression, 120))
        works(box)
        escapes(box, host.url)
        ends(box)
