"""The page of graphs: an ONNX file is opened, described, drawn, given values, run and timed."""

import time
from typing import Any

from onglet.components import Paper
from onglet.graphs.player import Player
from onglet.sheets.side import buttons, plain, text
from onglet.words import explain, number, say, size

TITLE, ICON, PLACE = "graphs.title", "graph", 40

GAP = 0.1  # seconds between two drawings of what grows
OPERATORS = 12  # listed by name


def view(app: Any) -> Paper:
    """Builds the page."""
    return GraphsPage(app).paper


class GraphsPage:
    def __init__(self, app: Any):
        self.app = app
        self.player = Player()
        self.paper = Paper(sizing_mode="stretch_both", margin=0)
        self._drawn = 0.0
        player, run = self.player, app.run
        self.paper.hear(
            pick=lambda _: run(player.pick()),
            close=lambda _: run(player.close()),
            cancel=lambda _: run(player.cancel()),
            give=lambda m: run(player.give(m["key"])),
            take_back=lambda m: player.take_back(m["key"]),
            run=lambda m: run(self._run(m)),
        )
        player.on("changed", lambda _: self._changed())
        app.on_shown("graphs", self._start)
        app.on_language(self.relabel)
        self.relabel()

    def relabel(self) -> None:
        self.paper.labels = {"title": say("graphs.heading")}
        self.draw()

    def _start(self) -> None:
        if self.player.bridge is None:
            self.player.start(self.app.bridge)
            self.app.bridge.on_event(
                "dropped_graph", lambda file: self.app.run(self.player.open(file))
            )

    async def _run(self, message: dict) -> None:
        await self.player.run({name: message[field] for field, name in self._fields().items()})
        if self.player.result:
            place = next(i for i, each in enumerate(self.paper.sections) if each == self._time())
            self.paper.tell("show", section=place)

    def _fields(self) -> dict[str, str]:
        """Field of the form -> input that is typed in."""
        inputs = self.player.graph["inputs"] if self.player.graph else []
        named = {f"input{place}": each["name"] for place, each in enumerate(inputs)}
        return {key: name for key, name in named.items() if name not in self.player.files}

    def _changed(self) -> None:
        if self.player.stage != "getting" or time.monotonic() - self._drawn >= GAP:
            self.draw()

    # What is shown

    def draw(self) -> None:
        self._drawn = time.monotonic()
        player = self.player
        told = [text("graphs.meaning", "muted")]
        if player.problem:
            told.append(problem(player.problem))
        if not player.file:
            told += [buttons(pick="graphs.pick"), text("graphs.drop", "muted")]
        else:
            told += [title(player.name), *self._stage()]
        if player.graph:
            told += [*self._facts(), *self._inputs(), *self._result(), *self._picture()]
        if player.file:
            told.append(plain(pick="graphs.other", close="graphs.close"))
        if told != self.paper.sections:
            self.paper.sections = told

    def _stage(self) -> list[dict]:
        stage = self.player.stage
        if not stage:
            return []
        label = say(f"graphs.stage.{stage}")
        bar = [{"kind": "progress", "share": self.player.share, "label": label}]
        told = [
            {"kind": "text", "text": label, "look": "muted"},
            *(bar if stage == "getting" else []),
        ]
        return [*told, plain(cancel="documents.cancel")]

    def _facts(self) -> list[dict]:
        graph = self.player.graph
        opsets = ", ".join(
            f"{domain or 'ai.onnx'} {version}" for domain, version in graph["opsets"]
        )
        rows = [
            [say("graphs.size"), size(self.player.file["bytes"]), ""],
            [say("graphs.opset"), opsets, ""],
            [say("graphs.nodes"), number(graph["nodes"]), ""],
            [say("graphs.weights"), number(graph["weights"]), ""],
        ]
        if graph["producer"]:
            rows.append([say("graphs.producer"), graph["producer"], ""])
        kinds = [f"{name} {count}" for name, count in graph["operators"][:OPERATORS]]
        if left := len(graph["operators"]) - OPERATORS:
            kinds += [say("graphs.more", count=left)] if left > 0 else []
        rows.append([say("graphs.operators"), ", ".join(kinds), ""])
        rows.append([say("graphs.outputs"), "; ".join(map(described, graph["outputs"])), ""])
        return [{"kind": "rows", "rows": rows}]

    def _inputs(self) -> list[dict]:
        player = self.player
        items = [self._input(each) for each in player.graph["inputs"]]
        kinds = {each["name"]: described(each) for each in player.graph["inputs"]}
        fields = [
            {"name": field, "label": kinds[name], "type": "text", "autocomplete": "off",
             "value": player.said.get(name, "random"), "optional": True}
            for field, name in self._fields().items()
        ]  # fmt: skip
        form = {"kind": "form", "name": "run", "button": say("graphs.run"), "fields": fields}
        told = [title(say("graphs.inputs")), {"kind": "items", "items": items}] if items else []
        return [*told, {**form, "hint": say("graphs.hint") if fields else ""}]

    def _input(self, value: dict) -> dict:
        file = self.player.files.get(value["name"])
        pressed = ("take_back", "graphs.take_back") if file else ("give", "graphs.give")
        button = {"name": pressed[0], "label": say(pressed[1]), "main": False}
        taken = say("graphs.from", name=file["name"]) if file else ""
        item = {"key": value["name"], "title": value["name"], "facts": kind_of(value), "look": ""}
        return {**item, "note": taken, "share": None, "buttons": [button]}

    def _time(self) -> dict:
        return text("graphs.time", time=number(self.player.result["milliseconds"], 1))

    def _result(self) -> list[dict]:
        if not self.player.result:
            return []
        told = [title(say("graphs.result")), self._time()]
        for output in self.player.result["outputs"]:
            told += output_of(output)
        return told

    def _picture(self) -> list[dict]:
        drawn = self.player.graph["picture"]
        if not drawn["boxes"]:
            return []
        label = say("graphs.picture", name=self.player.name, count=len(drawn["boxes"]))
        told = [title(say("graphs.drawn")), {**drawn, "kind": "graph", "label": label}]
        left = drawn["left_out"]
        return [*told, text("graphs.left_out", "muted", count=left)] if left else told


