"""The Python page: programs run one after the other behind the sandbox's walls, keep their names,
and may ask the model of this tab with `from onglet import client`.
"""

from typing import Any

from onglet.agents.console import EXAMPLES, Cell, Console
from onglet.browser.safe import clean
from onglet.components import Paper
from onglet.sandbox.programs import Result
from onglet.sheets.side import plain, text
from onglet.words import explain, say

TITLE, ICON, PLACE = "console.title", "code", 55

LONGEST = 50_000  # characters of a program
ROWS = 8  # of the field


def view(app: Any) -> Paper:
    """Builds the page."""
    return ConsolePage(app).paper


class ConsolePage:
    def __init__(self, app: Any):
        self.app = app
        self.paper = Paper(sizing_mode="stretch_both", margin=0)
        self.console = Console(app.session, self.draw)
        self.code = ""  # what the field was filled with
        self.filled = 0  # how often it was
        self.paper.hear(
            run_code=lambda message: self._run(message["text"]),
            stop_code=lambda _: app.run(self.console.end()),
            restart=lambda _: app.run(self._restart()),
            **{f"use_{name}": lambda _, name=name: self._fill(EXAMPLES[name]) for name in EXAMPLES},
            again=lambda message: self._again(message["key"]),
        )
        app.on_language(self.relabel)
        self.relabel()

    def relabel(self) -> None:
        self.paper.labels = {"title": say("console.heading")}
        self.draw()

    def _run(self, code: str) -> None:
        if code.strip() and not self.console.busy:
            self.console.run(code[:LONGEST])
            self._fill("")

    async def _restart(self) -> None:
        await self.console.end()
        self.console.cells.clear()
        self.draw()

    def _again(self, key: int) -> None:
        if 0 <= key < len(self.console.cells):
            self._fill(self.console.cells[key].code)

    def _fill(self, code: str) -> None:
        self.code, self.filled = code, self.filled + 1
        self.draw()

    def draw(self) -> None:
        cells = self.console.cells
        sections = [text("console.intro")]
        for number, cell in enumerate(cells):
            sections += told(number, cell)
        labels = {"label": say("console.code"), "button": say("console.run")}
        editor = {"kind": "source_editor", "name": "run_code", "text": self.code, "rows": ROWS}
        sections += [{**editor, **labels, "runs": True, "filled": self.filled}]
        if self.console.busy:
            sections.append(plain(stop_code="console.stop"))
        elif cells:
            sections.append(plain(restart="console.restart"))
        sections.append(text("console.keys", "muted"))
        sections.append(plain(**{f"use_{name}": f"console.example.{name}" for name in EXAMPLES}))
        if sections != self.paper.sections:
            self.paper.sections = sections


def told(number: int, cell: Cell) -> list[dict]:
    """A program and what came of it."""
    sections = [source(cell.code)]
    if cell.asked:
        sections.append(text("console.asked", "muted", count=cell.asked))
    if cell.problem:
        sentence = explain(cell.problem.code, cell.problem.values)
        sections += [{"kind": "text", "look": "problem", "text": sentence}]
        sections += [text("console.forgotten", "muted")]
    elif cell.result:
        sections += outcome(cell.result)
    else:
        return [*sections, text("console.running", "muted")]
    again = {"name": "again", "label": say("console.again"), "main": False}
    return [*sections, {"kind": "buttons", "key": number, "buttons": [again]}]


def outcome(result: Result) -> list[dict]:
    texts = [result.text, "" if result.rows else result.value, result.error]
    sections = [source(each) for each in texts if each]
    if result.rows:
        columns = [clean(each) for each in result.columns]
        rows = [[clean(cell) for cell in row] for row in result.rows]
        caption = say("console.table")
        sections += [{"kind": "table", "caption": caption, "columns": columns, "rows": rows}]
    for count, figure in enumerate(result.figures, 1):
        picture = f"data:image/png;base64,{figure}"
        label = say("tool.figure", number=count)
        sections += [{"kind": "image", "source": picture, "label": label}]
    return sections or [text("console.nothing", "muted")]


def source(code: str) -> dict:
    return {"kind": "text", "look": "source", "text": clean(code)}
