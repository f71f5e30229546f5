"""The chat page: draws the session's conversation and passes on what is pressed."""

import time
from typing import Any

from onglet.agents.conversation import DONE, READING, WAITING, Turn
from onglet.browser.safe import Flow, blocks
from onglet.components import Chat
from onglet.words import has, say

TITLE = "chat.title"
ICON = "chat"

LABELS = {
    "log": "chat.log",
    "latest": "chat.latest",
    "you": "chat.you",
    "model": "chat.model",
    "copy": "chat.copy",
    "copied": "chat.copied",
    "copy_code": "chat.copy_code",
    "regenerate": "chat.regenerate",
    "edit": "chat.edit",
    "dismiss": "chat.dismiss",
    "question": "composer.label",
    "placeholder": "composer.placeholder",
    "send": "composer.send",
    "stop": "composer.stop",
    "hint": "composer.hint",
    "editing": "composer.editing",
    "cancel_edit": "composer.cancel_edit",
}
TRIES = (1, 2, 3, 4)
PHASE_WORDS = {WAITING: "chat.waiting", READING: "chat.reading"}
OWN_REASONS = ("cancelled", "length", "context")  # ends of an answer that deserve a word
LOAD_CODES = ("no_model", "cancelled")  # problems that loading a model solves
GAP = 0.05  # seconds between two updates of a growing answer
SLOW_RENDER, LONG_GAP = 0.015, 0.1


def view(app: Any) -> Chat:
    return ChatPage(app).chat


