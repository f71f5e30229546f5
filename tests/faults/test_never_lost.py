"""The tab is killed while it answers, tabs write at once and the one that leads dies, the disk is
full, bytes are flipped, the key is lost, nothing can be kept: nothing that was committed is lost or
done twice, and the page says what it means.

The store is driven alone, by the page's own StoreHost, where a fault has to hit a moment.
"""

import base64
import json
import os
import random
import re
import signal

import pytest

from onglet.vault import archive
from onglet.vault.schema import VERSION, migrate
from onglet.vault.store import answered, bound
from onglet.words import TABLES
from onglet_build.driver import App

PARIS = "What is the capital of France?"
LONG = "Write a long story about a lighthouse keeper and the sea."
FULL = bool(os.environ.get("ONGLET_FULL"))
SAVED_WITHIN = 2500  # milliseconds: the second between two saves, and a busy machine
KILLS = 500 if FULL else 4
WRITES = 1000 if FULL else 120
HANDOVERS = 50 if FULL else 3
CLOSES = 100 if FULL else 8
TALKS = 1000 if FULL else 150
QUOTAS = (2, 5, 10, 20, 40, 80, 105, 120, 150, 200) if FULL else (105,)  # MB
CLOSE_AFTER = 7  # milliseconds: inside the first writes
NO_APP = "export const wishes = new URLSearchParams()"  # what the store's modules take from there
# The store alone: the site's own modules without the app.
STORE = """async (worker) => {
  const code = JSON.parse(document.getElementById('site').textContent).code
  const { StoreHost } = await import(new URL(code + 'page/store.js', document.baseURI).href)
  window.states = []
  window.host = new StoreHost((name, value) => name === 'store_state' && states.push(value))
  host.start()
  window.write = (...statements) => host.ask({ kind: 'write', statements })
  window.read = async sql => (await host.ask({ kind: 'read', statements: [[sql]] })).value[0]
  return (await host.ask({ kind: 'state' })).value
}"""
FLIP = """async places => { // bytes of the database, the largest file of the store
  const outer = await (await navigator.storage.getDirectory()).getDirectoryHandle('onglet-store')
  const pool = await outer.getDirectoryHandle('.opaque')
  const sized = []
  for await (const [, handle] of pool) sized.push([(await handle.getFile()).size, handle])
  const [size, handle] = sized.sort(([one], [other]) => other - one)[0]
  const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer())
  for (const at of places) bytes[4096 + Math.floor((size - 4096) * at)] ^= 1
  const stream = await handle.createWritable()
  await stream.write(bytes)
  await stream.close()
}"""


@pytest.fixture
def open_store(new_context, server):
    """open_store(context) -> a page with the store and no app."""

    def opened(context=None):
        context = context or new_context(server)
        page = context.new_page()
        empty = {"body": NO_APP, "content_type": "text/javascript"}
        for script in ("**/boot.js", "**/app/start.js"):
            page.route(script, lambda route: route.fulfill(**empty))
        page.goto(server.url)
        return page, page.evaluate(STORE)

    return opened


def test_tabs_write_together_and_the_one_that_leads_is_ended(new_context, server, open_store):
    context = new_context(server)
    pages = [open_store(context)[0] for _ in range(3)]
    made = pages[0].evaluate("() => write(['CREATE TABLE said (id TEXT PRIMARY KEY, times INT)'])")
    assert made == {"value": None}
    number = 0
    for _ in range(HANDOVERS):
        begin = """([first, count]) => {
          const sql = `INSERT INTO said VALUES (?, 1)
            ON CONFLICT (id) DO UPDATE SET times = times + 1`
          const one = (_, n) => write([sql, [String(first + n)]])
          window.done = Promise.all(Array.from({ length: count }, one))
        }"""
        share = WRITES // HANDOVERS // 2
        for page in pages[1:]:
            page.evaluate(begin, [number, share])
            number += share
        pages[0].wait_for_timeout(20)
        pages.pop(0).close()
        pages[0].evaluate("() => read('SELECT 1')")
        for page in pages:
            assert page.evaluate("async () => (await done).filter(each => each.error)") == []
        pages.append(open_store(context)[0])
    rows = pages[-1].evaluate("() => read('SELECT count(*), max(times), min(times) FROM said')")
    assert rows == [[number, 1, 1]]


