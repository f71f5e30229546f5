"""How the page starts: isolation on every kind of host, offline, the engine's death, the policy."""

import pytest

from onglet_build.loopback import Loopback

QUESTION = "What is the capital of France?"
WAIT_LOADED = "() => globalThis.again > 0"
COUNT_LOADS = "() => { globalThis.again = 0; onglet.on('loaded', () => { again += 1 }) }"


def started(app):
    return app.wait_live().wait_model()


def count_navigations(page) -> list[str]:
    seen = []
    page.on("framenavigated", lambda frame: seen.append(frame.url))
    return seen


def test_a_host_with_headers_needs_no_reload(new_context, server):
    page = new_context(server).new_page()
    navigations = count_navigations(page)
    page.goto(server.url)
    page.wait_for_function("() => globalThis.onglet?.timeline.model_ready")
    assert page.evaluate("() => crossOriginIsolated")
    assert len(navigations) == 1


def test_a_plain_host_is_isolated_after_one_reload_and_uses_two_threads(open_app, plain_server):
    app = started(open_app(plain_server))
    told = app.window()
    assert told["facts"]["isolated"]
    assert told["loaded"]["threads"] == 2
    assert app.page.evaluate("() => performance.getEntriesByType('navigation')[0].type") == "reload"
    assert told["ledger"] == {"off_origin_requests": 0, "bytes": 0, "entries": []}


def test_without_service_workers_one_thread_answers(open_app, plain_server):
    app = started(open_app(plain_server, service_workers="block"))
    told = app.window()
    assert not told["facts"]["isolated"]
    assert told["loaded"]["threads"] == 1
    assert "Paris" in app.ask(QUESTION).text


def test_a_broken_service_worker_is_no_reason_to_stop(new_context, site, tmp_path, watch):
    (tmp_path / "index.html").write_text("not a script")
    with Loopback({"/sw.js": tmp_path, "/": site}) as host:
        page = new_context(host).new_page()
        navigations = count_navigations(page)
        page.goto(host.url)
        page.wait_for_function("() => globalThis.onglet?.timeline.model_ready")
        assert len(navigations) == 1
        assert page.evaluate("() => onglet.loaded.threads") == 1
    watch.errors.clear()


@pytest.mark.parametrize("folder", ["/", "/some/where/"])
def test_after_the_first_visit_no_host_is_needed(new_context, site, folder):
    with Loopback({folder: site}) as host:
        page = new_context(host).new_page()
        page.goto(host.url)
        page.wait_for_function("() => globalThis.onglet?.timeline.offline_ready", timeout=60_000)
        host.stop()
        page.reload()
        page.wait_for_function("() => globalThis.onglet?.timeline.live && onglet.loaded")
        composer = page.locator("textarea:visible").last
        composer.fill(QUESTION)
        composer.press("Enter")
        page.wait_for_function("() => onglet.done")
        assert page.evaluate("() => onglet.done.answer_tokens") > 0


def test_without_the_snapshot_the_app_is_built_in_the_tab(new_context, server):
    page = new_context(server).new_page()
    page.goto(server.url + "?snapshot=none")
    page.wait_for_function("() => globalThis.onglet?.timeline.live", timeout=60_000)
    page.wait_for_function("() => onglet.timeline.model_ready", timeout=60_000)


def test_a_dead_engine_is_replaced(app_page):
    page = app_page.page
    page.evaluate(COUNT_LOADS)
    (engine,) = (worker for worker in page.workers if worker.url.endswith("/engine/worker.js"))
    engine.evaluate("() => { setTimeout(() => self.close(), 0) }")
    page.wait_for_function(WAIT_LOADED, timeout=10_000)
    assert "Paris" in app_page.ask(QUESTION).text


def test_the_language_is_the_browsers_until_one_is_chosen(new_context, server):
    context = new_context(server, locale="fr-FR")
    page = context.new_page()
    page.goto(server.url)
    page.wait_for_function("() => globalThis.onglet?.timeline.live")
    assert page.evaluate("() => document.documentElement.lang") == "fr"
    page.evaluate("() => localStorage.setItem('onglet.settings', '{\"language\": \"en\"}')")
    page.reload()
    page.wait_for_function("() => globalThis.onglet?.timeline.live")
    assert page.evaluate("() => document.documentElement.lang") == "en"


FORBIDDEN = {
    "eval": (
        "() => { try { (0, eval)('1'); return 'ran' } catch { return 'blocked' } }",
        "script-src",
    ),
    "fetch": (
        "() => fetch('https://elsewhere.example/').then(() => 'ran', () => 'blocked')",
        "connect-src",
    ),
    "image": (
        "() => new Promise(done => { const image = new Image(); image.onload = () => done('ran');"
        " image.onerror = () => done('blocked'); image.src = 'https://elsewhere.example/x.png' })",
        "img-src",
    ),
    "frame": (
        "() => new Promise(done => { const frame = document.createElement('iframe');"
        " frame.src = 'https://elsewhere.example/'; document.body.append(frame);"
        " setTimeout(() => done('blocked'), 300) })",
        "frame-src",
    ),
}


@pytest.mark.parametrize("act", FORBIDDEN)
def test_a_forbidden_act_is_blocked_and_reported(new_context, plain_server, watch, act):
    script, directive = FORBIDDEN[act]
    page = new_context(plain_server).new_page()
    page.goto(plain_server.url)
    page.wait_for_function("() => globalThis.onglet?.timeline.isolation_settled")
    assert page.evaluate(script) == "blocked"
    page.wait_for_function("() => policyViolations.length > 0")
    violations = page.evaluate("() => policyViolations")
    assert any(directive in violation for violation in violations)
    assert [url for url in watch.off_origin if "elsewhere" not in url] == []
    for seen in (watch.off_origin, watch.violations, watch.errors):
        seen.clear()


def test_workers_are_under_the_policy_too(app_page, watch):
    worker = next(
        worker for worker in app_page.page.workers if worker.url.endswith("app/worker.js")
    )
    ran = worker.evaluate("() => { try { (0, eval)('1'); return true } catch { return false } }")
    left = worker.evaluate(
        "() => fetch('https://elsewhere.example/').then(() => true, () => false)"
    )
    assert (ran, left) == (False, False)
    for seen in (watch.off_origin, watch.violations, watch.errors):
        seen.clear()


def test_peer_connections_are_taken_away(app_page):
    assert app_page.page.evaluate("() => typeof RTCPeerConnection") == "undefined"