def problem(refused: Any) -> dict:
    values = dict(refused.values)
    if refused.code == "graph_input":
        values["reason"] = say(f"graphs.reason.{values['reason']}")
    return {"kind": "text", "text": explain(refused.code, values), "look": "problem"}


def title(words: str) -> dict:
    return {"kind": "title", "text": words}


def kind_of(value: dict) -> str:
    return f"{value['type']} [{', '.join(str(size) or '?' for size in value['shape'])}]"


def described(value: dict) -> str:
    return f"{value['name']}: {kind_of(value)}"


def output_of(output: dict) -> list[dict]:
    """One output: what it is, its numbers, and what can be drawn of it."""
    rows = [[output["name"], kind_of(output), ""]]
    if facts := output["facts"]:
        rows += [[say(f"graphs.{name}"), f"{facts[name]:.5g}", ""] for name in facts]
    rows.append([say("graphs.first"), "  ".join(output["first"]), "code"])
    told = [{"kind": "rows", "rows": rows}]
    if output["picture"]:
        told.append({"kind": "image", "source": output["picture"], "label": output["name"]})
    if output["curve"]:
        columns = [{"title": "", "shares": [share]} for share in output["curve"]]
        label = say("graphs.curve", name=output["name"])
        told.append({"kind": "columns", "label": label, "parts": [], "columns": columns})
    if best := output["best"]:
        cells = [[number(place), f"{value:.5g}"] for place, value in best]
        names = [say("graphs.place"), say("graphs.value")]
        told.append(
            {"kind": "table", "caption": say("graphs.best"), "columns": names, "rows": cells}
        )
    return told