def test_a_tab_that_ends_inside_a_write_leaves_it_whole_or_undone(new_context, server, open_store):
    context = new_context(server)
    leader, witness = (open_store(context)[0] for _ in range(2))
    tables = "CREATE TABLE said (id INTEGER PRIMARY KEY, round, text); CREATE TABLE torn (round)"
    witness.evaluate("sql => write([sql])", tables)
    fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
    insert = f"{fill} INSERT INTO said SELECT i, 0, hex(randomblob(400)) FROM n"
    witness.evaluate("sql => write([sql])", insert)
    for number in range(CLOSES):
        witness.evaluate("""first => {
          const small = 'PRAGMA cache_size = 4' // pages reach the file long before the commit
          const look = `INSERT INTO torn SELECT max(round) FROM said
            HAVING count(DISTINCT round) > 1` // what the write before this one left
          const all = 'UPDATE said SET round = ?, text = hex(randomblob(400))'
          window.kept = 0
          const one = async n => { if (!(await write([small], [look], [all, [n]])).error) kept = n }
          window.done = Promise.all(Array.from({ length: 6 }, (_, n) => one(first + n)))
        }""", 1 + 6 * number)  # fmt: skip
        leader.wait_for_timeout(CLOSE_AFTER * (1 + number % 5))
        leader.close()
        rows, torn, sound, kept = witness.evaluate("""async () => {
          await done
          const statements = [['SELECT DISTINCT round FROM said'], ['SELECT * FROM torn'],
            ['PRAGMA integrity_check']]
          const { value } = await host.ask({ kind: 'read', statements })
          return [...(value ?? [null, null, null]), kept]
        }""")
        assert (torn, sound) == ([], [["ok"]])
        assert rows == [[kept]] == [[6 * (number + 1)]]
        leader, witness = witness, open_store(context)[0]


def test_a_worker_that_dies_in_the_middle_is_replaced_and_nothing_is_done_twice(open_store):
    page, _ = open_store()
    page.evaluate("() => write(['CREATE TABLE said (n INT)'])")
    errors = page.evaluate("""async () => {
      const all = []
      for (let n = 0; n < 60; n++) {
        all.push(write(['INSERT INTO said VALUES (?)', [n]]))
        if (n % 20 === 10) { await all[n - 5]; host.worker.terminate() }
      }
      return (await Promise.all(all)).filter(each => each.error)
    }""")
    assert errors == []
    rows = page.evaluate("() => read('SELECT count(*), count(DISTINCT n) FROM said')")
    assert rows == [[60, 60]]


@pytest.mark.parametrize("places", [[0.001], [0.3], [0.6], [0.95], [n / 40 for n in range(40)]])
def test_flipped_bytes_are_noticed_and_what_can_be_read_is_offered(open_store, places):
    """One page, or most: nothing is overwritten, and no row is lost to a wrong letter."""
    page, _ = open_store()
    fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
    page.evaluate("() => write(['CREATE TABLE said (text TEXT)'])")
    page.evaluate(f"() => write([`{fill} INSERT INTO said SELECT hex(randomblob(200)) FROM n`])")
    page.evaluate("() => { host.worker.terminate(); host.worker = null }")
    page.evaluate(FLIP, places)
    page.evaluate("() => host.start()")
    answer = page.evaluate("""() => host.ask({ kind: 'read', statements: [
      ['SELECT sum(length(text)) FROM said'], ['PRAGMA integrity_check']] })""")
    assert answer["error"]["code"] == "store_damaged", answer
    assert page.evaluate("() => host.ask({ kind: 'state' })")["value"]["phase"] == "damaged"
    tables = {"said": ["text"], "none": ["id"]}
    read = page.evaluate("tables => host.ask({ kind: 'rescue', tables })", tables)["value"]
    kept = [text for (text,) in read["rows"]["said"] if len(text) == 400]
    assert len(kept) >= 200 - len(places)
    assert read["rows"]["none"] == []
    assert len(read["unsure"]["said"]) < 200 or places in ([0.001], [n / 40 for n in range(40)])


