"""Conversations are kept: they come back after a reload, are found, renamed, grouped and thrown
away; locked by a passphrase; taken away in a file and brought into another browser."""

import json

from onglet.words import TABLES
from onglet_build import vendor
from onglet_build.driver import App

ENGLISH = TABLES["en"]
PARIS = "What is the capital of France?"
COLOURS = "Name three colours."
PASSPHRASE = "correct horse battery"
SECRET = "The blue elephant owns seven lighthouses."
# Every byte that the site keeps in files (OPFS), as text; models apart.
STORED = """async () => {
  const files = []
  const walk = async folder => {
    for await (const [name, handle] of folder) {
      if (name === 'onglet-models') continue // a vocabulary holds every word
      if (handle.kind === 'directory') await walk(handle)
      else files.push([name, await (await handle.getFile()).text()])
    }
  }
  await walk(await navigator.storage.getDirectory())
  return files
}"""


def button(app: App, key: str):
    return app.page.get_by_role("button", name=ENGLISH[key], exact=True)


def open_history(app: App) -> None:
    app.page.keyboard.press("Alt+KeyH")
    button(app, "history.data").wait_for()


def open_data(app: App) -> None:
    open_history(app)
    button(app, "history.data").click()
    app.page.get_by_role("heading", name=ENGLISH["data.protection"]).wait_for()


def close(app: App) -> None:
    app.page.keyboard.press("Escape")
    app.page.locator("[role=dialog]").first.wait_for(state="hidden")


def fill(app: App, form: str, **fields: str) -> None:
    for name, value in fields.items():
        app.page.locator(f"#{form}-{name}").fill(value)
    app.page.locator(f"form [data-key={form}]").click()


def protect(app: App) -> None:
    open_data(app)
    button(app, "data.protect").click()
    new = {"new_passphrase": PASSPHRASE, "new_passphrase_again": PASSPHRASE}
    fill(app, "set_passphrase", **new)
    app.page.get_by_text(ENGLISH["data.passphrase_set"]).wait_for()


def titles(app: App) -> list[str]:
    return app.page.locator(".row .open").all_inner_texts()


def wait_titles(app: App, wanted: list[str]) -> None:
    condition = """wanted => {
      const found = root => [...root.querySelectorAll('*')].flatMap(each => [
        ...(each.matches('.row .open') ? [each.textContent] : []),
        ...(each.shadowRoot ? found(each.shadowRoot) : [])])
      return JSON.stringify(found(document)) === JSON.stringify(wanted)
    }"""
    app.page.wait_for_function(condition, arg=wanted)


def test_a_conversation_outlives_the_page_is_found_and_thrown_away(app_page):
    outlives_the_page(app_page)
    is_found_renamed_grouped_and_thrown_away(app_page)
    readable_files_and_deleting_everything(app_page)


def outlives_the_page(app_page) -> None:
    answer = app_page.ask(PARIS).text
    app_page.page.locator("[data-key=regenerate]").click()
    app_page.page.get_by_text("2/2").wait_for()
    app_page.page.locator("[data-key=regenerate]").wait_for()
    app_page.page.reload()
    app_page.page.get_by_text("2/2").wait_for()
    app_page.page.locator("[data-key=before]").click()
    app_page.page.get_by_text("1/2").wait_for()
    assert app_page.answers_on_screen() == [answer]
    app_page.page.reload()
    app_page.page.get_by_text("1/2").wait_for()


