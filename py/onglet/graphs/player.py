"""The graph that is open in this tab: picked, described, given values, run. The workshop does the
work (onglet/graphs/jobs.py); when it has rested and forgot the graph, it is opened there again.

Tells listeners of `changed`. No screen.
"""

import itertools
from collections.abc import Callable
from typing import Any

from onglet.browser.bridge import Bridge, Listeners
from onglet.browser.safe import clean
from onglet.engine.errors import Refused, problem_of
from onglet.vault.store import answered

FIRST_TASK = 1_000_000_000  # the documents count theirs from 1
TIMES = 5  # a run is timed


class Player:
    def __init__(self):
        self.bridge: Bridge | None = None
        self.file: dict | None = None  # {key, name, bytes} of the page
        self.graph: dict | None = None  # what `open_graph` says
        self.said: dict[str, str] = {}  # input -> what was typed
        self.files: dict[str, dict] = {}  # input -> a file as above
        self.result: dict | None = None  # what `run_graph` says
        self.stage = ""  # getting, opening, running; "": nothing
        self.share = 0.0  # of what is being got
        self.problem: Refused | None = None
        self._task = 0
        self._tasks = itertools.count(FIRST_TASK)
        self._listeners = Listeners()

    def on(self, name: str, listener: Callable[[Any], None]) -> None:
        self._listeners.add(name, listener)

    def start(self, bridge: Bridge) -> None:
        self.bridge = bridge
        bridge.on_event("workshop", self._progress)

    @property
    def name(self) -> str:
        return clean(self.file["name"]) if self.file else ""

    async def pick(self) -> None:
        """Lets the person choose a graph, and opens it."""
        if files := await self.bridge.call("pick_documents"):
            await self.open(files[0])

    async def open(self, file: dict) -> None:
        """Opens a file; what was open is closed, whether this one can be opened or not."""
        self.file, self.graph, self.result = file, None, None
        self.said, self.files = {}, {}
        await self._guarded("opening", self._open())

    async def give(self, input: str) -> None:
        """Lets the person choose a picture or a table for an input."""
        if files := await self.bridge.call("pick_documents"):
            self.files[input] = files[0]
            await self._guarded("opening", self._give(input))

    def take_back(self, input: str) -> None:
        """The input takes what is typed again."""
        self.files.pop(input, None)
        self._tell()

    async def run(self, said: dict[str, str]) -> None:
        """Runs the graph on what was typed and given."""
        self.said, self.result = said, None
        await self._guarded("running", self._run())

    async def close(self) -> None:
        self.file = self.graph = self.result = self.problem = None
        self.said, self.files = {}, {}
        await self._guarded("opening", self._ask("close_graph"))

    async def cancel(self) -> None:
        """Ends what takes too long."""
        await self.bridge.call("end_workshop")

    async def _guarded(self, stage: str, work: Any) -> None:
        self.stage, self.share, self.problem = stage, 0.0, None
        self._tell()
        self.problem = await problem_of(work)
        self.stage = ""
        self._tell()

    async def _open(self) -> None:
        self.graph = await self._ask("open_graph", self.file["key"])

    async def _give(self, input: str) -> None:
        file = self.files[input]
        await self._ask("give_graph", file["key"], input=input, name=file["name"])

    async def _run(self) -> None:
        given = {"said": self.said, "files": list(self.files), "times": TIMES}
        try:
            self.result = await self._ask("run_graph", **given)
        except Refused as refused:
            if refused.code != "graph_closed":
                raise
            await self._open()
            for name in self.files:
                await self._give(name)
            self.result = await self._ask("run_graph", **given)

    async def _ask(self, job: str, file: str | None = None, **arguments: Any) -> Any:
        self._task = next(self._tasks)
        given = {"task": self._task, "job": job, "arguments": arguments, "file": file}
        return answered(await self.bridge.call("workshop", **given))

    def _progress(self, told: dict) -> None:
        value = told["value"]
        if told["task"] == self._task and value["stage"] == "getting" and value["total"]:
            self.stage, self.share = "getting", value["done"] / value["total"]
            self._tell()

    def _tell(self) -> None:
        self._listeners.tell("changed", None)