def test_a_damaged_store_goes_on_with_what_can_be_read(new_context, server, watch):
    watch.provoked = True  # SQLite tells the console of the damage
    context = new_context(server)
    app = App(context.new_page(), server.url).open().wait_live().wait_model()
    app.ask(PARIS)
    app.page.keyboard.press("Alt+KeyN")
    app.ask("Name three colours.")
    app.page.close()
    page = context.new_page()
    page.goto(server.url + "files.json")
    page.evaluate(FLIP, [number / 20 for number in range(3, 19)])  # one of them is read at once
    page.close()
    app = App(context.new_page(), server.url).open().wait_live()
    app.expect("notice.unreadable")
    app.press("data.title")
    app.expect("error.store_damaged")
    app.press("data.rescue_look")
    app.page.get_by_text("conversations 2, questions with answers 2").wait_for()
    app.press("data.rebuild")
    app.expect("data.rebuilt")
    app.page.keyboard.press("Escape")
    app.page.reload()
    app.wait_live()
    app.page.keyboard.press("Alt+KeyH")
    app.page.locator(".row .open").get_by_text("capital").click()
    app.page.locator(".turn.question").get_by_text(PARIS).wait_for()
    assert "Paris" in app.answers_on_screen()[-1]


def test_a_lost_key_is_told_and_the_recovery_code_opens(open_store):
    page, _ = open_store()
    page.evaluate("() => write(['CREATE TABLE said (text TEXT)'])")
    code = page.evaluate("() => host.ask({ kind: 'recovery_code' })")["value"]
    page.evaluate("""async () => {
      host.worker.terminate(); host.worker = null
      await new Promise((done, wrong) => Object.assign(indexedDB.deleteDatabase('onglet-vault'), {
        onsuccess: done, onerror: wrong }))
      host.start()
    }""")
    state = page.evaluate("() => host.ask({ kind: 'state' })")["value"]
    assert state["phase"] == "key_lost"
    refused = page.evaluate("() => read('SELECT 1').catch(error => String(error))")
    assert "TypeError" in refused  # no value: an error
    state = page.evaluate("code => host.ask({ kind: 'recover', code })", code)["value"]
    assert state["phase"] == "ready"
    assert page.evaluate("() => read('SELECT count(*) FROM said')") == [[0]]


def clear(page, server, kinds: str = "all") -> None:
    """Deletes what the site keeps, as the settings of the browser do."""
    which = {"origin": server.origin, "storageTypes": kinds}
    page.context.new_cdp_session(page).send("Storage.clearDataForOrigin", which)


def test_what_is_deleted_under_open_tabs_is_noticed(open_store, new_context, server):
    context = new_context(server)
    pages = [open_store(context)[0] for _ in range(2)]
    pages[0].evaluate("() => write(['CREATE TABLE said (text TEXT)'])")
    clear(pages[0], server)
    for page in pages[::-1]:
        lost = page.evaluate("() => write(['INSERT INTO said VALUES (1)'])")
        assert lost["error"]["code"] == "store_gone"
    for page in pages:
        page.wait_for_function("() => states.at(-1).phase === 'gone'")
    for page in pages:
        page.close()
    page, state = open_store(context)
    assert state["phase"] == "ready"
    page.evaluate("() => write(['CREATE TABLE said (text TEXT)'])")
    clear(page, server, "indexeddb")  # the key alone: a tab that knows it puts it back
    assert page.evaluate("() => host.ask({ kind: 'look' })") == {"value": None}
    page.close()
    page, state = open_store(context)
    assert state["phase"] == "ready"
    assert page.evaluate("() => read('SELECT count(*) FROM said')") == [[0]]


def test_data_deleted_under_the_page_leaves_what_is_on_the_screen(new_context, server):
    app = App(new_context(server).new_page(), server.url).open().wait_live().wait_model()
    app.ask(PARIS)
    clear(app.page, server)
    app.expect("notice.gone")
    assert "Paris" in app.ask(f"{PARIS} Again.").text, "it goes on"
    app.press("data.title")
    with app.page.expect_download() as download:
        app.press("data.as_markdown")
    saved = download.value.path().read_text("utf-8")
    assert f"> {PARIS}\n\n{app.answers_on_screen()[0]}" in saved
    assert f"> {PARIS} Again." in saved
    app.page.reload()  # an empty store begins, and keeps
    app.wait_live().wait_model().ask("Name three colours.")
    app.page.reload()
    app.page.locator(".turn.question").get_by_text("Name three colours.").wait_for()
    assert len(app.answers_on_screen()) == 1


# How file systems of browsers behave when the disk is full.
FULL_DISK = {
    "throws": "throw new DOMException('full', 'QuotaExceededError')",
    "returns 0": "return 0",
    "returns nonsense": "return 4294967288",
}


