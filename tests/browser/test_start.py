"""Both starts of the app, from the snapshot and without it: what a person sees before Python is
awake, that what they do then is not lost, and that both ways end in the same live document."""

import pytest

from onglet.words import TABLES
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

WAYS = {"from the snapshot": "?model=none", "built in the tab": "?model=none&snapshot=none"}
PRERENDERED = "() => globalThis.onglet?.timeline.prerendered != null"
LIVE = "() => globalThis.onglet?.timeline.live != null"
MILLISECONDS = 60_000


@pytest.fixture
def open_page(new_context, server):
    """open_page(query, **playwright options) -> a fresh page, navigation begun."""

    def begin(query: str, **options):
        page = new_context(server, **options).new_page()
        page.goto(server.url + query, wait_until="commit")
        return page

    return begin


def wait_for(page, moment: str) -> None:
    page.wait_for_function(moment, timeout=MILLISECONDS)


def open_model_sheet(page) -> None:
    page.locator("[data-key=model]").click()


def expect_model_sheet(page, language: str = "en") -> None:
    title = TABLES[language]["model.title"]
    page.get_by_role("heading", name=title, exact=True).wait_for(timeout=MILLISECONDS)


def expect_history(page) -> None:
    """The drawer at the left, which another one may cover."""
    page.locator("h2").get_by_text(TABLES["en"]["history.title"]).wait_for(timeout=MILLISECONDS)


@pytest.mark.parametrize("query", WAYS.values(), ids=WAYS)
def test_a_click_goes_to_python_and_comes_back(open_page, query):
    page = open_page(query)
    wait_for(page, LIVE)
    open_model_sheet(page)
    expect_model_sheet(page)


@pytest.mark.parametrize("query", WAYS.values(), ids=WAYS)
def test_a_french_browser_starts_in_french(open_page, query):
    page = open_page(query, locale="fr-FR")
    wait_for(page, LIVE)
    open_model_sheet(page)
    expect_model_sheet(page, "fr")


def test_the_tab_builds_the_document_that_the_build_rendered(open_page):
    """Then it need not be drawn twice."""
    page = open_page(WAYS["built in the tab"])
    wait_for(page, PRERENDERED)
    page.evaluate("() => { globalThis.first = Bokeh.documents.at(-1) }")
    wait_for(page, LIVE)
    assert page.evaluate("() => Bokeh.documents.at(-1) === first")


def test_what_a_person_does_before_python_is_awake_is_not_lost(new_context, site):
    with Loopback({"/": site}, headers=HEADERS, slow_part="snapshot.", delay=1) as host:
        page = new_context(host).new_page()
        page.goto(host.url + WAYS["from the snapshot"])
        wait_for(page, PRERENDERED)
        page.keyboard.press("Alt+KeyH")
        open_model_sheet(page)
        assert page.evaluate("() => onglet.timeline.live") is None
        host.delay = 0
        expect_model_sheet(page)
        expect_history(page)


def test_a_cut_snapshot_is_no_reason_to_stop(new_context, site, tmp_path):
    (snapshot,) = site.rglob("snapshot.1.bin")
    (tmp_path / "index.html").write_bytes(snapshot.read_bytes()[:1_000_000])
    folders = {f"/{snapshot.relative_to(site).as_posix()}": tmp_path, "/": site}
    with Loopback(folders, headers=HEADERS) as host:
        page = new_context(host).new_page()
        page.goto(f"{host.origin}/{WAYS['from the snapshot']}")
        wait_for(page, LIVE)
        open_model_sheet(page)
        expect_model_sheet(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_picture_has_the_right_theme(open_page, scheme):
    page = open_page(WAYS["from the snapshot"], color_scheme=scheme)
    wait_for(page, PRERENDERED)
    drawn = f"() => document.querySelector('#app > *').shadowRoot.querySelector('.mui-{scheme}')"
    assert page.evaluate(f"() => ({drawn})() !== null")


# Opens the drawer at the left when React has drawn it and is about to listen to its `open`.
OPEN_EARLY = """(() => {
  const attach = Element.prototype.attachShadow
  Element.prototype.attachShadow = function (options) {
    const shadow = attach.call(this, options)
    new MutationObserver(prepare).observe(shadow, { childList: true, subtree: true })
    return shadow
  }
  function prepare() {
    const models = (globalThis.Bokeh?.documents ?? []).flatMap((each) => [...each.all_models])
    const isDrawer = (data) => data?.attributes.anchor === "left" && "open" in data.attributes
    const drawer = models.find(({ data }) => isDrawer(data))
    if (!drawer || Object.hasOwn(drawer, "watch")) return
    const watch = drawer.watch
    drawer.watch = function (view, name, ...rest) {
      if (name === "open" && !globalThis.openedEarly) {
        globalThis.openedEarly = true
        drawer.data.setv({ open: true })
      }
      return watch.call(this, view, name, ...rest)
    }
  }
})()
"""


def test_a_change_between_drawing_and_listening_is_seen(new_context, server):
    """React listens a moment after it has drawn; a patch of that moment was never shown."""
    context = new_context(server)
    context.add_init_script(OPEN_EARLY)
    page = context.new_page()
    page.goto(server.url + WAYS["from the snapshot"], wait_until="commit")
    wait_for(page, "() => globalThis.openedEarly")
    expect_history(page)
