"""The engine worker alone in a browser, without Python in the page: tests/browser/engine_page/.

The model is the site's own; where a picked file is needed, its pieces are put together in the page.
"""

import pytest
from engine_driver import PAGE, Engine, chat

from onglet.engine.prepare import prepare
from onglet_build import vendor
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

CAPITAL = "What is the capital of France?"
STORY = "Write a long story about a small boat."
HEADER_BYTES = 4 << 20


@pytest.fixture
def host(site):
    """open_host(headers, ...) -> a server of the engine's page, the site under /site/."""
    running = []

    def open_host(isolated: bool = True, **options) -> Loopback:
        headers = HEADERS if isolated else {}
        running.append(Loopback({"/": PAGE, "/site/": site}, headers=headers, **options).start())
        return running[-1]

    yield open_host
    for server in running:
        server.stop()


@pytest.fixture
def open_engine(host, new_context, site):
    """open_engine(isolated=True, **start options) -> an Engine whose worker has started."""

    def open_page(isolated: bool = True, on: Loopback | None = None, **options) -> Engine:
        server = on or host(isolated)
        page = new_context(server).new_page()
        engine = Engine.opened(page, server.url, site)
        engine.start(**options)
        return engine

    return open_page


@pytest.fixture
def engine(open_engine) -> Engine:
    """With the embedded model loaded."""
    started = open_engine()
    assert started.load()["kind"] == "loaded"
    return started


def prepared_for(context: int | None = None) -> dict:
    file = vendor.model_file()
    with file.open("rb") as stream:
        return prepare(stream.read(HEADER_BYTES), file.stat().st_size, context=context).to_dict()


OFFER = """
  const base = new URL('/site/' + a[0], location);
  const listing = await (await fetch(base)).json();
  const names = listing.pieces.map((_, index) => String(index).padStart(3, '0'));
  const piece = async (name) => (await fetch(new URL(name, base))).blob();
  const pieces = await Promise.all(names.map(piece));
  const file = new File([new Blob(pieces).slice(0, a[2] ?? undefined)], 'picked.gguf');
  globalThis.headers = [];
  engine.onreply = ({ kind, id, bytes, file_bytes, name }) => {
    if (kind !== 'header') return null;
    headers.push({ bytes: bytes.byteLength, file_bytes, name });
    return headers.length === 1
      ? { kind: 'read_header', id, bytes: 5 << 20 } : { kind: 'prepared', id, ...a[1] };
  };
  engine.worker.postMessage({ kind: 'offer', key: 'picked', file });
"""


def offer(engine: Engine, answer: dict, cut: int | None = None) -> dict:
    """Hands the model over as a picked file, of which Python will say `answer`."""
    both = {"prepared": None, "refused": None, **answer}
    engine.run(OFFER, engine.model["path"], both, cut)
    return {"kind": "file", "key": "picked"}


def test_answers_with_every_core(engine):
    loaded = engine.run("return engine.replies.find(({ kind }) => kind === 'loaded')")
    cores = engine.run("return navigator.hardwareConcurrency")
    assert loaded["threads"] == min(cores, 8)
    assert (loaded["backend"], loaded["isolated"]) == ("wasm-relaxed", True)
    assert loaded["special_tokens"] == {"bos": "<|im_start|>", "eos": "<|im_end|>"}
    said = engine.answer(chat(CAPITAL))
    assert "Paris" in said["text"]
    assert said["end"]["reason"] == "stop"
    assert said["end"]["answer_tokens"] == sum(batch["count"] for batch in said["batches"])


def test_one_thread_where_memory_cannot_be_shared(open_engine):
    engine = open_engine(isolated=False)
    loaded = engine.load()
    assert (loaded["threads"], loaded["isolated"]) == (1, False)
    assert "Paris" in engine.answer(chat(CAPITAL))["text"]


def test_the_build_without_relaxed_instructions(open_engine):
    engine = open_engine(variant="plain")
    assert engine.load()["backend"] == "wasm-plain"
    assert "Paris" in engine.answer(chat(CAPITAL))["text"]


def test_devices(open_engine):
    engine = open_engine(threads=1)
    devices = engine.ended(engine.ask(kind="devices"))
    assert (devices["threads"], devices["variant"], devices["isolated"]) == (1, "relaxed", True)


