"""Starts that are not the usual one: a broken service worker, no snapshot, another language."""

import shutil

import pytest

from onglet_build.loopback import Loopback

pytestmark = pytest.mark.service_worker


def test_a_broken_service_worker_is_no_reason_to_stop(new_context, site, tmp_path, watch):
    watch.provoked = True
    (tmp_path / "index.html").write_text("not a script")
    with Loopback({"/sw.js": tmp_path, "/": site}) as host:
        page = new_context(host).new_page()
        navigations = []
        page.on("framenavigated", lambda frame: navigations.append(frame.url))
        page.goto(host.origin)
        page.wait_for_function("() => globalThis.onglet?.timeline.model_ready")
        assert len(navigations) == 1
        assert page.evaluate("() => onglet.loaded.threads") == 1


def test_without_the_snapshot_the_app_is_built_in_the_tab(new_context, server):
    page = new_context(server).new_page()
    page.goto(server.url + "?snapshot=none")
    page.wait_for_function("() => globalThis.onglet?.timeline.live", timeout=60_000)
    page.locator("textarea:visible").last.fill("What is the capital of France?")
    page.keyboard.press("Enter")
    page.wait_for_function("() => onglet.done", timeout=60_000)
    assert page.evaluate("() => onglet.done.reason") == "stop"


def test_the_language_is_the_browsers_until_one_is_chosen(new_context, server):
    page = new_context(server, locale="fr-FR").new_page()
    page.goto(server.url)
    page.wait_for_function("() => globalThis.onglet?.timeline.live")
    assert page.evaluate("() => document.documentElement.lang") == "fr"
    page.evaluate("() => localStorage.setItem('onglet.settings', '{\"language\": \"en\"}')")
    page.reload()
    page.wait_for_function("() => globalThis.onglet?.timeline.live")
    assert page.evaluate("() => document.documentElement.lang") == "en"


def test_a_page_that_cannot_start_says_so(new_context, site, tmp_path, watch):
    watch.provoked = True
    shutil.copytree(site, tmp_path / "site", ignore=shutil.ignore_patterns("models", "python"))
    with Loopback({"/": tmp_path / "site"}) as host:
        page = new_context(host).new_page()
        page.goto(host.url)
        trouble = page.get_by_role("alert").filter(has_text="could not start")
        trouble.wait_for()
        assert trouble.get_by_role("button", name="Reload").is_visible()
