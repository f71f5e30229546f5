"""What happens in a tab, played through with a stand-in for page and engine."""

import asyncio

import pytest
from stand_in_tab import LOADED, SITE, Tab, plays, settle

from onglet.agents.conversation import DONE, WAITING, Answerer, Conversation
from onglet.documents.search import Hit
from onglet.vault.history import History
from onglet.vault.papers import Passage
from onglet.vault.schema import migrate
from onglet.vault.store import FileStore


@plays
async def test_a_question_asked_while_loading_waits_and_is_answered():
    tab = await Tab().start()
    tab.session.ask("Hello?")
    await settle()
    assert tab.last.phase == WAITING
    assert tab.asked("generate") == []
    await tab.load()
    assert tab.asked("generate")[0]["prompt"].endswith("<user>Hello?")
    await tab.answer("Hi", " there")
    assert (tab.last.answer, tab.last.phase, tab.last.problem) == ("Hi there", DONE, None)
    assert tab.session.first_answered == tab.last.id
    assert (tab.session.model.speed, tab.session.context_used) == (20.0, 5)


@plays
async def test_the_second_question_brings_the_first_along():
    tab = await Tab().start()
    await tab.load()
    tab.session.ask("One?")
    await settle()
    await tab.answer("1")
    tab.session.ask("Two?")
    await settle()
    assert tab.asked("generate")[-1]["prompt"].endswith("<user>One?<assistant>1<user>Two?")


@plays
async def test_a_stop_before_the_answer_has_begun_counts():
    """A task that is cancelled before its first step never comes to its end."""
    tab = await Tab().start()
    await tab.load()
    tab.session.ask("Never mind?")
    tab.session.stop()
    tab.session.stop()
    await settle()
    assert not tab.session.busy
    assert tab.asked("generate") == [] and tab.last.problem is None
    tab.session.ask("But this?")
    await settle()
    await tab.answer("Yes.")
    assert tab.last.answer == "Yes."


@plays
async def test_stop_keeps_what_was_written():
    tab = await Tab().start()
    await tab.load()
    tab.session.ask("Long?")
    await settle()
    await tab.says("tokens", "generate", text="Some", count=1)
    tab.session.stop()
    assert tab.asked("cancel")[-1]["target"] == tab.asked("generate")[-1]["id"]
    await tab.answer(reason="cancelled")
    assert (tab.last.answer, tab.last.figures.reason) == ("Some", "cancelled")
    assert not tab.session.busy


@plays
async def test_stop_while_waiting_for_the_model_gives_the_question_up():
    tab = await Tab().start()
    tab.session.ask("Hello?")
    await settle()
    tab.session.stop()
    await settle()
    assert (tab.last.phase, tab.last.problem, tab.session.busy) == (DONE, None, False)


@plays
async def test_a_second_stop_does_not_wait_for_the_engine():
    tab = await Tab().start()
    await tab.load()
    tab.session.ask("Long?")
    await settle()
    tab.session.stop()
    tab.session.stop()
    await settle()
    assert not tab.session.busy


@plays
async def test_another_answer_differs():
    tab = await Tab().start()
    await tab.load()
    tab.session.ask("One?")
    await settle()
    assert tab.asked("generate")[-1]["sampling"]["temperature"] == 0
    await tab.answer("1")
    tab.session.regenerate()
    await settle()
    assert tab.asked("generate")[-1]["sampling"]["temperature"] > 0


@plays
async def test_a_cancelled_load_leaves_a_question_that_loading_answers():
    tab = await Tab().start()
    tab.session.ask("Hello?")
    tab.session.model.cancel_load()
    await tab.says("failed", "load", code="cancelled", values={})
    assert tab.session.model.problem.code == "cancelled"
    assert tab.last.problem.code == "no_model"
    tab.session.model.load()
    await settle()
    await tab.load()
    await tab.answer("Hi")
    assert (tab.last.answer, tab.last.problem, tab.session.model.problem) == ("Hi", None, None)


@plays
async def test_no_model_wanted_none_loaded():
    tab = await Tab(loading=False).start()
    assert tab.asked("load") == []
    tab.session.ask("Hello?")
    await settle()
    assert tab.last.problem.code == "no_model"


@plays
async def test_a_bad_file_does_not_cost_the_model_that_was_there():
    tab = await Tab().start()
    await tab.load()
    await tab.session.model.open_file()
    await settle()
    assert len(tab.asked("load")) == 1, "there is never room for two"
    await tab.rests()
    assert tab.restarts == [{"load": None}]
    assert tab.asked("load")[-1]["source"] == {"kind": "file", "key": "k"}
    await tab.says("failed", "load", code="not_gguf", values={"looks_like": "zip"})
    assert tab.asked("load")[-1]["source"] == SITE
    await tab.load()
    assert tab.session.model.problem.code == "not_gguf"
    assert tab.session.model.loaded is not None
    assert tab.session.model.is_site_model
    tab.session.ask("Still there?")
    await settle()
    await tab.answer("Yes")
    assert tab.last.answer == "Yes"


