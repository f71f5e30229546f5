"""A worker of the engine is killed, a load is cancelled: the page says one sentence and goes on."""

import contextlib
import json
import os
import random
import shutil

import pytest
from playwright.sync_api import Error

from onglet.words import TABLES
from onglet_build.driver import App, AskFailed
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

QUESTION = "What is the capital of France?"
LONG = "Write a long story about a lighthouse keeper and the sea."
KILLS = 100 if os.environ.get("ONGLET_FULL") else 2
# Keeps the page's workers, so that a test can end one as a browser that is out of memory does.
KEEP_WORKERS = """
globalThis.startedWorkers = []
globalThis.Worker = class extends Worker {
  constructor(url, options) {
    super(url, options)
    startedWorkers.push({ url: String(url), worker: this })
  }
}
"""
AUTO_ATTACH = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False}
KILL_ENGINE = """() => startedWorkers.filter(({ url }) => url.endsWith('engine/worker.js'))
  .at(-1).worker.terminate()"""


@pytest.fixture
def app(new_context, server):
    context = new_context(server)
    context.add_init_script(KEEP_WORKERS)
    return App(context.new_page(), server.url).open().wait_live().wait_model()


def wait_first_words(app) -> None:
    app.page.wait_for_function("() => heard.text.length > 20")


def sentence(code: str) -> str:
    return TABLES["en"][f"error.{code}"].split("{")[0].strip()


def test_a_worker_is_killed_while_answering_and_while_resting(app, watch):
    """One after the other in one page, which comes back each time."""
    engine_killed_while_answering(app)
    visit_again(app)
    engine_killed_while_resting(app)
    kernel_worker_killed_while_answering(app)
    watch.errors = [error for error in watch.errors if error != "null"]  # of the killing itself
    visit_again(app)
    the_interface_stops_and_comes_back_with_what_was_being_written(app)


def visit_again(app) -> None:
    """Of four deaths in a minute the engine would not come back."""
    app.page.reload()
    app.wait_live().wait_model()


def engine_killed_while_answering(app) -> None:
    """At random tokens."""
    chance = random.Random(9)
    for number in range(KILLS):
        if number and number % 2 == 0:
            visit_again(app)
        app.send(LONG)
        letters = chance.randrange(1, 400)
        app.page.wait_for_function("letters => heard.text.length > letters", arg=letters)
        app.page.evaluate(KILL_ENGINE)
        assert app.wait_problem().startswith(sentence("engine_died"))
        assert len(app.answers_on_screen()[-1]) > letters / 2, "what was written before is kept"
        assert "Paris" in app.ask(QUESTION).text
        app.page.locator("[data-key=new]").click()


def the_interface_stops_and_comes_back_with_what_was_being_written(app) -> None:
    app.page.locator(".turn.question").first.wait_for()
    app.page.locator("[data-key=new]").click()
    app.ask(QUESTION)
    app.page.locator("#question").fill("half a quest")
    app.page.evaluate(KILL_ENGINE.replace("engine/worker.js", "app/worker.js"))
    app.expect("notice.app_stopped")
    with app.page.expect_navigation(wait_until="commit"):
        app.press("notice.reload")
    app.wait_live()
    app.page.locator(".turn.question").get_by_text(QUESTION).wait_for()
    assert app.page.locator("#question").input_value() == "half a quest"
    assert "onglet.draft" not in app.page.evaluate("() => Object.keys(sessionStorage)")


def engine_killed_while_resting(app) -> None:
    assert "Paris" in app.ask(QUESTION).text
    app.page.evaluate(KILL_ENGINE)
    app.page.get_by_text(TABLES["en"]["notice.engine_back"]).wait_for()
    assert "Paris" in app.ask(QUESTION).text


def kernel_worker_killed_while_answering(app) -> None:
    workers = NestedWorkers(app.page)
    app.page.wait_for_timeout(300)
    app.send(LONG)
    wait_first_words(app)
    workers.kill("kernel_worker.js")
    assert app.wait_problem().startswith(sentence("engine_died"))
    assert "Paris" in app.ask(QUESTION).text


