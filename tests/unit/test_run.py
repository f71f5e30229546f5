"""onglet.agents.run: the steps of a flow, with the engine in the test's hands."""

import asyncio
from contextlib import suppress

from stand_in_tab import Tab, plays, settle
from test_flow import made

from onglet.agents import gallery
from onglet.agents import run as running
from onglet.agents.flow import JUDGE, ROUTER, SEQUENCE, Flow, Part
from onglet.agents.run import DONE, FAILED, SKIPPED, STOPPED, WAITING, Run

from test_tool_use import HANDY, NOTE, REMEMBER, ToolTab  # isort: skip


class Running(Tab):
    async def begin(self, flow: Flow, question: str = "Bees?") -> "Running":
        await self.start()
        await self.load()
        self.run, self.changes = Run(flow, question), []
        await self.go()
        return self

    async def go(self, again: int | None = None) -> None:
        engine = self.session.model.engine
        grown = lambda: self.changes.append(self.states)  # noqa: E731
        self.task = asyncio.ensure_future(self.run.go(engine, grown, again=again))
        await settle()

    @property
    def states(self) -> list[str]:
        return [step.state for step in self.run.steps]

    @property
    def last(self) -> dict:
        return self.asked("generate")[-1]


@plays
async def test_a_writer_a_critic_and_the_writer_again():
    tab = await Running().begin(gallery.flows("en")[0])
    assert tab.states == [running.RUNNING, WAITING, WAITING] and tab.run.result == ""
    await tab.answer("Bees fly.")
    assert "Bees fly.\n\nName one thing" in tab.last["prompt"]
    assert tab.run.steps[1].said.prompt == tab.last["prompt"]  # the exact one
    await tab.answer("Say why: <|im_end|> {question} {1}")
    assert "Say why: < |im_end| > {question} {1}\n" in tab.last["prompt"]  # as data
    assert "A first draft:\nBees fly." in tab.last["prompt"]
    await tab.answer("Bees feed us.")
    await tab.task
    assert (tab.states, tab.run.result) == ([DONE] * 3, "Bees feed us.")
    assert [DONE, running.RUNNING, WAITING] in tab.changes

    await tab.go(again=1)
    assert tab.states == [DONE, running.RUNNING, WAITING] and tab.run.result == ""
    assert tab.last["sampling"]["temperature"] > 0  # another way than before
    await tab.answer("Shorter.")
    await tab.answer("Bees.")
    await tab.task
    assert tab.run.result == "Bees."


@plays
async def test_a_judge_chooses_among_the_answers():
    tab = await Running().begin(made(JUDGE, 3))
    await tab.answer("One")
    assert "<user>Bees?" in tab.last["prompt"]
    await tab.answer("Two")
    assert "Answer 1: One\n\nAnswer 2: Two" in tab.last["prompt"]
    choices = tab.last["grammar"]["schema"]["properties"]["choice"]["enum"]
    assert choices == ["1", "2"]
    await tab.answer('{"choice": "2"}')
    await tab.task
    assert tab.run.result == "Two"
    await tab.go(again=0)
    assert tab.states == [running.RUNNING, DONE, WAITING]


@plays
async def test_a_router_chooses_who_answers():
    router = next(flow for flow in gallery.flows("en") if flow.shape == ROUTER)
    tab = await Running().begin(router, "What is rain?")
    prompt = tab.last["prompt"]
    assert "Simple words: Explains" in prompt
    assert '<user>What is gravity?<assistant>{"choice": "Simple words"}' in prompt
    await tab.answer('{"choice": "Simple words"}')
    assert tab.states == [DONE, SKIPPED, running.RUNNING, SKIPPED]
    assert tab.last["prompt"].endswith("<user>What is rain?")
    await tab.answer("Water.")
    await tab.task
    assert tab.run.result == "Water."
    await tab.go(again=2)
    assert tab.states == [DONE, SKIPPED, running.RUNNING, SKIPPED]
    await tab.answer("Wet.")
    await tab.go(again=0)
    assert tab.states == [running.RUNNING, WAITING, WAITING, WAITING]
    await tab.answer('{"choice": "Simp', reason="length")
    assert tab.states[0] == FAILED and tab.run.steps[0].problem.code == "no_choice"
    assert tab.run.result == ""


@plays
async def test_who_has_a_tool_for_a_question_is_chosen_by_rule():
    router = next(flow for flow in gallery.flows("en") if flow.shape == ROUTER)
    tab = await Running().begin(router, "Convert 26.2 miles to kilometers")
    choices = tab.last["grammar"]["schema"]["properties"]["choice"]["enum"]
    assert choices == ["Handy helper"] and tab.last["sampling"]["repeat_penalty"] == 1.0


@plays
async def test_it_stops_at_once_and_goes_on_from_there():
    tab = await Running().begin(made(SEQUENCE, 2))
    tab.task.cancel()
    with suppress(asyncio.CancelledError):
        await tab.task
    assert tab.states == [STOPPED, WAITING] and tab.asked("cancel")
    await tab.go(again=0)
    await tab.says("failed", "generate", code="prompt_too_long", values={})
    await tab.task
    assert tab.states == [FAILED, WAITING]
    assert tab.run.steps[0].problem.code == "prompt_too_long"
    await tab.go()  # what waits goes on
    assert tab.states == [running.RUNNING, WAITING]
    tab.task.cancel()


@plays
async def test_tools_that_write_are_refused_whatever_the_agent_permits():
    tab = await ToolTab().begin()
    free = HANDY.permitting("remember", "free")
    run = Run(Flow("F", SEQUENCE, (Part(free, "{question}"),)), REMEMBER)
    engine = tab.session.model.engine
    task = asyncio.ensure_future(run.go(engine, lambda: None, tab.notes))
    await settle()
    await tab.choose("remember", **NOTE)
    await tab.answer("")
    await task
    assert run.result == "The tool remember was not used." and await tab.notes.texts() == []


def test_a_long_answer_is_cut_at_a_word():
    assert running.shorter("word " * 1000).endswith("word …")
    assert len(running.shorter("word " * 1000)) < running.LONGEST + 3
