"""The editor of an agent, as sections of the agents page: fields made from its class, what the
model will read, and how much of its context that takes. Keeps nothing itself.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from onglet import words
from onglet.agents import calls, loop, single
from onglet.agents.config import Agent, Model
from onglet.agents.editing import Draft, Field
from onglet.agents.tools import known
from onglet.components import Paper
from onglet.engine.errors import Refused
from onglet.sheets.bench import Bench
from onglet.sheets.side import buttons, text
from onglet.words import explain, has, say

REST = 0.3  # seconds without typing before the preview is made anew


@dataclass(frozen=True)
class Preview:
    """What the model reads first. Counts are tokens; `choosing`: of the prompt in which it chooses
    a tool, 0 without tools."""

    prompt: str
    opening: int
    choosing: int
    answer: int
    context: int

    @property
    def longest(self) -> int:
        return max(
            self.opening + self.answer, self.choosing + bool(self.choosing) * calls.MOST_TOKENS
        )


class Editor:
    """`replaces`: the kept agent that the draft will take the place of, None for a new one."""

    def __init__(self, app: Any, paper: Paper, redraw: Callable[[], None]):
        self.app, self.redraw = app, redraw
        self.draft: Draft | None = None
        self.replaces: Agent | None = None
        self.preview: Preview | Refused | None = None
        self.bench = Bench(app, paper, redraw)
        self._controls: list[dict] = []
        self._turn = 0  # of the previews: only the last one is shown
        self.model = app.session.model
        self.model.on("changed", lambda _: self._measure_later())

    def open(self, agent: Agent, replaces: Agent | None = None) -> None:
        self.come_back(Draft(agent, self._loaded()), replaces)

    def come_back(self, draft: Draft, replaces: Agent | None) -> None:
        """Opens with what was typed before."""
        self.draft, self.replaces, self.preview = draft, replaces, None
        self.bench.agent = draft.agent
        self.app.run(self.bench.open(draft.begun.hash))
        self.relabel()
        self._measure_later()

    def close(self) -> None:
        self.bench.stop()
        self.draft = None

    def relabel(self) -> None:
        if self.draft:
            self._controls = [control(field) for field in self.draft.form()]

    def _loaded(self) -> Model | None:
        loaded = self.model.loaded
        if not loaded or "sha256" not in loaded.card:
            return None
        return Model.of_card(loaded.card, "site" if self.model.is_site_model else "")

    def set(self, name: str, value: Any) -> None:
        """Takes what a person put into a field."""
        if self.draft:
            self.draft.set(name, value)
            self.bench.agent = self.draft.agent
            self._measure_later()
            self.redraw()

    def _measure_later(self) -> None:
        if self.draft:
            self._turn += 1
            self.app.run(self._measure(self._turn))

    async def _measure(self, turn: int) -> None:
        await asyncio.sleep(REST)
        if turn != self._turn or not self.draft:
            return
        try:
            preview = await self._previewed(self.draft.agent)
        except Refused as refused:
            preview = refused
        if turn == self._turn:
            self.preview = preview
            self.redraw()

    async def _previewed(self, agent: Agent) -> Preview:
        """Raises Refused: no_model, what a chat template says, or the engine."""
        engine = self.model.engine
        if not engine or not engine.loaded:
            raise Refused("no_model")
        question = agent.openings[0] if agent.openings else say("agents.edit.question")
        prompt = loop.prompt_of(engine.loaded, single.opening(agent, question))
        opening = len(await engine.tokenize(prompt))
        choosing = 0
        if given := agent.permissions():
            tools = tuple(known()[name] for name in given)
            choice = calls.Choice(tools, ())
            choosing_prompt = loop.prompt_of(engine.loaded, choice.messages(question))
            choosing = len(await engine.tokenize(choosing_prompt))
        return Preview(prompt, opening, choosing, agent.max_tokens, engine.loaded.context)

    # What is shown. The fields stay at their place: what is drawn anew loses what is being typed.

    def sections(self) -> list[dict]:
        draft, keeps = self.draft, bool(self.bench.store)
        acts = {"save": "agents.edit.save"} if keeps else {}
        acts |= {"use_draft": "agents.use", "leave": "agents.back"}
        return [
            text("agents.edit.meaning", "muted"),
            {"kind": "controls", "title": say("agents.edit.fields"), "items": self._controls},
            self._problem(),
            buttons(**acts),
            text("agents.edit.changed" if draft.changed else "agents.edit.same", "muted"),
            {"kind": "title", "text": say("agents.edit.opening")},
            *self._preview(),
            *self.bench.sections(),
        ]

    def _problem(self) -> dict:
        draft = self.draft
        if not draft.problem:
            return {"kind": "text", "text": "", "look": ""}
        if draft.problem.code == "bad_agent":
            told = say("agents.edit.wrong", field=say(f"agents.field.{draft.wrong}"))
        else:
            told = explain(draft.problem.code, draft.problem.values)
        return {"kind": "text", "text": told, "look": "problem"}

    def _preview(self) -> list[dict]:
        preview = self.preview
        if preview is None:
            return [text("agents.edit.measuring", "muted")]
        if isinstance(preview, Refused):
            missing = preview.code == "no_model"
            told = say("agents.edit.no_model") if missing else explain(preview.code, preview.values)
            return [{"kind": "text", "text": told, "look": "muted"}]
        left = max(preview.context - preview.opening - preview.answer, 0)
        counts = {"opening": preview.opening, "choosing": preview.choosing}
        counts |= {"answer": preview.answer, "left": left}
        items = [
            [
                say(f"agents.budget.{name}"),
                min(count / preview.context, 1),
                say("chat.count", count=count),
            ]
            for name, count in counts.items()
            if count or name == "left"
        ]
        told = [
            {"kind": "text", "text": preview.prompt, "look": "source"},
            {"kind": "title", "text": say("agents.budget", context=preview.context)},
            {"kind": "plot", "items": items},
        ]
        if preview.longest > preview.context:
            told.append(text("agents.budget.too_long", "problem"))
        return told


def control(field: Field) -> dict:
    """A field as web/components/controls.js draws it."""
    top, _, part = field.name.partition(".")
    named = f"sampling.{part}" if top == "sampling" else f"agents.field.{top}"
    label = f"{part}: {tool_says(part)}" if top == "tools" else say(named)
    hint = f"{named}.hint"
    shape = {key: value for key, value in asdict(field).items() if key not in ("least", "most")}
    return {
        **shape,
        "label": label,
        "hint": say(hint) if has(hint) else "",
        "min": field.least,
        "max": field.most,
        "options": [[each, choice_words(top, each)] for each in field.choices],
    }


def tool_says(name: str) -> str:
    """What a tool does, in the language of now if somebody has said it there."""
    return say(f"tool.{name}") if has(f"tool.{name}") else known()[name].purpose


def choice_words(top: str, choice: str) -> str:
    if top == "language":
        return words.TABLES[choice]["language.name"] if choice else say("agents.language.any")
    if top == "tools":
        return say("agents.tool.none") if choice == "none" else say(f"permission.choose.{choice}")
    return say(f"agents.model.choice.{choice}")