class ChatPage:
    def __init__(self, app: Any):
        self.app = app
        self.session = app.session
        self.chat = Chat(sizing_mode="stretch_both", margin=0)
        self.editing = False
        self._notices: dict[str, str] = {}  # key of the sentence -> look
        self._flow = Flow()
        self._next_update = 0.0
        self._listen()
        self.relabel()
        app.on_language(self.relabel)

    def _listen(self) -> None:
        self.chat.hear(
            ready=lambda _: self._draw_turns(),
            ask=lambda message: self._ask(message["text"]),
            stop=lambda _: self.session.stop(),
            copy=lambda message: self.app.copy(self._text(message["id"])),
            regenerate=lambda _: self._when_free(self.session.regenerate),
            edit=lambda _: self._edit(),
            cancel_edit=lambda _: self._end_edit(),
            notice=lambda message: self._notice_pressed(message["id"], message["act"]),
            load=lambda _: self.session.load(),
            new=lambda _: self.new_chat(),
        )
        for name, listener in {
            "turns": lambda _: self._draw_turns(),
            "turn": self._turn_changed,
            "words": lambda grown: self._words(*grown),
            "model": lambda _: self._status(),
            "engine_back": lambda _: self.notice("notice.engine_back", "plain"),
        }.items():
            self.session.on(name, listener)

    def relabel(self) -> None:
        """Says everything again, in the language of now."""
        tries = [{"label": say(f"try.{n}.label"), "text": say(f"try.{n}.text")} for n in TRIES]
        welcome = {name: say(f"try.{name}") for name in ("heading", "note")}
        self.chat.param.update(
            labels={name: say(key) for name, key in LABELS.items()},
            welcome={**welcome, "sentence": say("app.sentence"), "tries": tries},
        )
        self._draw_notices()
        self._status()
        if self.session.conversation.turns:
            self._draw_turns()

    # What is pressed

    def _when_free(self, act: Any, *arguments: Any) -> None:
        if not self.session.busy:
            act(*arguments)

    def _ask(self, text: str) -> None:
        if self.session.busy or not text.strip():
            return
        act = self.session.ask_instead if self.editing else self.session.ask
        self.editing = False
        self._notices.pop("chat.cleared", None)
        self._draw_notices()
        act(text)

    def _edit(self) -> None:
        if self.session.busy or not self.session.conversation.last:
            return
        self.editing = True
        self.chat.tell("draft", text=self.session.conversation.last.question)
        self._status()

    def _end_edit(self) -> None:
        self.editing = False
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
            self.notice("chat.cleared", "plain")
        if self.editing:
            self._end_edit()
        self.chat.tell("focus")

    def _text(self, id: str) -> str:
        number, role = int(id[:-1]), id[-1]
        turn = next(turn for turn in self.session.conversation.turns if turn.id == number)
        return turn.question if role == "q" else turn.answer

    # Notices

    def notice(self, key: str, look: str) -> None:
        self._notices[key] = look
        self._draw_notices()

    def _notice_pressed(self, key: str, act: bool) -> None:
        self._notices.pop(key, None)
        self._draw_notices()
        if act and key == "chat.cleared":
            self.session.undo_new_chat()

    def _draw_notices(self) -> None:
        action = {"chat.cleared": "chat.undo"}
        self.chat.notices = [
            {
                "id": key,
                "kind": look,
                "text": say(key),
                "action": say(action[key]) if key in action else None,
            }
            for key, look in self._notices.items()
        ]

    # Drawing

    def _status(self) -> None:
        session, text = self.session, ""
        if session.loading and not session.busy:
            text = say("composer.waits")
        context = ""
        if session.context_used and session.loaded:
            values = {"used": session.context_used, "context": session.loaded.context}
            context = say("composer.context", **values)
        status = {"busy": session.busy, "text": text, "context": context, "editing": self.editing}
        if status != self.chat.status:
            self.chat.status = status

    def _draw_turns(self) -> None:
        drawn = [part for turn in self.session.conversation.turns for part in self._parts(turn)]
        last = self.session.conversation.last
        self._flow = Flow()
        self._flow.add(last.answer if last else "")
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
        """Shows a growing answer, at most every 50 ms."""
        if len(turn.answer) == len(text):
            self._flow = Flow()
            self._turn_changed(turn)
        self._flow.add(text)
        now = time.monotonic()
        if now < self._next_update:
            return
        update = self._flow.update()
        self.chat.tell("blocks", id=f"{turn.id}a", start=update.start, blocks=update.blocks)
        took = time.monotonic() - now
        self._next_update = now + (LONG_GAP if took > SLOW_RENDER else GAP)

    def _parts(self, turn: Turn) -> list[dict]:
        """The question and the answer as the component draws them."""
        last = turn is self.session.conversation.last
        plain = {"text": "", "blocks": [], "note": "", "meta": "", "problem": None, "remark": ""}
        question = {**plain, "id": f"{turn.id}q", "role": "question", "text": turn.question}
        answer = {
            **plain,
            "id": f"{turn.id}a",
            "role": "answer",
            "blocks": blocks(turn.answer),
            "note": self._note(turn),
            "meta": self._meta(turn),
            "problem": self._problem(turn),
            "remark": self._remark(turn),
        }
        done = {"phase": DONE if turn.phase == DONE or not last else turn.phase, "last": last}
        return [{**question, "phase": done["phase"], "last": last}, {**answer, **done}]

    def _note(self, turn: Turn) -> str:
        if turn.phase in PHASE_WORDS:
            return say(PHASE_WORDS[turn.phase])
        if turn.phase != DONE or turn.problem:
            return ""
        reason = turn.figures.reason if turn.figures else "cancelled"
        if reason in OWN_REASONS:
            limits = {"limit": self.session.settings.max_tokens}
            context = turn.figures.context if turn.figures else 0
            return say(f"chat.reason.{reason}", context=context, **limits)
        return "" if turn.answer.strip() else say("chat.empty_answer")

    def _meta(self, turn: Turn) -> str:
        figures = turn.figures
        if not figures or not figures.answer_tokens:
            return ""
        parts = [say("chat.count", count=figures.answer_tokens)]
        if figures.decode_tokens_per_second:
            parts.append(say("chat.speed", rate=figures.decode_tokens_per_second))
        return " · ".join(parts)

    def _problem(self, turn: Turn) -> dict | None:
        if not turn.problem:
            return None
        loads = turn.problem.code in LOAD_CODES
        action = ("load", "model.load") if loads else ("regenerate", "error.retry")
        if turn.problem.code == "prompt_too_long":
            action = ("new", "chat.new")
        return {
            "title": say("error.title"),
            "text": sentence_of(turn.problem),
            "actions": [{"name": action[0], "label": say(action[1])}],
        }

    def _remark(self, turn: Turn) -> str:
        if turn.id != self.session.first_answered or turn.phase != DONE:
            return ""
        return say("chat.first_answer", sent=self.session.ledger["bytes"])


def sentence_of(problem: Any) -> str:
    """The plain sentence for a Refused; unknown codes and missing values get the general one."""
    key = f"error.{problem.code}"
    try:
        return say(key, **problem.values) if has(key) else say("error.unknown", code=problem.code)
    except (KeyError, ValueError, TypeError):
        return say("error.unknown", code=problem.code)
