"""The playground: an answer token by token, with how sure the model was of each and what it might
have said instead; another choice leads to another answer. Two settings can be compared.
"""

import asyncio
import time
from contextlib import aclosing
from typing import Any

from onglet.agents.loop import Settings
from onglet.agents.trial import QUESTIONS, TEXTS, Choice, Trial, Word
from onglet.browser.safe import clean
from onglet.components import Paper
from onglet.sheets import sampling
from onglet.sheets.side import buttons, plain, text, title
from onglet.words import explain, percent, say

TITLE, ICON, PLACE = "playground.title", "token", 50

GAP = 0.15  # seconds between two drawings of what grows
LONGEST = 20_000  # characters of a prompt
QUESTION, TEXT = "question", "text"
EXAMPLES = QUESTIONS | TEXTS
FIRST, SECOND = "first", "second"
OTHERWISE = 0.9  # temperature of the second settings, to begin with
SURE = (0.9, 0.5, 0.2, 0.05)  # probabilities between which a token looks the same


def view(app: Any) -> Paper:
    """Builds the page."""
    return PlaygroundPage(app).paper


class PlaygroundPage:
    def __init__(self, app: Any):
        self.app = app
        self.session = app.session
        self.paper = Paper(sizing_mode="stretch_both", margin=0)
        self.mode = QUESTION
        self.prompt = ""
        self.settings = {FIRST: Settings(max_tokens=64)}
        self.trials: dict[str, Trial] = {}
        self.looked_at: dict[str, int] = {}  # the token whose alternatives are shown
        self._wants_prompt = False  # somebody wanted an answer to nothing
        self._given: tuple = ()  # what the fields were filled with: mode, prompt, settings
        self._filled = 0  # how often they were
        self._work: asyncio.Task | None = None
        self._drawn = 0.0
        self.paper.hear(
            set=lambda message: self._set(message["name"], message["value"]),
            reset=lambda _: self._reset(),
            **{f"use_{name}": lambda _, name=name: self._use(name) for name in EXAMPLES},
            compare=lambda _: self._compare(True),
            alone=lambda _: self._compare(False),
            run=lambda _: self._run(),
            stop=lambda _: self._stop(),
            look=lambda message: self._look(message["key"], message["number"]),
            instead=lambda message: self._instead(message["key"], message["number"]),
            load=lambda _: self.session.model.load(),
        )
        self.session.model.on("changed", lambda _: self.draw())
        app.on_shown("playground", self.draw)
        app.on_language(self.relabel)
        self.relabel()

    def relabel(self) -> None:
        self.paper.labels = {"title": say("playground.heading")}
        self._give()

    # What is pressed

    def _set(self, name: str, value: Any) -> None:
        which, _, field = name.partition(".")
        if name == "prompt":
            self.prompt = value[:LONGEST]
            self._wants_prompt = False
            self.draw()
        elif name == "mode":
            self.mode = value
        elif which in self.settings:
            self.settings[which] = sampling.changed(self.settings[which], field, value)

    def _give(self) -> None:
        """Shows the values of now in the fields, if anything of them has changed since."""
        self._given = (self.mode, self.prompt, dict(self.settings))
        self.draw()

    def _fill(self) -> None:
        """Shows the values of now in the fields whatever was typed; else these are left alone."""
        self._filled += 1
        self._give()

    def _use(self, example: str) -> None:
        self.mode = TEXT if example in TEXTS else QUESTION
        self.prompt = EXAMPLES[example]
        self._wants_prompt = False
        self._fill()

    def _reset(self) -> None:
        self.settings[FIRST] = Settings(max_tokens=64)
        if SECOND in self.settings:
            self.settings[SECOND] = self.settings[FIRST].changed("temperature", OTHERWISE)
        self._fill()

    def _compare(self, wanted: bool) -> None:
        self.settings.pop(SECOND, None)
        if wanted:
            self.settings[SECOND] = self.settings[FIRST].changed("temperature", OTHERWISE)
        else:
            self.trials.pop(SECOND, None)
        self._fill()

    def _run(self) -> None:
        self._wants_prompt = not self.prompt.strip()
        if self._wants_prompt:
            self.draw()
        elif not self._work:
            is_text = self.mode == TEXT
            trials = {
                name: Trial(self.prompt, is_text, settings)
                for name, settings in self.settings.items()
            }
            self.trials, self.looked_at = trials, {}
            self._begin(*trials)

    def _instead(self, key: str, other: int) -> None:
        """Takes another token at the place that is looked at, and lets the model go on."""
        if key in self.looked_at and not self._work:
            place = self.looked_at.pop(key)
            self.trials[key] = self.trials[key].instead(place, other)
            self._begin(key)

    def _begin(self, *keys: str) -> None:
        self._work = asyncio.ensure_future(self._write(keys))
        self._work.add_done_callback(lambda _: self._ended())  # cancelled at once, too
        self.draw()

    async def _write(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            async with aclosing(self.trials[key].run(self.session.model.engine)) as changes:
                async for _ in changes:
                    self._grown()

    def _ended(self) -> None:
        self._work = None
        self.draw()

    def _stop(self) -> None:
        if self._work:
            self._work.cancel()

    def _look(self, key: str, place: int) -> None:
        if key in self.trials and 0 <= place < len(self.trials[key].choices):
            self.looked_at[key] = place
            self.draw()

    # What is shown

    def _grown(self) -> None:
        now = time.monotonic()
        if now - self._drawn >= GAP:
            self._drawn = now
            self.draw()

    def draw(self) -> None:
        sections = [text("playground.intro"), *self._asked(), *self._pressed()]
        both = [[title(f"playground.{key}"), *self._told(key)] for key in self.trials]
        if len(both) == 2:
            sections.append({"kind": "beside", "columns": both})
        elif both:
            sections += both[0][1:]
        sections += self._settings()
        if sections != self.paper.sections:
            self.paper.sections = sections

    def _asked(self) -> list[dict]:
        modes = [[mode, say(f"playground.mode.{mode}")] for mode in (QUESTION, TEXT)]
        mode, prompt, _ = self._given
        fields = [field("prompt", "text", prompt), field("mode", "choice", mode, modes)]
        examples = plain(**{f"use_{name}": f"playground.example.{name}" for name in EXAMPLES})
        return [self._controls("", fields), text("playground.examples", "muted"), examples]

    def _controls(self, heading: str, items: list[dict]) -> dict:
        """`filled` makes the page fill the fields anew although nothing else has changed."""
        named = {"title": say(heading) if heading else "", "reset": "", "filled": self._filled}
        return {"kind": "controls", "items": items, **named}

    def _pressed(self) -> list[dict]:
        model = self.session.model
        if self._work:
            return [buttons(stop="playground.stop")]
        if model.loading:
            return [text("playground.loading", "muted")]
        if not model.loaded:
            return [text("playground.no_model"), buttons(load="model.load")]
        wants = [text("playground.empty", "problem")] if self._wants_prompt else []
        return [*wants, buttons(run="playground.run")]

    def _settings(self) -> list[dict]:
        *_, given = self._given
        named = {key: f".{key}" if len(given) > 1 else "" for key in given}
        told = [
            self._controls(
                f"playground.settings{named[key]}",
                sampling.controls(settings, prefix=f"{key}."),
            )
            for key, settings in given.items()
        ]
        if len(told) == 1:
            return [*told, plain(reset="sampling.reset", compare="playground.compare")]
        beside = {"kind": "beside", "columns": [[each] for each in told]}
        return [beside, plain(reset="sampling.reset", alone="playground.alone")]

    def _told(self, key: str) -> list[dict]:
        """One answer: its tokens, how sure the model was, and what else might have come."""
        trial = self.trials[key]
        told = [self._tokens(key, trial)]
        if trial.problem and trial.problem.code != "cancelled":
            told.append(problem(trial))
        if not trial.choices:
            waits = [text("playground.waiting", "muted")] if trial.running else []
            return [*told, *waits]
        place = self.looked_at.get(key)
        if place is None:
            told.append(text("playground.choose", "muted"))
        else:
            told.append(self._alternatives(key, trial.choices[place]))
        return [*told, *([] if trial.running else summary(trial))]

    def _tokens(self, key: str, trial: Trial) -> dict:
        items = [
            {"text": shown(choice), "sure": sureness(choice), "forced": choice.forced}
            for choice in trial.choices
        ]
        label = say("playground.tokens")
        return {"kind": "tokens", "key": key, "label": label, "items": items}

    def _alternatives(self, key: str, choice: Choice) -> dict:
        return {
            "kind": "alternatives",
            "key": key,
            "caption": say("playground.alternatives", token=visible(choice)),
            "items": [
                {
                    "text": visible(other),
                    "share": other.probability,
                    "value": percent(other.probability),
                    "taken": other.id == choice.id,
                }
                for other in choice.others
            ],
            "rest": self._rest(choice),
        }

    def _rest(self, choice: Choice) -> str:
        """Of the token that was taken, when it is none of the likeliest."""
        if choice.id in [other.id for other in choice.others]:
            return ""
        return say("playground.unlikely", probability=percent(choice.probability))


def field(name: str, type: str, value: str, options: list | None = None) -> dict:
    label, hint = say(f"playground.{name}"), say(f"playground.{name}.hint")
    limits = {"min": 0, "max": 0, "step": 0}
    return {
        "name": name, "type": type, "label": label, "hint": hint, "value": value,
        "options": options or [], **limits,
    }  # fmt: skip


def problem(trial: Trial) -> dict:
    told = explain(trial.problem.code, trial.problem.values)
    return {"kind": "text", "look": "problem", "text": told}


def summary(trial: Trial) -> list[dict]:
    """How sure the model was over the whole answer, as a plot and in figures."""
    columns = [
        {
            "title": f"{visible(choice)} {percent(choice.probability)}",
            "shares": [choice.probability],
        }
        for choice in trial.choices
    ]
    named = {"label": say("playground.plot"), "parts": [say("playground.sure")]}
    told = [{"kind": "columns", **named, "columns": columns}]
    figures = trial.figures
    if figures and trial.perplexity:
        values = {
            "tokens": figures.answer_tokens,
            "rate": figures.decode_tokens_per_second,
            "perplexity": trial.perplexity,
        }
        told.append(text("playground.figures", "muted", **values))
    return told


def sureness(choice: Choice) -> int:
    """0: as good as certain, to 4: a long shot."""
    return sum(choice.probability < bound for bound in SURE)


def shown(word: Word) -> str:
    """A token within its text: a line break is seen."""
    return clean(word.text).replace("\n", "↵\n")


def visible(word: Word) -> str:
    """A token alone: what is white is seen."""
    return clean(word.text).replace("\n", "↵").replace(" ", "␣") or "∅"