@pytest.mark.parametrize("way", FULL_DISK)
def test_a_full_disk_is_told_and_what_is_there_stays(open_store, new_context, server, way):
    context = new_context(server)
    fault = f"""
const handle = FileSystemSyncAccessHandle.prototype
const real = handle.write
handle.write = function (bytes, options) {{
  const end = (options?.at ?? 0) + bytes.byteLength
  if (bytes.byteLength >= 4096 && end > 400000) {{ {FULL_DISK[way]} }}
  return real.call(this, bytes, options)
}}
"""

    def plant(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=fault + answer.text())

    context.route("**/store/worker.js*", plant)
    page, state = open_store(context)
    assert state["phase"] == "ready"
    page.evaluate("() => write(['CREATE TABLE said (text TEXT)'])")
    codes = page.evaluate("""async () => {
      const codes = []
      for (let n = 0; n < 30; n++) {
        const { error } = await write(['INSERT INTO said VALUES (hex(randomblob(20000)))'])
        codes.push(error?.code ?? 'saved')
      }
      return codes
    }""")
    assert set(codes) == {"saved", "storage_full"}, codes
    (count,) = page.evaluate("() => read('SELECT count(*) FROM said')")
    assert count == [codes.count("saved")]
    small = page.evaluate("() => write(['UPDATE said SET text = 1 WHERE rowid = 1'])")
    assert small == {"value": None}, "small changes still fit"


class PageStore:
    """The store of a page, for the Python that Onglet runs in Pyodide."""

    def __init__(self, page):
        self.page = page

    def ask(self, kind: str, **fields):
        request = {"kind": kind, **fields}
        return answered(self.page.evaluate("request => host.ask(request)", request))

    async def read(self, *statements):
        return self.ask("read", statements=[bound(each) for each in statements])

    async def write(self, *statements):
        self.ask("write", statements=[bound(each) for each in statements])