def is_found_renamed_grouped_and_thrown_away(app_page) -> None:
    app_page.page.reload(wait_until="commit")
    app_page.wait_for_moment("prerendered", 60)
    app_page.page.keyboard.press("Alt+KeyN")  # before the store is open
    app_page.wait_live().wait_model().page.keyboard.press("Alt+KeyH")
    app_page.page.locator(".row .open").first.wait_for()
    assert not app_page.answers_on_screen()
    app_page.page.keyboard.press("Escape")
    app_page.ask(COLOURS)
    open_history(app_page)
    wait_titles(app_page, [COLOURS, PARIS])
    search = app_page.page.locator("#history-search")
    search.fill("capit")
    wait_titles(app_page, [PARIS])
    search.fill("no such words")
    app_page.page.get_by_text(ENGLISH["history.none_found"]).wait_for()
    search.fill("")
    wait_titles(app_page, [COLOURS, PARIS])

    more = app_page.page.get_by_role("button", name=f"{ENGLISH['history.more']}: {PARIS}")
    more.click()
    app_page.page.get_by_label(ENGLISH["history.name"], exact=True).fill("Paris")
    app_page.page.keyboard.press("Enter")
    wait_titles(app_page, [COLOURS, "Paris"])

    app_page.page.get_by_role("button", name=f"{ENGLISH['history.more']}: Paris").click()
    app_page.page.get_by_label(ENGLISH["history.folder"], exact=True).select_option("+")
    app_page.page.get_by_label(ENGLISH["history.folder_name"]).fill("Towns")
    app_page.page.keyboard.press("Enter")
    app_page.page.get_by_role("heading", name="Towns").wait_for()
    wait_titles(app_page, ["Paris", COLOURS])

    app_page.page.locator("[data-key=delete]").click()
    wait_titles(app_page, [COLOURS])
    app_page.page.locator("[data-key=undo]").click()
    wait_titles(app_page, ["Paris", COLOURS])
    app_page.page.locator(".row .open").first.click()
    app_page.page.locator(".turn.question").get_by_text(PARIS).wait_for()


def test_a_passphrase_locks_is_forgotten_and_recovered_accessibly(app_page):
    app_page.ask(PARIS)
    list_and_data_sheet_are_accessible(app_page)
    a_passphrase_locks_and_nothing_readable_stays(app_page)
    a_forgotten_passphrase_and_the_recovery_code(app_page)


def list_and_data_sheet_are_accessible(app_page) -> None:
    axe = vendor.package("axe-core").folder / "axe.min.js"
    app_page.page.evaluate(axe.read_text())
    size = app_page.page.viewport_size
    for width in (390, size["width"]):
        app_page.page.set_viewport_size({"width": width, "height": 844})
        open_history(app_page)
        wait_titles(app_page, [PARIS])
        assert faults(app_page) == []
        button(app_page, "history.data").click()
        button(app_page, "data.protect").click()
        app_page.page.locator("#set_passphrase-new_passphrase").wait_for()
        assert faults(app_page) == []
        close(app_page)
    app_page.page.set_viewport_size(size)


def faults(app: App) -> list[str]:
    found = app.page.evaluate("() => axe.run().then(result => result.violations)")
    return [each["id"] for each in found if each["impact"] in ("serious", "critical")]


def a_passphrase_locks_and_nothing_readable_stays(app_page) -> None:
    app_page.page.keyboard.press("Alt+KeyN")
    app_page.send(SECRET)
    app_page.read_answer()
    protect(app_page)
    button(app_page, "data.lock").click()
    close(app_page)
    app_page.page.locator("#unlock").wait_for()
    for name, text in app_page.page.evaluate(STORED):
        for word in ("elephant", "lighthouse", "capital", "Paris", "SQLite", "conversation"):
            assert word not in text, (name, word)
    assert SECRET not in app_page.page.content()
    assert app_page.answers_on_screen() == []

    app_page.page.reload()
    unlock = app_page.page.locator("#unlock")
    unlock.fill("wrong horse battery")
    unlock.press("Enter")
    app_page.page.get_by_text(ENGLISH["error.wrong_passphrase"]).wait_for()
    unlock.fill(PASSPHRASE)
    unlock.press("Enter")
    app_page.page.locator(".turn.question").get_by_text(SECRET).wait_for()


