"""The questions of programs, in the shape of OpenAI's API: chat completions, embeddings, models.

`read` is the one door: what a program asks is hostile until then. Knows no screen and no sandbox.
"""

import asyncio
import base64
import json
import math
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from onglet.agents import loop, schema, thoughts
from onglet.engine.client import Engine
from onglet.engine.errors import Refused
from onglet.engine.messages import Done, Tokens

CHAT, EMBEDDINGS, MODELS = "chat.completions", "embeddings", "models"
LONGEST = 200_000  # characters of a request
MESSAGES, TEXTS, STOPS = 200, 64, 4
MOST_TOKENS = 4096
LARGEST_SEED = 2**31 - 1
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
REASONS = {"stop": "stop", "length": "length", "context": "length"}
ENCODER = "all-MiniLM-L6-v2"
FULL = 127  # what a vector of signed bytes has for a length of 1

Embed = Callable[[list[str]], Awaitable[list[str]]]


@dataclass(frozen=True)
class Chat:
    """A chat completion that passed the door. `stop`: texts before which the answer ends."""

    messages: list[dict]
    settings: loop.Settings
    stop: tuple[str, ...] = ()
    stream: bool = False


@dataclass(frozen=True)
class Texts:
    """Texts whose vectors are asked for."""

    texts: list[str]


@dataclass(frozen=True)
class Models:
    """The question which models answer."""


def read(path: Any, body: Any) -> Chat | Texts | Models:
    """The one door. Raises Refused: request_too_long (limit), bad_request (field), bad_schema
    (where)."""
    try:
        length = len(json.dumps(body, allow_nan=False))
    except (ValueError, TypeError, RecursionError) as error:
        raise Refused("bad_request", field="body") from error
    if length > LONGEST:
        raise Refused("request_too_long", limit=LONGEST)
    if not isinstance(path, str) or path not in DOORS:
        raise Refused("bad_request", field="path")
    if not isinstance(body, dict):
        raise Refused("bad_request", field="body")
    known, door = DOORS[path]
    asked = {name: value for name, value in body.items() if value is not None}
    if unknown := sorted(set(asked) - set(known)):
        raise Refused("bad_request", field=unknown[0][:60])
    return door(asked)


def _chat(asked: dict) -> Chat:
    _text(asked, "model")
    one_of(asked.get("n", 1), (1,), "n")
    most = "max_completion_tokens" if "max_completion_tokens" in asked else "max_tokens"
    sampling = replace(
        loop.BEST,
        temperature=_number(asked, "temperature", 0.0, 2.0, loop.BEST.temperature),
        top_p=_number(asked, "top_p", 0.0, 1.0, loop.BEST.top_p),
        seed=_whole(asked, "seed", 0, LARGEST_SEED, 0),
    )
    settings = loop.Settings(
        sampling, _whole(asked, most, 1, MOST_TOKENS, 512), "", _form(asked.get("response_format"))
    )
    stream = asked.get("stream", False)
    one_of(stream, (True, False), "stream")
    return Chat(_messages(asked.get("messages")), settings, _stops(asked.get("stop", [])), stream)


def _messages(given: Any) -> list[dict]:
    if not isinstance(given, list) or not 0 < len(given) <= MESSAGES:
        raise Refused("bad_request", field="messages")
    return [_message(each, f"messages[{number}]") for number, each in enumerate(given)]


def _message(given: Any, where: str) -> dict:
    if not isinstance(given, dict) or set(given) != {"role", "content"}:
        raise Refused("bad_request", field=where)
    role, content = given["role"], given["content"]
    one_of(role, tuple(ROLES), f"{where}.role")
    if not isinstance(content, str):
        raise Refused("bad_request", field=f"{where}.content")
    return {"role": ROLES[role], "content": content}


def _stops(given: Any) -> tuple[str, ...]:
    given = [given] if isinstance(given, str) else given
    good = isinstance(given, list) and len(given) <= STOPS
    if not good or not all(isinstance(each, str) and 0 < len(each) <= 200 for each in given):
        raise Refused("bad_request", field="stop")
    return tuple(given)


def _form(given: Any) -> dict | None:
    if given is None or given == {"type": "text"}:
        return None
    named = given.get("json_schema") if isinstance(given, dict) else None
    if not isinstance(named, dict) or given.get("type") != "json_schema":
        raise Refused("bad_request", field="response_format")
    form = named.get("schema")
    if where := schema.problem(form):
        raise Refused("bad_schema", where=where)
    return form


def _texts(asked: dict) -> Texts:
    _text(asked, "model")
    one_of(asked.get("encoding_format", "float"), ("float",), "encoding_format")
    given = asked.get("input")
    texts = [given] if isinstance(given, str) else given
    good = isinstance(texts, list) and 0 < len(texts) <= TEXTS
    if not good or not all(isinstance(each, str) and each for each in texts):
        raise Refused("bad_request", field="input")
    return Texts(texts)


