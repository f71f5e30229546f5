"""The chat page: draws the session's conversation and passes on what is pressed."""

import time
from dataclasses import dataclass
from typing import Any

from onglet.agents import steps
from onglet.agents.conversation import CHOOSING, DONE, READING, WAITING, Turn
from onglet.agents.grounding import Source
from onglet.agents.steps import Step
from onglet.agents.thoughts import Parts
from onglet.browser.safe import Flow, blocks, clean
from onglet.components import Chat
from onglet.engine.errors import Refused
from onglet.vault.artifacts import LONGEST, Artifacts, title_of
from onglet.words import explain, say

TITLE, ICON, PLACE = "chat.title", "chat", 10

LABELS = {
    "log": "chat.log",
    "latest": "chat.latest",
    "you": "chat.you",
    "model": "chat.model",
    "copy": "chat.copy",
    "copied": "chat.copied",
    "copy_code": "chat.copy_code",
    "show_artifact": "artifacts.show",
    "show_code": "artifacts.code",
    "keep_artifact": "artifacts.keep",
    "regenerate": "chat.regenerate",
    "edit": "chat.edit",
    "before": "chat.branch_before",
    "after": "chat.branch_after",
    "dismiss": "chat.dismiss",
    "allow": "tool.allow",
    "refuse": "tool.refuse",
    "question": "composer.label",
    "placeholder": "composer.placeholder",
    "send": "composer.send",
    "stop": "composer.stop",
    "hint": "composer.hint",
    "editing": "composer.editing",
    "cancel_edit": "composer.cancel_edit",
    "documents": "composer.documents",
    "sources": "chat.sources",
    "show_source": "documents.show",
}
TRIES = (1, 2, 3, 4)
PHASE_WORDS = {WAITING: "chat.waiting", CHOOSING: "chat.choosing", READING: "chat.reading"}
GO_ON_REASONS = ("cancelled", "length")  # ends of an answer after which it can go on
OWN_REASONS = ("cancelled", "length", "context")  # ends of an answer that deserve a word
LOAD_CODES = ("no_model", "cancelled")  # problems that loading a model solves
GAP = 0.05  # seconds between two updates of a growing answer, at least
REST = 4  # times as long as the last update took: a table of 10,000 cells must not stop the page
UNREADABLE = ("key_lost", "damaged", "newer")
REMIND_AFTER = 10  # conversations kept without an export or the browser's promise


@dataclass(frozen=True)
class Notice:
    """A line above the composer: the key of its sentence, its look, the key of its button."""

    key: str
    look: str = "plain"
    action: str = ""


NOTICES = {
    "engine_back": Notice("notice.engine_back"),
    "smaller": Notice("notice.smaller"),
    "fitted": Notice("notice.fitted"),
    "other_model": Notice("notice.other_model", action="notice.load_before"),
    "artifact": Notice("notice.artifact", action="notice.artifact.open"),
    "cleared": Notice("chat.cleared", action="chat.undo"),
    "one_thread": Notice("notice.one_thread", "warning"),
    "no_storage": Notice("notice.no_storage", "warning"),
    "new_build": Notice("notice.new_build", action="notice.use_new_build"),
    "other_tabs": Notice("notice.other_tabs"),
    "problem": Notice("error.title", "problem", action="model.load"),
    "memory": Notice("notice.memory", "warning", action="data.title"),
    "no_store": Notice("notice.no_store", "warning", action="data.title"),
    "gone": Notice("notice.gone", "problem", action="data.title"),
    "unreadable": Notice("notice.unreadable", "problem", action="data.title"),
    "not_saved": Notice("error.title", "problem", action="data.title"),
    "export": Notice("notice.export", action="data.title"),
}


def view(app: Any) -> Chat:
    """Builds the page."""
    return ChatPage(app).chat