def test_an_untouched_page_locks_itself(new_context, server):
    app = App(new_context(server).new_page(), server.url + "?rest=1500").open()
    app.wait_live().wait_model()
    app.ask(PARIS)
    protect(app)
    app.page.locator("#unlock").wait_for()


def a_forgotten_passphrase_and_the_recovery_code(app_page) -> None:
    open_data(app_page)
    button(app_page, "data.code").click()
    code = app_page.page.locator("p.code").inner_text()
    app_page.page.locator("[data-key=cancel]").click()
    button(app_page, "data.lock").click()
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    fill(app_page, "recover", code=wrong)
    app_page.page.get_by_text(ENGLISH["error.wrong_recovery_code"]).wait_for()
    fill(app_page, "recover", code=code.lower())
    app_page.page.get_by_text(ENGLISH["data.recovered"]).wait_for()
    close(app_page)
    app_page.page.locator(".turn.question").get_by_text(SECRET).wait_for()


def exported(app: App, folder) -> bytes:
    open_data(app)
    button(app, "data.export_ask").click()
    with app.page.expect_download() as download:
        fill(app, "export", new_passphrase=PASSPHRASE, new_passphrase_again=PASSPHRASE)
    download.value.save_as(folder / "all.onglet")
    assert download.value.suggested_filename.endswith(".onglet")
    close(app)
    return (folder / "all.onglet").read_bytes()


def import_file(app: App, file, passphrase: str = PASSPHRASE) -> None:
    with app.page.expect_file_chooser() as chooser:
        button(app, "data.import_ask").click()
    chooser.value.set_files(file)
    fill(app, "import_file", passphrase=passphrase)


def test_a_file_carries_everything_to_another_browser_or_is_refused(open_app, server, tmp_path):
    first = open_app(server).wait_live().wait_model()
    first.ask(PARIS)
    whole = exported(first, tmp_path)
    assert b"France" not in whole

    second = open_app(server).wait_live().wait_model()
    second.ask(COLOURS)
    open_data(second)
    broken = {
        "cut": (whole[:-9], "damaged_file"),
        "newer": (whole.replace(b'"format":1', b'"format":2', 1), "newer_file"),
    }
    for name, (content, code) in broken.items():
        (tmp_path / name).write_bytes(content)
        import_file(second, tmp_path / name)
        second.page.get_by_role("alert").get_by_text(ENGLISH[f"error.{code}"]).wait_for()
        second.page.locator("[data-key=cancel]").click()
    import_file(second, tmp_path / "all.onglet", "not this passphrase")
    second.page.get_by_role("alert").get_by_text(ENGLISH["error.wrong_passphrase"]).wait_for()
    fill(second, "import_file", passphrase=PASSPHRASE)
    second.page.get_by_text("1 conversation imported.").wait_for()
    close(second)
    open_history(second)
    wait_titles(second, [COLOURS, PARIS])
    second.page.locator(".row .open").last.click()
    second.page.locator(".turn.question").get_by_text(PARIS).wait_for()
    assert second.answers_on_screen() == first.answers_on_screen()


def readable_files_and_deleting_everything(app_page) -> None:
    close(app_page)
    open_data(app_page)
    with app_page.page.expect_download() as download:
        button(app_page, "data.as_json").click()
    whole = json.loads(download.value.path().read_text("utf-8"))
    assert whole["conversations"][0]["turns"][0]["question"] == PARIS
    with app_page.page.expect_download() as download:
        button(app_page, "data.as_markdown").click()
    assert f"> {PARIS}" in download.value.path().read_text("utf-8")
    button(app_page, "data.wipe_ask").click()
    button(app_page, "data.wipe").click()
    app_page.page.get_by_text(ENGLISH["data.wiped"]).wait_for()
    close(app_page)
    app_page.page.locator(".welcome").wait_for()
    app_page.page.reload()
    app_page.wait_live()
    open_history(app_page)
    app_page.page.get_by_text(ENGLISH["history.empty"]).wait_for()