def test_a_second_load_of_the_same_joins_the_first(host, open_engine):
    server = host()
    engine = open_engine(on=server)
    wanted = {"kind": "load", "source": engine.model, "context": None}
    engine.run("engine.ask({ ...a[0], id: 1 }); engine.ask({ ...a[0], id: 2 });", wanted)
    assert [engine.ended(number)["kind"] for number in (1, 2)] == ["loaded", "loaded"]
    assert engine.load()["kind"] == "loaded"
    assert len([path for _, path, _ in server.log if path.endswith("/000")]) == 1


def test_the_load_in_start_is_told_to_the_page_too(open_engine):
    engine = open_engine(threads=1)
    wanted = {"kind": "load", "id": 1, "source": engine.model, "context": None}
    engine.run("engine.worker.terminate()")
    engine.start(load=wanted)
    assert engine.ended(1)["kind"] == "loaded"
    # The copies come by a channel of their own, so the last may come after the app's reply.
    engine.page.wait_for_function("() => engine.copies.at(-1)?.kind === 'loaded'")
    assert engine.run("return engine.copies[0].kind") == "progress"


def test_the_same_beginning_is_not_evaluated_again(engine):
    first = engine.answer(chat(CAPITAL))
    again = engine.answer(chat(CAPITAL))
    assert again["text"] == first["text"]
    assert again["end"]["reused_tokens"] == again["end"]["prompt_tokens"] - 1
    more = engine.answer(chat(CAPITAL, first["text"], "And of Italy?"))
    before = first["end"]
    assert more["end"]["reused_tokens"] >= before["prompt_tokens"] + before["answer_tokens"]
    assert "Rome" in more["text"]


def test_cancel_stops_at_the_next_token(engine):
    engine.run(
        """globalThis.heard = 0;
        globalThis.cancelledAt = 0;
        engine.onreply = ({ kind, id, count }) => {
          if (kind !== 'tokens') return null;
          heard += count;
          if (heard < 20 || cancelledAt) return null;
          cancelledAt = performance.now();
          return { kind: 'cancel', id: 99, target: id };
        };"""
    )
    said = engine.answer(chat(STORY), max_tokens=2000)
    waited = said["end"]["at"] - engine.run("return cancelledAt")
    each = said["end"]["decode_seconds"] / said["end"]["answer_tokens"] * 1000
    assert said["end"]["reason"] == "cancelled"
    assert waited < 50 * each  # one token, and room for a page that is late on a busy machine
    assert engine.answer(chat(CAPITAL))["end"]["reason"] == "stop"


def test_cancel_while_the_question_is_read(engine):
    end = engine.run(
        """const id = engine.ask(question(a[0]));
        engine.ask({ kind: 'cancel', target: id });
        return engine.ended(id);""",
        chat(STORY),
    )
    assert (end.get("reason"), end.get("code")) in [("cancelled", None), (None, "cancelled")]
    assert end.get("answer_tokens", 0) <= 1
    assert "Paris" in engine.answer(chat(CAPITAL))["text"]


def test_cancel_of_a_load_ends_its_workers_and_leaves_the_engine_usable(host, open_engine):
    server = host(slow_part="/models/", delay=0.05)
    engine = open_engine(on=server)
    end = engine.run(
        """const id = engine.ask({ kind: 'load', source: a[0], context: null });
        await engine.until(() => engine.of(id, 'progress').some(({ received }) => received > 0));
        engine.ask({ kind: 'cancel', target: id });
        return engine.ended(id);""",
        engine.model,
    )
    assert (end["kind"], end["code"]) == ("failed", "cancelled")
    assert engine.lost() == []
    assert engine.answer("Hello")["end"]["code"] == "no_model"
    server.slow_part = ""
    assert engine.load()["kind"] == "loaded"
    progress = engine.run("return engine.replies.filter(({ kind }) => kind === 'progress')")
    assert all(row["received"] <= row["total"] for row in progress)


def test_the_page_learns_at_once_of_dead_workers(engine):
    seen = engine.run(
        """const id = engine.ask(question(a[0], { max_tokens: 2000 }));
        await engine.until(() => engine.of(id, 'tokens').length > 0);
        const held = [...engine.queues.keys()];
        engine.worker.terminate();
        for (let i = 0; i < 200 && engine.lost.length < held.length; i++) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        return { held, lost: engine.lost };""",
        chat(STORY),
    )
    assert sorted(seen["lost"]) == sorted(seen["held"])
    assert any(lock.startswith("onglet-engine-") for lock in seen["held"])
    assert any(lock.startswith("onglet-kernel-") for lock in seen["held"])