def now(work):
    """Runs a coroutine that never waits: Playwright has the thread's event loop."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits")


def test_an_exported_file_brings_every_conversation_to_another_browser(open_store):
    """Sealed in one profile, opened in a fresh one: the same rows, to the letter."""
    page, _ = open_store()
    first = PageStore(page)
    now(migrate(first))
    made = [[f"c{n:08}", f"Talk {n} é 🦊", None, n, n, None, None, None] for n in range(TALKS)]
    ended = '{"figures": null, "problem": null}'
    said = [
        [f"t{n}", row[0], None, f"Question {n}?", f"Answer\n{n} " * (n % 9), "done", n, ended]
        for n, row in enumerate(made)
    ]
    rows = {table: [] for table in archive.TABLES} | {"conversation": made, "turn": said}
    whole = {"kind": archive.KIND, "version": VERSION, "rows": rows}
    assert now(archive.merge(first, json.dumps(whole))) == TALKS
    text = now(archive.dump(first))
    assert json.loads(text)["rows"] == rows
    sealed = page.evaluate(SEAL, [text, PASSPHRASE])
    assert b"Question" not in base64.b64decode(sealed)

    other, _ = open_store()
    second = PageStore(other)
    now(migrate(second))
    opened = other.evaluate(UNSEALED, [sealed, PASSPHRASE])["value"]
    assert now(archive.merge(second, opened)) == TALKS
    assert json.loads(now(archive.dump(second)))["rows"] == rows
    refuses_damaged_files(second, base64.b64decode(sealed))


def refuses_damaged_files(store: PageStore, whole: bytes) -> None:
    damaged = {
        whole[:-9]: "damaged_file",
        whole[:-50] + bytes([whole[-50] ^ 1]) + whole[-49:]: "damaged_file",
        whole[:30].replace(b"{", b"[") + whole[30:]: "damaged_file",
        whole[:20]: "damaged_file",
        b"PK\x03\x04" + whole: "not_onglet_file",
        whole.replace(b'"format":1', b'"format":2', 1): "newer_file",
        whole.replace(b'"iterations":3', b'"iterations":1', 1): "vault_tampered",
        whole.replace(b'"memory":65536', b'"memory":99999999', 1): "damaged_file",
        whole.replace(b'"memory":65536', b'"memory":20000', 1): "wrong_passphrase",
    }
    for file, code in damaged.items():
        words = base64.b64encode(file).decode()
        assert store.page.evaluate(UNSEALED, [words, PASSPHRASE])["error"]["code"] == code


PASSPHRASE = "correct horse battery"
SEAL = """async ([text, passphrase]) => {
  const { value } = await host.ask({ kind: 'seal', text, passphrase })
  return new Uint8Array(await value.arrayBuffer()).toBase64()
}"""
UNSEALED = """([sealed, passphrase]) => {
  const file = new File([Uint8Array.fromBase64(sealed)], 'all.onglet')
  return host.ask({ kind: 'unseal', file, passphrase })
}"""
# Every byte that the origin keeps in files and in its databases, as base64.
KEPT = """async () => {
  const kept = []
  const walk = async folder => {
    for await (const handle of folder.values()) {
      if (handle.kind === 'directory') await walk(handle)
      else kept.push(new Uint8Array(await (await handle.getFile()).arrayBuffer()).toBase64())
    }
  }
  await walk(await navigator.storage.getDirectory())
  return [...kept, ...Object.values(localStorage).map(btoa)]
}"""


def test_of_fifty_sentences_nothing_can_be_read_on_the_disk(open_store):
    """Written, changed, thrown away; open, locked, and under a passphrase."""
    page, _ = open_store()
    store = PageStore(page)
    sentences = [f"The blue elephant number {n} owns {n * n} lighthouses." for n in range(50)]

    def found() -> list[str]:
        kept = b"".join(base64.b64decode(file) for file in page.evaluate(KEPT))
        assert len(kept) > 20_000
        spellings = ("utf-8", "utf-16-le", "utf-16-be")
        return [each for each in sentences if any(each.encode(way) in kept for way in spellings)]

    now(store.write(["CREATE TABLE said (text TEXT)"]))
    now(store.write(*(["INSERT INTO said VALUES (?)", each] for each in sentences)))
    assert found() == []
    store.ask("protect", passphrase=PASSPHRASE, current=None)
    now(
        store.write(
            ["UPDATE said SET text = text || ' Indeed.'"], ["DELETE FROM said WHERE rowid <= 10"]
        )
    )
    assert found() == []
    store.ask("lock")
    assert found() == []
    store.ask("unlock", passphrase=PASSPHRASE)
    ((rows,),) = [now(store.read(["SELECT count(*) FROM said"]))]
    assert rows == [[40]]


@pytest.mark.service_worker
@pytest.mark.parametrize("megabytes", QUOTAS)
def test_with_little_room_the_page_answers_and_chats_are_kept_or_it_says_so(
    new_context, server, watch, megabytes
):
    """The browser's own limit. The model takes 98 MB, the site 35 MB of what there is."""
    watch.provoked = True
    context = new_context(server)
    page = context.new_page()
    limit = {"origin": server.origin, "quotaSize": megabytes << 20}
    context.new_cdp_session(page).send("Storage.overrideQuotaForOrigin", limit)
    app = App(page, server.url).open().wait_live()
    page.evaluate("() => onglet.on('offline_ready', stored => { window.stored = stored })")
    assert "Paris" in app.wait_model().ask(PARIS).text
    page.wait_for_function("() => 'stored' in window || onglet.timeline.offline_ready")
    app.page.keyboard.press("Alt+KeyN")
    assert "Paris" in app.ask(f"{PARIS} Again.").text
    full = TABLES["en"]["error.storage_full"]
    kept = page.locator(".row .open").get_by_text("Again")
    page.keyboard.press("Alt+KeyH")
    kept.or_(page.get_by_text(full)).first.wait_for()


def kill_tab(browser, page) -> None:
    """Ends the process of the page, the busiest one, as a lack of memory does."""
    crashed = []
    page.on("crash", lambda _: crashed.append(True))
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    tabs = [process for process in processes if process["type"] == "renderer"]
    os.kill(max(tabs, key=lambda process: process["cpuTime"])["id"], signal.SIGKILL)
    for _ in range(100):
        if crashed:
            break
        page.context.pages[0].wait_for_timeout(50)
    assert crashed
    page.close()


# When which words were heard; and those that are older than two saves are apart.
STAMP = """() => {
  window.stamps = []
  onglet.on('tokens', ({ text }) => stamps.push([performance.now(), text]))
}"""
SURE = f"""() => stamps.filter(([at]) => at < performance.now() - {SAVED_WITHIN})
  .map(([, text]) => text).join('')"""


def letters(text: str) -> str:
    return re.sub(r"\W", "", text)


