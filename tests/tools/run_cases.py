"""Asks the embedded model the questions of cases.json and tells, for each, which tool it calls and
what the call gives. With PYTHONPATH=py:tests/browser, `build/venv/bin/python
tests/tools/run_cases.py [--alone]` prints the table of docs/tools.md. `--alone`: from the tools'
signatures only, without what is read by rule.

The real loop (agents/steps.py) runs here in CPython, on the real engine in a browser.
"""

import json
import re
import sys
from datetime import datetime
from pathlib import Path

from engine_driver import PAGE, Engine

from onglet.agents import calls, steps, tools
from onglet.engine.messages import Loaded, Tokens, from_dict
from onglet_build import browser
from onglet_build.loopback import Loopback
from onglet_build.places import DIST
from onglet_build.policy import HEADERS

CASES = Path(__file__).with_name("cases.json")
WORD = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d|\d+(?:\.\d+)?|[^\W\d_]\w*")


class Notes:
    """The notes of one run."""

    def __init__(self):
        self.said: list[str] = []

    async def add(self, text: str) -> None:
        self.said.insert(0, text)

    async def texts(self) -> list[str]:
        return self.said


class InPage:
    """The engine in a page as the loop knows it (engine/client.py)."""

    def __init__(self, engine: Engine, loaded: dict):
        self.engine = engine
        self.loaded: Loaded = message(loaded)
        self.written: list[str] = []

    async def generate(self, prompt, sampling, *, max_tokens, grammar=None, **_):
        how = {"sampling": vars(sampling), "max_tokens": max_tokens}
        if grammar:
            how["grammar"] = grammar
        said = self.engine.answer(prompt, **how)
        self.written.append(said["text"])
        yield Tokens(id=0, text=said["text"], count=1)
        yield message(said["end"])


def step_of(engine: InPage, ask: str, here: tools.Here, alone: bool) -> steps.Step | None:
    """The first step that a question leads to."""
    known = tuple(tools.known().values())
    if alone:
        listed = [calls.of_call(tool.name, tool.schema()) for tool in known]
        choice = calls.Choice(known, (*listed, calls.of_call(calls.ANSWER, None)))
    else:
        choice = calls.choice(ask, known, here)
    call = finished(steps.chosen(engine, choice, ask))
    if call is None:
        return None
    step = steps.Step(call.tool, call.arguments)
    finished(steps.run(step, steps.Hands(known, frozenset(), here, permit)))
    return step


def message(told: dict):
    """As the app hears it; the page adds when it came."""
    return from_dict({name: value for name, value in told.items() if name != "at"})


async def permit() -> bool:
    return True


def finished(work):
    """The result of work that never really waits: Playwright's loop runs in this thread already."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("it waits")


def words(text: str) -> set:
    return {float(word) if is_number(word) else word.lower() for word in WORD.findall(text)}


def is_number(word: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", word) is not None


def is_right(case: dict, step: steps.Step | None) -> bool:
    """The named tool, and a result that holds every word of what it should give."""
    if not step or step.tool != case["tool"]:
        return step is None and case["tool"] is None
    return step.state == steps.DONE and words(case["gives"]) <= words(step.result)


def run(engine: InPage, alone: bool = False, every: int = 1):
    """Yields (case, the step it led to, whether it is right)."""
    told = json.loads(CASES.read_text("utf-8"))
    table = told["table"]
    here = tools.Here(
        datetime.fromisoformat(told["today"]), Notes(), {table["name"]: table["text"]}
    )
    for case in told["cases"][::every]:
        step = step_of(engine, case["ask"], here, alone)
        yield case, step, is_right(case, step)


def opened(page, url: str, site: Path) -> InPage:
    engine = Engine.opened(page, url, site)
    engine.start()
    return InPage(engine, engine.load())


def main(alone: bool) -> None:
    from playwright.sync_api import sync_playwright

    rows = []
    with (
        Loopback({"/": PAGE, "/site/": DIST}, headers=HEADERS) as host,
        sync_playwright() as running,
    ):
        chromium = browser.launch_chromium(running)
        engine = opened(chromium.new_page(), host.url, DIST)
        for case, step, right in run(engine, alone):
            rows.append(right)
            call = f"`{step.tool}` `{step.written()}`" if step else "none"
            result = step.result.replace("|", "\\|") if step else ""
            print(
                f"| {case['ask']} | {call} | {result} | {'yes' if right else '**no**'} |",
                flush=True,
            )
        chromium.close()
    print(f"\n{sum(rows)} of {len(rows)} right; {len(engine.written)} calls written.")


if __name__ == "__main__":
    main("--alone" in sys.argv)
