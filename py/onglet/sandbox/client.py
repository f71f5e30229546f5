"""`from onglet import client` in a program of the Python page: asks the model of this tab, with
the names and shapes of the openai package. Stands alone inside the sandbox (inside.js puts it
there); `say` carries a text out, `hear` takes what comes in.
"""

import asyncio
import itertools
import json
from types import SimpleNamespace
from typing import Any


class APIError(Exception):
    """What was asked could not be answered; `code` and `type` are for programs."""

    def __init__(self, error: dict):
        super().__init__(error["message"])
        self.message, self.code, self.type = error["message"], error["code"], error["type"]


def as_objects(value: Any) -> Any:
    """Dicts become objects with attributes, as the openai package gives them."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_objects(each) for name, each in value.items()})
    return [as_objects(each) for each in value] if isinstance(value, list) else value


class Client:
    """`chat.completions.create`, `embeddings.create`, `models.list`; all are awaited."""

    def __init__(self, say: Any):
        self._say, self._numbers, self._open = say, itertools.count(1), {}
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=self._complete))
        self.embeddings = SimpleNamespace(create=self._embed)
        self.models = SimpleNamespace(list=self._models)

    def hear(self, text: str) -> None:
        said = json.loads(text)
        if said["id"] in self._open:
            self._open[said["id"]].put_nowait(said)

    async def _complete(self, **body: Any) -> Any:
        """A completion; with stream=True an asynchronous iterator of chunks."""
        answers = self._ask("chat.completions", body)
        return answers if body.get("stream") is True else await anext(answers)

    async def _embed(self, **body: Any) -> Any:
        return await anext(self._ask("embeddings", body))

    async def _models(self) -> Any:
        return await anext(self._ask("models", {}))

    async def _ask(self, path: str, body: dict) -> Any:
        number, ended = next(self._numbers), False
        self._open[number] = queue = asyncio.Queue()
        self._say(json.dumps({"kind": "ask", "id": number, "path": path, "body": body}))
        try:
            while not ended:
                said = await queue.get()
                ended = said["last"]
                if "error" in said["value"]:
                    raise APIError(said["value"]["error"])
                if said["value"]:
                    yield as_objects(said["value"])
        finally:
            del self._open[number]
            if not ended:
                self._say(json.dumps({"kind": "stop", "id": number}))
