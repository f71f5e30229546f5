"""The client against a scripted engine on the other side of the bridge's stand-in."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

from onglet.browser.bridge import StandIn
from onglet.engine import messages
from onglet.engine.client import FIRST_ID, Engine
from onglet.engine.errors import Refused
from onglet.engine.messages import Done, Load, Loaded, Sampling, Tokens
from onglet_build.hostile_files import sound

MODEL = {"kind": "file", "key": "k"}
LOADED = {
    "card": {"name": "Sound"},
    "chat_template": None,
    "special_tokens": {},
    "threads": 2,
    "backend": "wasm-relaxed",
    "isolated": True,
    "context": 64,
    "seconds": 0.5,
    "memory_bytes": 1 << 20,
}
COUNTS = {
    "prompt_tokens": 5,
    "reused_tokens": 0,
    "answer_tokens": 2,
    "prefill_seconds": 0.1,
    "decode_seconds": 0.1,
    "prefill_tokens_per_second": 50,
    "decode_tokens_per_second": 20.0,
    "context_used": 7,
    "context": 64,
}


class ScriptedEngine(StandIn):
    """Answers each kind of request by a function of the request that gives the replies."""

    def __init__(self, **scripts: Callable[[dict], list[dict]]):
        super().__init__()
        self.scripts = scripts

    def send_to_engine(self, message: dict) -> None:
        super().send_to_engine(message)
        messages.from_dict(self.sent[-1])
        for reply in self.scripts.get(message["kind"], lambda _: [])(message):
            self.say({"id": message["id"], **reply})

    def say(self, reply: dict) -> None:
        asyncio.get_running_loop().call_soon(self.engine_says, reply)

    def sent_kinds(self) -> list[str]:
        return [message["kind"] for message in self.sent]


def words(*texts: str) -> list[dict]:
    return [{"kind": "tokens", "text": text, "count": 1} for text in texts]


def done(reason: str = "stop") -> dict:
    return {"kind": "done", "reason": reason, **COUNTS}


def loaded(_: dict) -> list[dict]:
    return [{"kind": "loaded", **LOADED}]


def test_load_gives_the_model_and_tells_progress():
    progress = {"kind": "progress", "stage": "download", "received": 1, "total": 2}
    port = ScriptedEngine(load=lambda request: [progress, *loaded(request)])
    heard = []

    async def use():
        engine = Engine(port)
        model = await engine.load(MODEL, heard.append, context=32)
        assert engine.loaded is model
        return model

    model = asyncio.run(use())
    assert model.card == {"name": "Sound"}
    assert (heard[0].received, heard[0].total) == (1, 2)
    assert port.sent == [{"kind": "load", "id": FIRST_ID, "source": MODEL, "context": 32}]


def test_generate_yields_words_then_done():
    port = ScriptedEngine(generate=lambda _: [*words("Par", "is"), done()])

    async def use():
        return [reply async for reply in Engine(port).generate("p", stop=("x",), max_tokens=9)]

    replies = asyncio.run(use())
    assert [reply.text for reply in replies if isinstance(reply, Tokens)] == ["Par", "is"]
    assert isinstance(replies[-1], Done)
    assert replies[-1].prefill_tokens_per_second == 50
    assert (port.sent[0]["stop"], port.sent[0]["max_tokens"]) == (["x"], 9)
    assert port.sent_kinds() == ["generate"]


def test_leaving_an_answer_early_cancels_it():
    port = ScriptedEngine(generate=lambda _: words("a", "b", "c"))

    async def use():
        async with aclosing(Engine(port).generate("p", Sampling())) as answer:
            async for _ in answer:
                break

    asyncio.run(use())
    assert port.sent_kinds() == ["generate", "cancel"]
    assert port.sent[1]["target"] == port.sent[0]["id"]


def test_cancelling_the_task_cancels_the_load():
    port = ScriptedEngine()

    async def use():
        task = asyncio.create_task(Engine(port).load(MODEL))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(use())
    assert port.sent_kinds() == ["load", "cancel"]


def test_cancel_lets_the_answer_end_by_itself():
    port = ScriptedEngine(generate=lambda _: words("a"))
    port.scripts["cancel"] = lambda request: [{**done("cancelled"), "id": request["target"]}]

    async def use():
        engine = Engine(port)
        reasons = []
        async for reply in engine.generate("p"):
            if isinstance(reply, Done):
                reasons.append(reply.reason)
            else:
                engine.cancel(Load)  # no load is under way: nothing is sent
                engine.cancel()
        return reasons

    assert asyncio.run(use()) == ["cancelled"]
    assert port.sent_kinds() == ["generate", "cancel"]


def test_a_failure_is_refused_with_its_code_and_values():
    failed = {"kind": "failed", "code": "prompt_too_long", "values": {"tokens": 9, "limit": 8}}
    port = ScriptedEngine(generate=lambda _: [failed])

    async def use():
        with pytest.raises(Refused) as refused:
            async for _ in Engine(port).generate("p"):
                pass
        return refused.value

    refused = asyncio.run(use())
    assert (refused.code, refused.values) == ("prompt_too_long", {"tokens": 9, "limit": 8})
    assert port.sent_kinds() == ["generate"]


@pytest.mark.parametrize(("code", "kept"), [("kernel_trap", False), ("prompt_too_long", True)])
def test_after_a_trap_the_model_is_gone(code, kept):
    failed = {"kind": "failed", "code": code, "values": {}}
    port = ScriptedEngine(load=loaded, generate=lambda _: [failed])

    async def use():
        engine = Engine(port)
        await engine.load(MODEL)
        with pytest.raises(Refused):
            await anext(engine.generate("p"))
        return engine.loaded is not None

    assert asyncio.run(use()) is kept


def test_small_requests():
    devices = {"threads": 2, "cores": 4, "isolated": True, "variant": "relaxed"}
    port = ScriptedEngine(
        load=loaded,
        tokenize=lambda request: [{"kind": "tokenized", "tokens": [len(request["text"])]}],
        unload=lambda _: [{"kind": "unloaded"}],
        devices=lambda _: [{"kind": "devices_are", **devices}],
    )

    async def use():
        engine = Engine(port)
        await engine.load(MODEL)
        assert await engine.tokenize("abc") == [3]
        assert (await engine.devices()).cores == 4
        await engine.unload()
        assert engine.loaded is None

    asyncio.run(use())
    assert port.sent_kinds() == ["load", "tokenize", "devices", "unload"]


def test_answers_do_not_mix():
    port = ScriptedEngine()

    async def collect(engine: Engine, prompt: str) -> str:
        return "".join(
            [reply.text async for reply in engine.generate(prompt) if isinstance(reply, Tokens)]
        )

    async def use():
        engine = Engine(port)
        both = [asyncio.create_task(collect(engine, prompt)) for prompt in "ab"]
        await asyncio.sleep(0)
        first, second = (message["id"] for message in port.sent)
        for reply in (*words("1", "2"), done()):
            port.say({"id": second, **reply})
            port.say({"id": first, **reply, **({"text": "x"} if "text" in reply else {})})
        return await asyncio.gather(*both)

    assert asyncio.run(use()) == ["xx", "12"]


def header(data: bytes, size: int, **more) -> dict:
    return {
        "kind": "header",
        "bytes": data[:size],
        "file_bytes": len(data),
        "name": "Tiny.F32.gguf",
        **more,
    }


def test_a_header_is_prepared_with_the_context_of_its_load():
    data = sound().written()
    port = ScriptedEngine(load=lambda _: [header(data, len(data))], prepared=loaded)
    asyncio.run(load(port, context=32))
    prepared = port.sent[1]["prepared"]
    assert (prepared["card"]["name"], prepared["program"]["context"]) == ("Tiny", 32)
    assert port.sent[1]["refused"] is None


async def load(port: ScriptedEngine, context: int | None = None) -> Loaded:
    return await Engine(port).load(MODEL, context=context)


def test_a_header_that_goes_on_is_asked_for_again():
    data = sound().written()
    port = ScriptedEngine(
        load=lambda _: [header(data, 100)],
        read_header=lambda request: [header(data, request["bytes"])],
        prepared=loaded,
    )
    asyncio.run(load(port))
    assert port.sent_kinds()[:2] == ["load", "read_header"]
    assert port.sent_kinds()[-1] == "prepared"


def test_a_bad_header_is_refused_and_the_load_fails_with_it():
    def fail(request: dict) -> list[dict]:
        return [{"kind": "failed", **request["refused"]}]

    port = ScriptedEngine(load=lambda _: [header(b"PK\x03\x04", 4)], prepared=fail)
    with pytest.raises(Refused) as refused:
        asyncio.run(load(port))
    assert (refused.value.code, refused.value.values) == ("not_gguf", {"looks_like": "zip"})


def test_the_page_may_load_by_itself():
    """Its requests have small ids: headers are answered, the model is known, nothing else mixes."""
    data = sound().written()
    port = ScriptedEngine()

    async def use():
        engine = Engine(port)
        port.engine_says(header(data, len(data), id=1))
        port.engine_says(
            {"kind": "progress", "id": 1, "stage": "download", "received": 1} | {"total": None}
        )
        port.engine_says({"kind": "loaded", "id": 1, **LOADED})
        return engine.loaded

    assert asyncio.run(use()).card == {"name": "Sound"}
    assert (port.sent_kinds(), port.sent[0]["id"]) == (["prepared"], 1)


@pytest.mark.parametrize("alive", [True, False])
def test_a_dead_engine_fails_what_is_open_and_is_told_apart_from_a_lost_one(alive):
    port = ScriptedEngine(load=loaded, generate=lambda _: words("a"))

    async def use():
        engine = Engine(port)
        await engine.load(MODEL)
        with pytest.raises(Refused) as refused:
            async for _ in engine.generate("p"):
                port.event("engine_restarted", alive)
        assert engine.loaded is None
        assert engine.given_up is not alive
        if alive:
            assert await engine.load(MODEL) is engine.loaded
        else:
            with pytest.raises(Refused):
                await engine.load(MODEL)
        return refused.value.code

    assert asyncio.run(use()) == "engine_died"
    assert "cancel" not in port.sent_kinds()