def _text(asked: dict, name: str) -> None:
    if not isinstance(asked.get(name, ""), str):
        raise Refused("bad_request", field=name)


def one_of(value: Any, choices: tuple, name: str) -> None:
    if not any(type(value) is type(each) and value == each for each in choices):
        raise Refused("bad_request", field=name)


def _number(asked: dict, name: str, least: float, most: float, default: float) -> float:
    value = asked.get(name, default)
    if type(value) not in (int, float) or not math.isfinite(value) or not least <= value <= most:
        raise Refused("bad_request", field=name)
    return float(value)


def _whole(asked: dict, name: str, least: int, most: int, default: int) -> int:
    value = asked.get(name, default)
    if type(value) is not int or not least <= value <= most:
        raise Refused("bad_request", field=name)
    return value


CHAT_FIELDS = (
    "model", "messages", "temperature", "top_p", "max_tokens", "max_completion_tokens", "seed",
    "stop", "stream", "n", "response_format",
)  # fmt: skip
DOORS: dict[str, tuple[tuple[str, ...], Callable[[dict], Any]]] = {
    CHAT: (CHAT_FIELDS, _chat),
    EMBEDDINGS: (("model", "input", "encoding_format"), _texts),
    MODELS: ((), lambda asked: Models()),
}


class Desk:
    """Answers one request after the other; the engine keeps the order between these and the
    chat. `embed`: texts to vectors, each base64 of signed bytes."""

    def __init__(self, engine: Engine, embed: Embed):
        self.engine, self.embed = engine, embed
        self._turn = asyncio.Lock()

    async def answer(self, asked: Chat | Texts | Models) -> AsyncIterator[dict]:
        """Yields one object, or of a stream each chunk. Closing it stops the model. Raises
        Refused: no_model, cancelled, or what engine and workshop say."""
        async with self._turn:
            if isinstance(asked, Models):
                yield self._models()
            elif isinstance(asked, Texts):
                yield self._vectors(await self.embed(asked.texts))
            else:
                async with aclosing(self._chat(asked)) as chunks:
                    async for chunk in chunks:
                        yield chunk

    @property
    def _model(self) -> str:
        return (self.engine.loaded.card.get("name") or "") if self.engine.loaded else ""

    def _models(self) -> dict:
        names = [each for each in (self._model, ENCODER) if each]
        rows = [{"id": name, "object": "model", "owned_by": "onglet"} for name in names]
        return {"object": "list", "data": rows}

    def _vectors(self, found: list[str]) -> dict:
        rows = [
            {"object": "embedding", "index": number, "embedding": floats(vector)}
            for number, vector in enumerate(found)
        ]
        return {"object": "list", "model": ENCODER, "data": rows}

    async def _chat(self, asked: Chat) -> AsyncIterator[dict]:
        id, created, model = f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), self._model
        head = {"id": id, "created": created, "model": model}
        text, told, done = "", "", None
        words = loop.answer(self.engine, asked.messages, asked.settings, stop=asked.stop)
        async with aclosing(words):
            async for word in words:
                if isinstance(word, Done):
                    done = word
                    break
                text += word.text if isinstance(word, Tokens) else ""
                said = thoughts.split(text, done=False).said
                if asked.stream and len(said) > len(told):
                    yield chunk(head, {"role": "assistant", "content": said[len(told) :]})
                    told = said
        if done.reason == "cancelled":
            raise Refused("cancelled")
        said, reason = thoughts.split(text).said, REASONS.get(done.reason, "stop")
        if asked.stream:
            yield chunk(head, {"content": said[len(told) :]}, reason)
            return
        message = {"role": "assistant", "content": said}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        yield {**head, "object": "chat.completion", "choices": [choice], "usage": usage(done)}


def chunk(head: dict, delta: dict, reason: str | None = None) -> dict:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {**head, "object": "chat.completion.chunk", "choices": [choice]}


def usage(done: Done) -> dict:
    read, said = done.prompt_tokens, done.answer_tokens
    return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}


def floats(vector: str) -> list[float]:
    signed = memoryview(base64.b64decode(vector)).cast("b")
    return [each / FULL for each in signed]


def problem(refused: Refused, sentence: str) -> dict:
    """What went wrong, in OpenAI's shape."""
    asked = refused.code in ("bad_request", "request_too_long", "bad_schema", "prompt_too_long")
    kind = "invalid_request_error" if asked else "server_error"
    error = {"message": sentence, "type": kind, "code": refused.code}
    return {"error": {**error, "param": refused.values.get("field")}}