@plays
async def test_a_dead_engine_keeps_the_words_and_comes_back():
    tab = await Tab().start()
    await tab.load()
    tab.session.ask("Long?")
    await settle()
    await tab.says("tokens", "generate", text="Half", count=1)
    tab.bridge.event("engine_restarted", True)
    await settle()
    assert (tab.last.answer, tab.last.problem.code) == ("Half", "engine_died")
    assert "back" in tab.told
    await tab.load()
    tab.session.regenerate()
    await settle()
    await tab.answer("Whole")
    assert (tab.last.answer, tab.last.problem) == ("Whole", None)


@plays
async def test_an_engine_that_dies_while_loading_is_loaded_again():
    tab = await Tab().start()
    tab.bridge.event("engine_restarted", True)
    await settle()
    assert len(tab.asked("load")) == 2
    await tab.load()
    assert tab.session.model.loaded is not None
    assert tab.session.model.loading is None
    assert tab.session.model.problem is None


@plays
async def test_an_engine_that_is_given_up_is_started_by_the_load_button():
    tab = await Tab().start()
    await tab.load()
    tab.bridge.event("engine_restarted", False)
    await settle()
    assert tab.session.model.problem.code == "engine_died"
    assert tab.session.model.loaded is None
    tab.session.model.load()
    await settle()
    assert tab.restarts == [{"threads": 1}]


@plays
async def test_a_refused_question_is_told_and_the_next_one_works():
    tab = await Tab().start()
    await tab.load()
    tab.session.ask("Much " * 1000)
    await settle()
    await tab.says("failed", "generate", code="prompt_too_long", values={"tokens": 9, "limit": 5})
    assert tab.last.problem.code == "prompt_too_long"
    tab.session.ask("Short?")
    await settle()
    await tab.answer("Yes")
    assert tab.last.answer == "Yes"


@plays
async def test_a_fault_of_ours_is_told_too():
    tab = await Tab().start()
    await tab.load()
    tab.session.settings = None
    tab.session.ask("Hello?")
    await settle()
    assert tab.last.problem.code == "AttributeError"
    assert not tab.session.busy


@plays
async def test_new_chat_and_undo():
    tab = await Tab().start()
    await tab.load()
    tab.session.ask("One?")
    await settle()
    await tab.answer("1")
    tab.session.new_chat()
    assert tab.last is None
    tab.session.undo_new_chat()
    assert tab.last.answer == "1"


@pytest.mark.parametrize("begun", ["before", "while", "not"])
def test_a_tab_comes_back_to_its_place_unless_something_new_is_begun(begun):
    """The store opens after the page is live: a new chat of that moment stays."""

    @plays
    async def come_back():
        store = FileStore()
        await migrate(store)
        kept = Conversation()
        turn = kept.ask("One?")
        await History(store).save(kept.to_row(), turn.to_row(kept.id))
        tab = await Tab().start()
        tab.place = kept.id
        if begun == "before":
            tab.session.new_chat()
        tab.session.keeper.history = History(store)
        tab.session.keeper._tell("state")
        if begun == "while":
            tab.session.new_chat()
        await settle()
        assert len(tab.session.conversation.turns) == (1 if begun == "not" else 0)
        store.close()

    come_back()


@plays
async def test_loading_tells_speed_and_time_left():
    tab = await Tab().start()
    await tab.says("progress", "load", stage="download", received=10, total=110)
    tab.session.model.loading.began -= 2
    await tab.says("progress", "load", stage="download", received=60, total=110)
    assert tab.session.model.loading.speed == pytest.approx(25, rel=0.05)
    assert tab.session.model.loading.left == pytest.approx(2, rel=0.05)


@plays
async def test_too_little_memory_shortens_the_context():
    tab = await Tab().start()
    for wanted in (None, 2048, 1024):
        assert tab.asked("load")[-1]["context"] == wanted
        await tab.says("failed", "load", code="out_of_memory", values={"need": 1})
    assert tab.asked("load")[-1]["context"] == 512
    await tab.load()
    assert tab.session.model.loaded
    assert "smaller" in tab.told
    assert tab.session.model.problem is None


@plays
async def test_without_any_memory_the_problem_is_told():
    tab = await Tab().start()
    for _ in range(4):
        await tab.says("failed", "load", code="out_of_memory", values={"need": 1})
    assert len(tab.asked("load")) == 4
    assert tab.session.model.problem.code == "out_of_memory"


@plays
async def test_a_trap_brings_the_engine_back_on_one_thread_and_keeps_the_text():
    tab = await Tab().start()
    await tab.says(**{**LOADED, "threads": 2}, request="load")
    tab.session.ask("Hello?")
    await settle()
    await tab.says("tokens", "generate", text="Half", count=1)
    await tab.says("failed", "generate", code="kernel_trap", values={})
    assert tab.restarts == [{"threads": 1}]
    assert (tab.last.answer, tab.last.problem.code) == ("Half", "kernel_trap")
    tab.bridge.event("engine_restarted", True)
    await settle()
    await tab.says(**{**LOADED, "threads": 1}, request="load")
    tab.session.regenerate()
    await settle()
    await tab.says("failed", "generate", code="kernel_trap", values={})
    assert tab.restarts == [{"threads": 1}]
    assert tab.asked("load")[-1]["context"] == 2048