class NestedWorkers:
    """Speaks DevTools to the workers that the page's workers started: Playwright can run code in
    them, but not stop the endless C loop that a kernel worker is in."""

    def __init__(self, page):
        self.session = page.context.new_cdp_session(page)
        self.living: dict[tuple[str, ...], str] = {}  # sessions from the page down -> URL
        self.session.on("Target.attachedToTarget", lambda event: self.attached(event, ()))
        self.session.on(
            "Target.detachedFromTarget", lambda event: self.detached(event["sessionId"])
        )
        self.session.on("Target.receivedMessageFromTarget", self.received)
        self.session.send("Target.setAutoAttach", AUTO_ATTACH)

    def attached(self, event: dict, above: tuple[str, ...]) -> None:
        path = (*above, event["sessionId"])
        self.living[path] = event["targetInfo"]["url"]
        if not above:
            self.send(path, "Target.setAutoAttach", AUTO_ATTACH)

    def detached(self, session: str) -> None:
        """An engine that was killed before may still be leaving when this one attaches."""
        self.living = {path: url for path, url in self.living.items() if session not in path}

    def received(self, event: dict) -> None:
        message = json.loads(event["message"])
        if message.get("method") == "Target.attachedToTarget":
            self.attached(message["params"], (event["sessionId"],))
        if message.get("method") == "Target.detachedFromTarget":
            self.detached(message["params"]["sessionId"])

    def send(self, path: tuple[str, ...], method: str, parameters: dict) -> None:
        for session in reversed(path):
            message = json.dumps({"id": 1, "method": method, "params": parameters})
            method = "Target.sendMessageToTarget"
            parameters = {"sessionId": session, "message": message}
        self.session.send(method, parameters)

    def kill(self, name: str) -> None:
        for path in [path for path, url in self.living.items() if url.endswith(name)]:
            with contextlib.suppress(Error):  # left between its event and this message
                self.send(path, "Runtime.terminateExecution", {})
                self.send(path, "Runtime.evaluate", {"expression": "self.close()"})


@pytest.fixture
def slow_server(site):
    """The model comes at 2 MB a second: time to press a button, on a busy machine too."""
    with Loopback({"/": site}, headers=HEADERS, slow_part="/models/", delay=0.5) as running:
        yield running


def test_load_cancelled_and_begun_again_answers_the_question_that_waits(open_app, slow_server):
    app = open_app(slow_server).wait_live()
    app.page.locator("[data-key=model]").click()
    app.press("model.cancel")
    app.page.get_by_text(TABLES["en"]["model.cancelled"]).first.wait_for()
    app.page.keyboard.press("Escape")
    with pytest.raises(AskFailed, match="No model is loaded"):
        app.ask(QUESTION)
    slow_server.delay = 0
    app.press("model.load")
    app.wait_model()
    app.page.wait_for_function("() => heard.end?.kind === 'done'")
    assert "Paris" in app.answers_on_screen()[-1]


@pytest.fixture
def with_fault(site, tmp_path):
    """with_fault((old, new)...) -> the site with some lines of its engine's worker changed."""
    opened = contextlib.ExitStack()

    def serve(*changes: tuple[str, str]) -> Loopback:
        (engine,) = site.glob("a/*/engine")
        shutil.copytree(engine, tmp_path / "engine")
        worker = tmp_path / "engine" / "worker.js"
        for old, new in changes:
            text = worker.read_text()
            assert text.count(old) == 1
            worker.write_text(text.replace(old, new))
        folder = f"/{engine.relative_to(site).as_posix()}/"
        folders = {folder: tmp_path / "engine", "/": site}
        return opened.enter_context(Loopback(folders, headers=HEADERS))

    with opened:
        yield serve


def test_too_little_memory_and_a_trapped_kernel_leave_a_smaller_engine(
    new_context, site, with_fault
):
    """The browser refuses the memory, as browsers do: with a RangeError. After some steps on
    several threads the program is given more tokens than it has room for."""
    (prepared,) = site.glob("models/*/prepared.json")
    wanted = json.loads(prepared.read_text())["program"]["memory_bytes"]
    memory = "return new WebAssembly.Memory("
    refusal = f"if (bytes > {wanted - (40 << 20)}) throw new RangeError('planted'); "
    line = "this.words[fields.count / 4] = tokens.length;"
    trap = "globalThis.steps = (globalThis.steps ?? 0) + 1; if (this.threads > 1 && steps > 60) "
    fault = line + trap + "this.words[fields.count / 4] = 1 << 20;"
    host = with_fault((memory, refusal + memory), (line, fault))
    app = App(new_context(host).new_page(), host.origin + "/").open().wait_live().wait_model()
    app.expect("notice.smaller")
    assert app.window()["loaded"]["context"] == 2048
    assert app.window()["loaded"]["threads"] > 1
    assert "Paris" in app.ask(QUESTION).text
    with pytest.raises(AskFailed, match=sentence("kernel_trap")):
        app.ask(LONG)
    assert app.answers_on_screen()[-1], "what was written before is kept"
    app.expect("notice.engine_back")
    app.page.wait_for_function("() => onglet.loaded.threads === 1")
    assert "Paris" in app.ask(QUESTION).text
