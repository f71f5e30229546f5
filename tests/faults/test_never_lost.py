"""Tabs write at once and the one that leads dies, the disk is full, bytes are flipped, the key is
lost: nothing that was committed is lost or done twice.

The store is driven alone, by the page's own StoreHost, where a fault has to hit a moment.
"""

import os

import pytest

FULL = bool(os.environ.get("ONGLET_FULL"))
WRITES = 1000 if FULL else 120
HANDOVERS = 50 if FULL else 3
CLOSES = 100 if FULL else 8
CLOSE_AFTER = 7  # milliseconds: inside the first writes
# The store alone: the site's own modules without the app.
STORE = """async (worker) => {
  const code = JSON.parse(document.getElementById('site').textContent).code
  const { StoreHost } = await import(new URL(code + 'page/store.js', document.baseURI).href)
  window.states = []
  window.host = new StoreHost((name, value) => name === 'store_state' && states.push(value))
  host.start()
  window.write = (...statements) => host.ask({ kind: 'write', statements })
  window.read = async sql => (await host.ask({ kind: 'read', statements: [[sql]] })).value[0]
  window.flip = async at => { // one byte of each file that is not small
    const folder = await navigator.storage.getDirectory()
    const outer = await folder.getDirectoryHandle('onglet-store')
    const pool = await outer.getDirectoryHandle('.opaque')
    for await (const [, handle] of pool) {
      const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer())
      const place = 4096 + Math.floor((bytes.length - 4096) * at)
      if (bytes.length < 20000) continue
      bytes[place] ^= 1
      const stream = await handle.createWritable()
      await stream.write(bytes)
      await stream.close()
    }
  }
  return (await host.ask({ kind: 'state' })).value
}"""


@pytest.fixture
def open_store(new_context, server):
    """open_store(context) -> a page with the store and no app."""

    def opened(context=None):
        context = context or new_context(server)
        page = context.new_page()
        empty = {"body": "", "content_type": "text/javascript"}
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


@pytest.mark.parametrize("at", [0.001, 0.3, 0.6, 0.95])
def test_flipped_bytes_are_noticed_and_nothing_is_overwritten(open_store, at):
    page, _ = open_store()
    fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
    page.evaluate("() => write(['CREATE TABLE said (text TEXT)'])")
    page.evaluate(f"() => write([`{fill} INSERT INTO said SELECT hex(randomblob(200)) FROM n`])")
    page.evaluate("() => { host.worker.terminate(); host.worker = null }")
    page.evaluate("at => flip(at)", at)
    page.evaluate("() => host.start()")
    state = page.evaluate("() => host.ask({ kind: 'state' })")["value"]
    answer = page.evaluate("""() => host.ask({ kind: 'read', statements: [
      ['SELECT sum(length(text)) FROM said'], ['PRAGMA integrity_check']] })""")
    assert state["phase"] == "damaged" or answer["error"]["code"] == "store_damaged", answer


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