@plays
async def test_the_third_death_shortens_the_context():
    tab = await Tab().start()
    for wanted in (None, None, 2048):
        tab.bridge.event("engine_restarted", True)
        await settle()
        assert tab.asked("load")[-1]["context"] == wanted
        await tab.load()


@plays
async def test_an_answer_cut_short_goes_on_where_it_stopped():
    tab = await Tab().start()
    await tab.load()
    tab.session.ask("Story?")
    await settle()
    await tab.answer("Once upon", reason="cancelled")
    tab.session.go_on()
    await settle()
    assert tab.asked("generate")[-1]["prompt"].endswith("<user>Story?Once upon")
    await tab.answer(" a time")
    assert (tab.last.answer, len(tab.session.conversation.tree)) == ("Once upon a time", 1)


@plays
async def test_a_turn_remembers_its_model_and_a_kept_one_is_loaded_again():
    tab = await Tab().start()
    await tab.load()
    tab.session.ask("Hi")
    await settle()
    await tab.answer("Hello")
    assert tab.last.model == Answerer("Tiny", "x")  # the site's: the folder of its address
    kept = Conversation.from_rows(
        tab.session.conversation.to_row(), [tab.last.to_row(tab.session.conversation.id)]
    )
    assert kept.model == tab.last.model

    sha256 = "ab" * 32
    await tab.session.model.load_again(sha256)
    await settle()
    await tab.rests()
    assert tab.asked("load")[-1]["source"] == {"kind": "stored", "sha256": sha256}
    await tab.load()
    assert tab.session.model.source_key == sha256


@plays
async def test_an_answer_under_way_ends_when_another_model_is_loaded():
    tab = await Tab().start()
    await tab.load()
    tab.session.ask("Hi")
    await settle()
    await tab.says("tokens", "generate", text="Hel", count=1)
    tab.session.model.load_kept("ab" * 32)
    await settle()
    await tab.rests()
    assert (tab.last.answer, tab.last.phase, tab.last.problem) == ("Hel", "done", None)
    assert tab.restarts == [{"load": None}]
    assert "back" not in tab.told


@plays
async def test_a_file_of_the_disk_that_is_gone_is_told():
    tab = await Tab().start()
    await tab.load()
    gone = {"failed": {"code": "file_gone", "values": {}}}
    tab.bridge.services["open_disk_file"] = lambda key: gone
    await tab.session.model.load_again("mine.gguf-9-9")
    assert tab.session.model.problem.code == "file_gone"
    assert tab.session.model.loaded


@plays
async def test_unloading_ends_the_worker_that_held_the_memory():
    tab = await Tab().start()
    await tab.load()
    unloading = asyncio.ensure_future(tab.session.unload())
    await settle()
    await tab.rests()
    await unloading
    assert tab.restarts == [{"load": None}]
    assert len(tab.asked("load")) == 1  # nothing is loaded until somebody wants it
    assert "back" not in tab.told
    tab.session.model.load_site_model()
    await settle()
    await tab.load()
    assert tab.session.model.loaded
    tab.bridge.event("engine_restarted", True)  # this time it died
    await settle()
    assert len(tab.asked("load")) == 3


@plays
async def test_a_context_that_was_shortened_to_fit_is_told():
    tab = await Tab().start()
    await tab.says(**{**LOADED, "card": {**LOADED["card"], "full_context": 4096}}, request="load")
    assert "fitted" in tab.told


@plays
async def test_a_question_to_the_documents_is_answered_from_their_passages():
    tab = await Tab().start()
    await tab.load()
    found = [Hit(Passage(1, "d", "notes.md", 0, None, "Keys", "Behind the blue door."), 1.0)]
    tab.session.documents.search = lambda question, of: asyncio.sleep(0, found)
    tab.session.ask_documents(True)
    tab.session.ask("Where is the key?")
    await settle()
    prompt = tab.asked("generate")[-1]["prompt"]
    assert "<user>[1] Behind the blue door." in prompt
    assert prompt.endswith("Question: Where is the key?")
    await tab.answer("There", " [1].")
    assert [(source.name, source.text) for source in tab.last.sources] == [
        ("notes.md", "Behind the blue door.")
    ]
    found.clear()
    tab.session.ask("Who won?")
    await settle()
    assert (tab.last.sources, tab.last.answer, tab.last.phase) == ([], "", DONE)
    assert len(tab.asked("generate")) == 1  # the model is not asked to guess
    tab.session.ask_documents(False)
    tab.session.regenerate()
    await settle()
    assert tab.last.sources is None
    assert tab.asked("generate")[-1]["prompt"].endswith("<user>Who won?")