class ChatPage:
    def __init__(self, app: Any):
        self.app = app
        self.session = app.session
        self.chat = Chat(sizing_mode="stretch_both", margin=0)
        self.editing = ""  # the id of the turn whose question is being changed
        self.wrong = ""  # why the last passphrase did not open
        self._reminded = False
        self._notices: dict[str, Notice] = {}
        self._flow = Flow()
        self._next_update = 0.0
        self._opened = ""  # the conversation that was shown last
        self._reopened = False  # whether it was begun before, and nobody has asked on
        self._models = {"before": "", "now": ""}  # that answered, that would go on
        self._context = 0  # tokens of the model's context, when it had to be shortened
        self._full = 0  # tokens that it would have elsewhere
        self._listen()
        self.relabel()
        app.on_language(self.relabel)
        app.on_shortcut("new_chat", self.new_chat)
        app.on_shortcut("stop", self.escape)

    def _listen(self) -> None:
        app_run, keeper = self.app.run, self.session.keeper
        keeper.on("state", lambda _: self._kept_changed())
        keeper.on("problem", lambda _: self._saving_changed())
        self.chat.hear(
            ready=lambda _: self._draw_turns(),
            ask=lambda message: self._ask(message["text"]),
            stop=lambda _: self.session.stop(),
            copy=lambda message: self.app.copy(self._text(message["id"])),
            copy_code=lambda message: self.app.copy(message["text"]),
            keep_artifact=lambda message: app_run(self._keep_artifact(message["text"])),
            regenerate=lambda _: self._when_free(self.session.regenerate),
            go_on=lambda _: self._when_free(self.session.go_on),
            permit=lambda message: self.session.permit(bool(message["yes"])),
            edit=lambda message: self._edit(message["id"][:-1]),
            branch=lambda message: self._when_free(self.session.show_branch, message["id"]),
            unlock=lambda message: app_run(self._unlock(message["passphrase"])),
            cancel_edit=lambda _: self._end_edit(),
            documents=lambda _: self.session.ask_documents(not self.session.asks_documents),
            show_source=lambda message: self._show_source(message["id"], message["number"]),
            notice=lambda message: self._notice_pressed(message["id"], message["act"]),
            load=lambda _: self.session.model.load(),
            new=lambda _: self.new_chat(),
        )
        for name, listener in {
            "turns": lambda _: self._draw_turns(),
            "turn": self._turn_changed,
            "words": lambda grown: self._words(*grown),
            "facts": self._warn,
            "outside": self._outside,
            "documents": lambda _: self._status(),
        }.items():
            self.session.on(name, listener)
        for name, listener in {
            "changed": lambda _: self._model_changed(),
            "back": lambda _: self.notice("engine_back"),
            "smaller": self._smaller,
            "fitted": self._fitted,
        }.items():
            self.session.model.on(name, listener)
        self.session.documents.on("changed", lambda _: self._status())

    def relabel(self) -> None:
        """Says everything again, in the language of now."""
        self.chat.param.update(
            labels={name: say(key) for name, key in LABELS.items()},
            welcome=self._welcome(),
        )
        self._draw_notices()
        self._draw_locked()
        self._status()
        if self.session.conversation.turns:
            self._draw_turns()

    def _welcome(self) -> dict:
        """What stands where no question was asked yet: of the app, or of the agent that answers."""
        if agent := self.session.conversation.agent:
            tries = [{"label": opening, "text": opening} for opening in agent.openings]
            heading = say("agents.answers", name=agent.name)
            return {"heading": heading, "note": "", "sentence": agent.purpose, "tries": tries}
        tries = [{"label": say(f"try.{n}.label"), "text": say(f"try.{n}.text")} for n in TRIES]
        welcome = {name: say(f"try.{name}") for name in ("heading", "note")}
        return {**welcome, "sentence": say("app.sentence"), "tries": tries}

    # What is pressed

    def _when_free(self, act: Any, *arguments: Any) -> None:
        if not self.session.busy:
            act(*arguments)

    def _ask(self, text: str) -> None:
        if self.session.busy or not text.strip():
            return
        edited, self.editing = self.editing, ""
        self._forget("cleared")
        self._forget("engine_back")
        self._reopened = False  # whoever asks on knows who answers
        if edited in self.session.conversation.tree:
            self.session.ask_instead(text, edited)
        else:
            self.session.ask(text)
        if not self.session.facts.get("touch"):
            self.chat.tell("focus")

    def _edit(self, id: str) -> None:
        turn = self.session.conversation.tree.get(id)
        if self.session.busy or not turn:
            return
        self.editing = id
        self.chat.tell("draft", text=turn.question)
        self._status()

    def _end_edit(self) -> None:
        self.editing = ""
        self.chat.tell("draft", text="")
        self._status()

    def escape(self) -> None:
        """What the Escape key does here."""
        if self.session.busy:
            self.session.stop()
        elif self.editing:
            self._end_edit()

    def new_chat(self) -> None:
        if self.session.conversation.turns:
            self.session.new_chat()
            self.notice("cleared")
        else:  # the one that this tab showed may still be on its way from the store
            self.session.new_chat(agent=self.session.conversation.agent)
        if self.editing:
            self._end_edit()
        self.chat.tell("focus")

    def _text(self, id: str) -> str:
        turn = self.session.conversation.tree[id[:-1]]
        return turn.question if id.endswith("q") else turn.parts().said

    def _show_source(self, id: str, number: int) -> None:
        """Shows a passage in its document."""
        source = self.session.conversation.tree[id[:-1]].sources[number]
        self.app.go_to("documents")
        self.session.documents.show(source.document, source.place)

    async def _keep_artifact(self, source: str) -> None:
        """Keeps a page that the model wrote; where nothing can be kept another notice says so."""
        if store := self.session.keeper.open_store:
            await Artifacts(store).add(title_of(source), source[:LONGEST])
            self.notice("artifact")

    # What is kept

    def _kept_changed(self) -> None:
        """Says what it means when nothing, or not all, can be kept."""
        state = self.session.keeper.state
        told = {
            "memory": state["phase"] == "ready" and not state["durable"],
            "no_store": state["phase"] in ("none", "broken"),
            "unreadable": state["phase"] in UNREADABLE,
            "gone": state["phase"] == "gone",
        }
        for name, true in told.items():
            self.notice(name) if true else self._forget(name)
        self._saving_changed()
        self._draw_locked()
        if self.session.keeper.history and state["durable"]:
            self.app.run(self._remind())

    async def _remind(self) -> None:
        """Once in a tab: what the browser may delete should be somewhere else too."""
        if self._reminded or self.session.facts.get("persisted"):
            return
        self._reminded = True
        exported = await self.app.bridge.call("recall", name="exported")
        kept = await self.session.keeper.history.recent()
        if len(kept) >= REMIND_AFTER and not exported:
            self.notice("export")

    def _saving_changed(self) -> None:
        """Why the last change was not kept; where nothing can be, another notice says so."""
        keeper = self.session.keeper
        fails = keeper.problem and keeper.history
        self.notice("not_saved") if fails else self._forget("not_saved")

    def _draw_locked(self) -> None:
        if not self.session.keeper.locked:
            self.wrong = ""
            locked = {"title": ""}
        else:
            names = ("title", "text", "label", "button")
            locked = {**{name: say(f"locked.{name}") for name in names}, "problem": self.wrong}
        if locked != self.chat.locked:
            self.chat.locked = locked

    async def _unlock(self, passphrase: str) -> None:
        try:
            await self.session.keeper.unlock(passphrase)
        except Refused as refused:
            self.wrong = explain(refused.code, refused.values)
            self._draw_locked()

    # Notices

    def notice(self, name: str) -> None:
        self._notices[name] = NOTICES[name]
        self._draw_notices()

    def _warn(self, facts: dict) -> None:
        """Says in plain words what this browser cannot do here."""
        if not facts["isolated"]:
            self.notice("one_thread")

    def _outside(self, name: str) -> None:
        if name == "offline_ready" and self.session.offline_ready is False:
            self.notice("no_storage")
        elif name == "new_build":
            self.notice("new_build")

    def _smaller(self, context: int) -> None:
        self._context = context
        self.notice("smaller")

    def _fitted(self, contexts: tuple[int, int]) -> None:
        self._context, self._full = contexts
        self.notice("fitted")

    async def _use_new_build(self) -> None:
        if not await self.session.use_new_build():
            self.notice("other_tabs")

    def _forget(self, name: str) -> None:
        if self._notices.pop(name, None):
            self._draw_notices()

    def _notice_pressed(self, name: str, act: bool) -> None:
        self._forget(name)
        if act and name == "cleared":
            self.session.undo_new_chat()
        elif act and name == "artifact":
            self.app.go_to("artifacts")
        elif act and name == "new_build":
            self.app.run(self._use_new_build())
        elif name == "other_model":
            self._reopened = False
            if act and (before := self.session.conversation.model):
                self.app.run(self.session.model.load_again(before.key))
        elif act and NOTICES[name].action == "data.title":
            self.app.data_sheet.open()
        elif act and name == "problem" and self.session.deleted:
            self.app.run(self.app.bridge.call("reload"))
        elif name == "problem":
            self.session.model.load() if act else self.session.model.forget_problem()

    def _draw_notices(self) -> None:
        drawn = [self._drawn_notice(*item) for item in self._notices.items()]
        if drawn != self.chat.notices:
            self.chat.notices = drawn

    def _drawn_notice(self, name: str, notice: Notice) -> dict:
        problems = {"problem": self.session.model.problem, "not_saved": self.session.keeper.problem}
        problem = problems.get(name)
        words = explain(problem.code, problem.values) if problem else self._said(name, notice)
        action = say(notice.action) if notice.action else None
        if name == "problem" and self.session.model.loaded:
            action = None  # the model that was there answers again
        elif name == "problem" and self.session.deleted:
            action = say("notice.reload")
        cancelled = problem and problem.code == "cancelled"
        look = "plain" if cancelled else notice.look
        return {"id": name, "kind": look, "text": words, "action": action}

    def _said(self, name: str, notice: Notice) -> str:
        if name == "smaller":
            return say(notice.key, context=self._context)
        if name == "fitted":
            return say(notice.key, context=self._context, full=self._full)
        if name == "other_model":
            return say(notice.key, **self._models)
        return say(notice.key)

    def _model_changed(self) -> None:
        """A load that failed is told in the chat, where everybody looks."""
        if self.session.model.problem and not self.session.model.loading:
            self.notice("problem")
        elif not self.session.model.problem:
            self._forget("problem")
        self._compare_models()
        self._status()

    def _compare_models(self) -> None:
        """Says when another model than the one that answered in a reopened chat would go on."""
        session, before = self.session, self.session.conversation.model
        if session.conversation.id != self._opened:
            self._opened = session.conversation.id
            self._reopened = before is not None
        differs = before and session.model.loaded and before.key != session.model.source_key
        if self._reopened and differs and not session.model.loading and not session.busy:
            names = {"before": before.name, "now": str(session.model.loaded.card.get("name"))}
            self._models = {which: clean(name) for which, name in names.items()}
            self.notice("other_model")
        else:
            self._forget("other_model")

    # Drawing

    def _status(self) -> None:
        session, text = self.session, ""
        if session.model.loading and not session.busy:
            text = say("composer.waits")
        context = ""
        if session.context_used and session.model.loaded:
            values = {"used": session.context_used, "context": session.model.loaded.context}
            context = say("composer.context", **values)
        status = {"busy": session.busy, "text": text, "context": context}
        status["editing"] = bool(self.editing)
        status["documents"] = session.asks_documents if session.documents.entries else None
        status["collection"] = session.collection
        if status != self.chat.status:
            self.chat.status = status

    def _draw_turns(self) -> None:
        drawn = [part for turn in self.session.conversation.turns for part in self._parts(turn)]
        last = self.session.conversation.last
        self._flow = Flow()
        self._flow.add(last.parts().said if last else "")
        self._compare_models()
        if not drawn and self.chat.welcome != self._welcome():
            self.chat.welcome = self._welcome()
        self.chat.tell("turns", turns=drawn)
        self._status()

    def _turn_changed(self, turn: Turn) -> None:
        """Draws one answer again, once it is done from its whole text."""
        question, answer = self._parts(turn)
        self.chat.tell("change", id=answer["id"], fields=answer)
        if turn.phase == DONE:
            self.chat.tell("change", id=question["id"], fields=question)
        self._status()

    def _words(self, turn: Turn, text: str) -> None:
        """Shows a growing answer, at most every 50 ms and a fifth of the time."""
        if len(turn.answer) == len(text):
            self._flow = Flow()
            self._turn_changed(turn)
        parts = turn.parts()
        self._flow.add(parts.said[len(self._flow.text) :])
        now = time.monotonic()
        if now < self._next_update:
            return
        update = self._flow.update()
        fields = {"start": update.start, "blocks": update.blocks, **self._thoughts(turn, parts)}
        self.chat.tell("blocks", id=f"{turn.id}a", **fields)
        end = time.monotonic()
        self._next_update = end + max(GAP, REST * (end - now))

    def _parts(self, turn: Turn) -> list[dict]:
        """The question and the answer as the component draws them."""
        last = turn is self.session.conversation.last
        plain = {
            "text": "",
            "blocks": [],
            "note": "",
            "meta": "",
            "meta_title": "",
            "problem": None,
            "remark": "",
            "sources": [],
        }
        wordings, answers = self.session.conversation.variants(turn)
        branches = [stepper(ids, turn.id) for ids in (wordings, answers)]
        plain |= {"go_on": "", "branch": branches[0]}
        parts = turn.parts()
        question = {**plain, "id": f"{turn.id}q", "role": "question", "text": turn.question}
        answer = {
            **plain,
            "id": f"{turn.id}a",
            "role": "answer",
            "blocks": blocks(parts.said),
            **self._thoughts(turn, parts),
            "steps": [drawn_step(step) for step in turn.steps],
            "note": self._note(turn),
            "meta": self._meta(turn),
            "meta_title": clean(turn.model.key) if turn.model else "",
            "problem": self._problem(turn),
            "remark": self._remark(turn),
            "sources": [self._source(source) for source in turn.sources or []],
            "go_on": self._go_on(turn) if last else "",
            "branch": branches[1],
        }
        done = {"phase": DONE if turn.phase == DONE or not last else turn.phase, "last": last}
        return [{**question, "phase": done["phase"], "last": last}, {**answer, **done}]

    def _go_on(self, turn: Turn) -> str:
        """The word on the button that goes on with an answer, "" for none."""
        reason = turn.figures.reason if turn.figures else ""
        cut = turn.interrupted or bool(turn.problem and turn.answer) or reason in GO_ON_REASONS
        return say("chat.go_on") if cut and turn.phase == DONE else ""

    def _thoughts(self, turn: Turn, parts: Parts) -> dict:
        """What the model thought, with the name of the fold it lies in."""
        goes_on = parts.thinking and turn.phase != DONE
        label = say("chat.thinking" if goes_on else "chat.thoughts")
        return {"thoughts": parts.thoughts, "thoughts_label": label}

    def _note(self, turn: Turn) -> str:
        if turn.interrupted:
            return say("chat.interrupted")
        if turn.phase == CHOOSING and turn.steps and turn.steps[-1].state == steps.ASKS:
            return ""
        if turn.phase == WAITING and self.session.asks_documents and turn.sources is None:
            return say("chat.searching")
        if turn.phase in PHASE_WORDS:
            return say(PHASE_WORDS[turn.phase])
        if turn.phase != DONE or turn.problem:
            return ""
        if turn.sources == []:
            return say("chat.not_in_documents")
        reason = turn.figures.reason if turn.figures else "cancelled"
        if reason in OWN_REASONS:
            limits = {"limit": self.session.settings.max_tokens}
            context = turn.figures.context if turn.figures else 0
            return say(f"chat.reason.{reason}", context=context, **limits)
        return "" if turn.parts().said.strip() else say("chat.empty_answer")

    def _meta(self, turn: Turn) -> str:
        """Counts, speed, and which model it was."""
        figures, parts = turn.figures, []
        if figures and figures.answer_tokens:
            parts.append(say("chat.count", count=figures.answer_tokens))
            if figures.decode_tokens_per_second:
                parts.append(say("chat.speed", rate=figures.decode_tokens_per_second))
        if turn.model and turn.answer:
            parts.append(clean(turn.model.name))
        return " · ".join(parts)

    def _source(self, source: Source) -> dict:
        """A passage under its answer."""
        page = say("documents.page", page=source.page) if source.page else ""
        seen = say("documents.seen") if source.seen else ""
        parts = (source.name, page, source.headings, seen)
        label = " · ".join(clean(part) for part in parts if part)
        name = {"name": clean(source.name), "page": source.page}
        return {**name, "label": label, "text": clean(source.text)}

    def _problem(self, turn: Turn) -> dict | None:
        if not turn.problem:
            return None
        loads = turn.problem.code in LOAD_CODES
        action = ("load", "model.load") if loads else ("regenerate", "error.retry")
        if turn.problem.code == "prompt_too_long":
            action = ("new", "chat.new")
        return {
            "title": say("error.title"),
            "text": explain(turn.problem.code, turn.problem.values),
            "actions": [{"name": action[0], "label": say(action[1])}],
        }

    def _remark(self, turn: Turn) -> str:
        if turn.id != self.session.first_answered or turn.phase != DONE:
            return ""
        return say("chat.first_answer", sent=self.session.ledger["bytes"])


def drawn_step(step: Step) -> dict:
    """One call of a tool, its arguments and result as text that can be seen."""
    asks = step.state == steps.ASKS
    key = f"tool.{step.state}" if step.result or step.state != steps.FAILED else "tool.stopped"
    return {
        "title": say(key, tool=step.tool),
        "asks": say("tool.question", tool=step.tool) if asks else "",
        "arguments_label": say("tool.arguments"),
        "arguments": clean(step.written()),
        "result_label": say("tool.result") if step.result else "",
        "result": clean(step.result),
        "figures": [
            {
                "source": f"data:image/png;base64,{figure}",
                "label": say("tool.figure", number=number),
            }
            for number, figure in enumerate(step.figures, 1)
        ],
    }


def stepper(ids: list[str], shown: str) -> dict | None:
    """Where the shown branch stands among those beside it."""
    if len(ids) < 2:
        return None
    place = ids.index(shown)
    before = ids[place - 1] if place else ""
    after = ids[place + 1] if place + 1 < len(ids) else ""
    return {"place": place + 1, "count": len(ids), "before": before, "after": after}
