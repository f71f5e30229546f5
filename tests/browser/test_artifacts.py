"""A page that a model wrote: shown without scripts and network, kept, changed, thrown away. Only
the engine is a stand-in, which says the page."""

import json
import shutil

import pytest
from sandbox_driver import Canary
from test_hostile_output import ENGINE

from onglet_build.driver import App
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

PAGE = """<!doctype html><html><head><title>A small <b>poster</b></title>
<link rel="preconnect" href="@url@"><link rel="dns-prefetch" href="@url@">
<link rel="stylesheet" href="@url@style.css"><meta http-equiv="refresh" content="0;url=@url@meta">
<base href="@url@"><style>@import "@url@import.css"; h1 { color: rgb(200, 0, 0);
background: url(@url@background.png); animation: turn 1s } @keyframes turn { to { rotate: 4deg } }
@font-face { font-family: f; src: url(@url@font.woff2) } p { font-family: f }</style>
<script>parent.postMessage("s3cret", "*");
  new RTCPeerConnection({iceServers:[{urls:"stun:@name@"}]}).createDataChannel("x");
  location = "@url@location"</script></head>
<body onload="fetch('@url@onload')"><h1>Open day</h1><p>Come and see.</p>
<img src="@url@image.png" srcset="@url@set.png 2x" onerror="fetch('@url@onerror')">
<iframe src="@url@frame" srcdoc="<script>fetch('@url@inner')</script>"></iframe>
<object data="@url@object"></object><embed src="@url@embed"><video poster="@url@poster"></video>
<form action="@url@form"><button id="send" formaction="@url@send">Send</button></form>
<a id="out" href="@url@link" ping="@url@ping" style="position:fixed;inset:0">Out</a>
<svg viewBox="0 0 10 10" width="80"><circle cx="5" cy="5" r="4" fill="teal"/>
<image href="@url@svg.png"/><use href="@url@use.svg#a"/><foreignObject><link rel="preconnect"
href="@url@"></foreignObject></svg>
<template shadowrootmode="open"><link rel="preconnect" href="@url@"></template>
<noscript><link rel="preconnect" href="@url@noscript"></noscript>
<math><mtext><table><mglyph><style><!--</style><link rel="preconnect" href="@url@m"></table></math>
<svg><style><!--</style><link rel="preconnect" href="@url@s">--></style></svg></body></html>"""


@pytest.fixture
def said(site, tmp_path):
    """The site with an engine that says that page, and the host that it would like to reach."""
    with Canary() as canary:
        name = f"127.0.0.1:{canary.port}"
        page = PAGE.replace("@url@", f"http://{name}/").replace("@name@", name)
        answer = f"Here it is:\n\n```html\n{page}\n```\n"
        (engine,) = site.glob("a/*/engine")
        shutil.copytree(engine, tmp_path / "engine")
        stand_in = ENGINE.replace("@pieces@", json.dumps([answer]))
        (tmp_path / "engine/worker.js").write_text(stand_in)
        folder = f"/{engine.relative_to(site).as_posix()}/"
        with Loopback({folder: tmp_path / "engine", "/": site}, headers=HEADERS) as host:
            yield host, canary


def test_a_page_is_shown_kept_changed_and_thrown_away_and_reaches_nobody(new_context, said, watch):
    host, canary = said
    watch.provoked = True  # the frame's policy tells of what it kept from loading
    page = new_context(host).new_page()
    page.add_init_script("onmessage = ({data}) => { if (data === 's3cret') globalThis.pwned = 1 }")
    app = App(page, host.origin + "/").open().wait_live().wait_model()
    app.ask("0")
    page.locator(".turn.answer.last.done").wait_for()
    page.locator("[data-key=show_artifact]").click()
    frame = page.frame_locator("iframe.artifact")
    frame.get_by_role("heading", name="Open day").wait_for()
    assert frame.locator("h1").evaluate("h => getComputedStyle(h).color") == "rgb(200, 0, 0)"
    assert frame.locator("circle").count() == 1
    for tag in ("script", "link", "iframe", "object", "embed", "template", "base", "image"):
        assert frame.locator(tag).count() == 0
    frame.locator("#out").click()
    page.keyboard.press("Enter")
    page.locator("[data-key=show_artifact]").click()
    page.locator(".code pre").wait_for()

    page.locator("[data-key=keep_artifact]").click()
    app.expect("notice.artifact")
    page.locator("[data-key=page-artifacts]").click()
    page.get_by_text("A small poster").filter(visible=True).first.wait_for()
    page.locator("[data-key=show]").click()
    frame.get_by_role("heading", name="Open day").wait_for()
    page.locator("[data-key=edit].text-button").click()
    page.locator("textarea.source").filter(visible=True).fill("<h1>Closed</h1>")
    page.locator("[data-key=change]").click()
    frame.get_by_role("heading", name="Closed").wait_for()
    page.get_by_text("Made from").filter(visible=True).wait_for()
    page.locator("[data-key=delete_shown]").click()
    app.expect("chat.undo")
    assert page.locator("[data-key=show]").count() == 1
    page.locator("[data-key=undo]").click()
    page.locator("[data-key=show]").nth(1).wait_for()

    page.reload()
    app.wait_live()
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("[data-key=show]").nth(1).click()
    frame.get_by_role("heading", name="Open day").wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("() => globalThis.pwned ?? null") is None
    assert canary.seen == []
    assert page.url.startswith(host.origin)