def test_a_picked_file_is_described_by_python(open_engine):
    engine = open_engine()
    source = offer(engine, {"prepared": prepared_for(context=64)})
    loaded = engine.load(source)
    assert (loaded["kind"], loaded["context"]) == ("loaded", 64)
    size = prepared_for()["card"]["file_bytes"]
    shown = [{"bytes": n << 20, "file_bytes": size, "name": "picked.gguf"} for n in (4, 5)]
    assert engine.run("return headers") == shown
    said = engine.answer(chat(STORY), max_tokens=1000)
    assert (said["end"]["reason"], said["end"]["context_used"]) == ("context", 64)
    too_long = engine.answer("word " * 100)["end"]
    assert too_long["code"] == "prompt_too_long"
    assert too_long["values"] == {"tokens": 101, "limit": 63}
    assert "Paris" in engine.answer(chat(CAPITAL))["text"]


def test_a_refused_file_says_why(open_engine):
    engine = open_engine()
    refusal = {"code": "unknown_architecture", "values": {"architecture": "rwkv"}}
    end = engine.load(offer(engine, {"refused": refusal}))
    assert {name: end[name] for name in ("code", "values")} == refusal
    assert engine.load()["kind"] == "loaded"


def test_a_file_that_ends_early(open_engine):
    engine = open_engine()
    cut = 41_000_000
    prepared = prepared_for()
    end = engine.load(offer(engine, {"prepared": prepared}, cut))
    need = prepared["card"]["file_bytes"]
    assert (end["code"], end["values"]) == ("truncated", {"have": cut, "need": need})
    assert engine.load()["kind"] == "loaded"


def test_too_big_a_model(open_engine):
    engine = open_engine()
    prepared = prepared_for()
    prepared["program"]["memory_bytes"] = 5 << 30
    end = engine.load(offer(engine, {"prepared": prepared}))
    assert (end["code"], end["values"]["need"]) == ("too_big", 5 << 30)
    assert engine.load()["kind"] == "loaded"


def test_a_trap_fails_the_question_and_a_new_load_mends_it(open_engine):
    engine = open_engine(threads=1)
    prepared = prepared_for(context=64)
    words = prepared["program"]["words"]
    tokens = prepared["program"]["fields"]["tokens"]
    words[words.index(tokens)] = -65536  # the program reads its tokens from beyond the memory
    source = offer(engine, {"prepared": prepared})
    end = engine.run(
        """engine.ask({ kind: 'load', source: a[0], context: null });
        return engine.ended(engine.ask(question('Hello')));""",
        source,
    )
    assert end["code"] == "kernel_trap"
    assert engine.answer("Hello")["end"]["code"] == "no_model"
    assert engine.load()["kind"] == "loaded"
    assert "Paris" in engine.answer(chat(CAPITAL))["text"]


def test_nothing_is_fetched_from_elsewhere(open_engine, watch):
    engine = open_engine(threads=1)
    for url in ("https://example.org/model.gguf", "//example.org/x", "data:,x", "blob:x"):
        assert engine.load({"kind": "url", "url": url})["code"] == "download_failed"
    missing = engine.load({"kind": "site", "path": "models/none/prepared.json"})
    assert (missing["code"], missing["values"]["status"]) == ("download_failed", 404)
    page_instead = engine.load({"kind": "site", "path": "index.html"})
    assert (page_instead["code"], page_instead["values"]["status"]) == ("download_failed", 200)
    watch.errors.clear()  # the browser's own lines about what is not there


def test_stop_strings_and_lengths(engine):
    said = engine.answer(chat(CAPITAL), stop=[" is Pa"])
    assert (said["text"], said["end"]["reason"]) == ("The capital of France", "stop")
    short = engine.answer(chat(STORY), max_tokens=3)
    assert (short["end"]["reason"], short["end"]["answer_tokens"]) == ("length", 3)


def test_the_seed_decides_what_is_drawn(engine):
    def drawn(seed: int) -> str:
        sampling = {"temperature": 1.2, "top_k": 0, "top_p": 1, "min_p": 0, "seed": seed}
        sampling |= {"repeat_penalty": 1.1, "repeat_last_n": 64}
        return engine.answer(chat(STORY), sampling=sampling, max_tokens=24)["text"]

    engine.answer(chat(STORY), max_tokens=1)  # from here on each question finds the same cache
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_tokenize(engine):
    reply = engine.ended(engine.ask(kind="tokenize", text="Hello 12<|im_end|>"))
    assert reply["tokens"] == [19556, 216, 33, 34, 2]