def test_a_tab_killed_while_it_answers_comes_back(browser, new_context, server):
    """The question is never lost, nor a finished answer; of another at most the last words."""
    chance = random.Random(5)
    context = new_context(server)
    context.new_page()  # waits with us
    app = App(context.new_page(), server.url).open().wait_live()
    for number in range(KILLS):
        app.wait_model()
        app.page.keyboard.press("Alt+KeyN")
        question = f"{PARIS if number % 4 == 3 else LONG} This is number {number}."
        app.page.evaluate(STAMP)
        app.send(question)
        app.page.locator(".turn.question").get_by_text(f"number {number}.").wait_for()
        if number % 4 == 3:
            app.read_answer()
            app.page.locator("[data-key=regenerate]").wait_for()
        else:
            app.page.wait_for_function("() => heard.text")
            app.page.wait_for_timeout(chance.randint(0, 1500 * (number % 4)))
        sure = app.page.evaluate("() => heard.end ? heard.text : ''") or app.page.evaluate(SURE)
        kill_tab(browser, app.page)

        app = App(context.new_page(), server.url).open().wait_live()
        app.page.keyboard.press("Alt+KeyH")
        app.page.locator(".row .open").first.click()
        app.page.locator(".turn.question").get_by_text(f"number {number}.").wait_for()
        app.page.locator(".turn.answer").last.wait_for()
        app.page.keyboard.press("Escape")
        for _ in range(100):  # until it is drawn
            kept = letters(" ".join(app.answers_on_screen()[-1:]))
            if kept.startswith(letters(sure)):
                break
            app.page.wait_for_timeout(50)
        assert kept.startswith(letters(sure)), (number, kept, sure)


NO_FILES = """StorageManager.prototype.getDirectory =
  () => Promise.reject(new DOMException('no', 'SecurityError'))
"""


def test_without_a_place_to_keep_anything_the_page_works_and_says_so(new_context, server):
    context = new_context(server)

    def plant(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=NO_FILES + answer.text())

    for worker in ("store", "engine"):
        context.route(f"**/{worker}/worker.js*", plant)
    app = App(context.new_page(), server.url).open().wait_live().wait_model()
    app.expect("notice.memory")
    assert "Paris" in app.ask(PARIS).text
    app.page.keyboard.press("Alt+KeyH")
    app.page.locator(".row .open").get_by_text("capital").wait_for()


def test_without_the_store_the_page_works_and_says_so(new_context, server, watch):
    watch.provoked = True
    context = new_context(server)
    context.route("**/vendor/sqlite/sqlite3.wasm", lambda route: route.abort())
    app = App(context.new_page(), server.url).open().wait_live().wait_model()
    assert "Paris" in app.ask(PARIS).text
    app.expect("notice.no_store")


def test_a_file_that_unpacks_to_too_much_is_refused(open_store):
    page, _ = open_store()
    codes = page.evaluate("""async () => {
      const code = JSON.parse(document.getElementById('site').textContent).code
      const { seal } = await import(new URL(code + 'store/sealed_file.js', document.baseURI).href)
      const keys = await import(new URL(code + 'store/keys.js', document.baseURI).href)
      const million = new Uint8Array(1 << 20).fill(32)
      const bomb = async millions => {
        const key = keys.newKey()
        const iv = crypto.getRandomValues(new Uint8Array(12))
        const beside = { format: 1, nonce_of_content: keys.hex(iv) }
        const wrapped = await keys.wrapByPassphrase(key, 'long enough', beside)
        const head = keys.written({ ...beside, key: wrapped })
        const text = new Blob(Array.from({ length: millions }, () => million)).stream()
        const packing = new Response(text.pipeThrough(new CompressionStream('deflate-raw')))
        const secret = await keys.importKey(keys.bytes(key))
        const how = { name: 'AES-GCM', iv, additionalData: head }
        const closed = await crypto.subtle.encrypt(how, secret, await packing.arrayBuffer())
        const length = new Uint8Array(new Uint32Array([head.length]).buffer)
        return new Blob(['ONGLET\\r\\n', length, head, closed])
      }
      const open = async file =>
        (await host.ask({ kind: 'unseal', file, passphrase: 'long enough' }))
      const codes = []
      for (const millions of [1, 300]) {
        const file = await bomb(millions)
        const { value, error } = await open(file)
        codes.push([file.size < 1e6, value?.length ?? error.code])
      }
      return codes
    }""")
    assert codes == [[True, 1 << 20], [True, "unpacks_too_big"]]
