"""The Python page's programs: one after the other in one sandbox that keeps their names, and what
they ask of the model of this tab. Knows no screen.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from onglet.agents import completions
from onglet.browser.bridge import ServiceFailed
from onglet.engine.errors import Refused
from onglet.sandbox import programs
from onglet.words import explain

MOST_OPEN = 8  # questions of one program at a time
SECONDS = 60  # of a program's own work; the model's time does not count

# To begin with, in the language that the embedded model speaks.
EXAMPLES = {
    "ask": """from onglet import client

answer = await client.chat.completions.create(
    messages=[{"role": "user", "content": "What is the capital of France?"}],
)
answer.choices[0].message.content""",
    "stream": """from onglet import client

chunks = await client.chat.completions.create(
    messages=[{"role": "user", "content": "Count from 1 to 5."}], max_tokens=40, stream=True,
)
pieces = [chunk.choices[0].delta.content async for chunk in chunks]
print("".join(pieces), len(pieces), sep=" | ")""",
    "embed": """import numpy as np
from onglet import client

words = ["cat", "kitten", "engine"]
found = await client.embeddings.create(input=words)
vectors = np.array([each.embedding for each in found.data])
[[word, *row] for word, row in zip(words, (vectors @ vectors.T).round(2).tolist())]""",
}


@dataclass
class Cell:
    """A program and what came of it. `asked`: how often it asked the model."""

    code: str
    result: programs.Result | None = None
    problem: Refused | None = None
    asked: int = 0


class Console:
    """`changed` is called whenever anything has."""

    def __init__(self, session: Any, changed: Callable[[], None]):
        self.session, self.changed = session, changed
        self.cells: list[Cell] = []
        self._desk: completions.Desk | None = None
        self._work: asyncio.Task | None = None
        self._open: dict[int, asyncio.Task] = {}

    @property
    def busy(self) -> bool:
        return self._work is not None

    def run(self, code: str) -> None:
        """Begins a program, unless one is at work."""
        if self._work:
            return
        if not self._desk:
            session = self.session
            self._desk = completions.Desk(session.model.engine, session.documents.vectors)
            session.bridge.on_event("console_said", self.hear)
        self.cells.append(Cell(code))
        self._work = asyncio.ensure_future(self._run(self.cells[-1]))
        self._work.add_done_callback(lambda _: self._ended())
        self.changed()

    async def _run(self, cell: Cell) -> None:
        needed = programs.packages(cell.code)
        given = {"code": cell.code, "packages": needed, "seconds": SECONDS}
        try:
            answer = await self.session.bridge.call("run_console", **given)
            if error := answer.get("error"):
                raise Refused(error["code"], **error["values"])
            cell.result = programs.read(answer["value"])
        except Refused as refused:
            cell.problem = refused
        except ServiceFailed:
            cell.problem = Refused("sandbox_failed")
        finally:
            await self._answer_no_more()

    async def _answer_no_more(self) -> None:
        """No answer to this program may come during the next one."""
        await asyncio.sleep(0)  # a task that is cancelled before its first step says nothing
        for task in (left := list(self._open.values())):
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _ended(self) -> None:
        self._work = None
        self.changed()

    async def end(self) -> None:
        """Ends the program at work and forgets all names; the cells stay."""
        await self.session.bridge.call("end_console")

    # What programs ask

    def hear(self, text: str) -> None:
        """Takes one text of a program, which may be anything."""
        try:
            said = json.loads(text)
            kind, number = said["kind"], said["id"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return
        if type(number) is not int or not self._work:
            return
        if kind == "stop" and number in self._open:
            # After its first step: it owes the program a last text.
            asyncio.get_running_loop().call_soon(self._open[number].cancel)
        elif kind == "ask" and number not in self._open:
            self.cells[-1].asked += 1
            crowded = len(self._open) >= MOST_OPEN
            answer = self._answer(number, said.get("path"), said.get("body"), crowded)
            task = asyncio.ensure_future(answer)
            self._open[number] = task
            task.add_done_callback(lambda _: self._open.pop(number, None))
            self.changed()

    async def _answer(self, number: int, path: Any, body: Any, crowded: bool) -> None:
        """Every question gets one last text, whatever becomes of it."""
        value: dict = {}
        try:
            if crowded:
                raise Refused("too_many_requests", limit=MOST_OPEN)
            asked = completions.read(path, body)
            streams = isinstance(asked, completions.Chat) and asked.stream
            async for value in self._desk.answer(asked):
                if streams:
                    await self._tell(number, value, last=False)
                    value = {}
        except (Refused, ServiceFailed) as error:
            refused = error if isinstance(error, Refused) else Refused("workshop_failed")
            value = completions.problem(refused, explain(refused.code, refused.values))
        finally:
            await self._tell(number, value, last=True)

    async def _tell(self, number: int, value: dict, last: bool) -> None:
        text = json.dumps({"id": number, "value": value, "last": last})
        await self.session.bridge.call("answer_console", text=text, last=last)
