"""What is kept on this device and how it is protected: lock, passphrase, recovery, files to take
away and back, deletion."""

import time
from collections.abc import Coroutine
from typing import Any

from onglet.engine.errors import Refused
from onglet.sheets.side import SideSheet, buttons, form, plain, text, title
from onglet.vault import archive
from onglet.vault.rescue import Rescued
from onglet.words import explain, say, size

PHASES = {  # what the store says of itself -> its sentence
    "starting": "data.starting",
    "none": "data.none",
    "broken": "data.none",
    "locked": "data.is_locked",
    "key_lost": "error.key_lost",
    "damaged": "error.store_damaged",
    "gone": "notice.gone",
    "newer": "error.newer_store",
}
RECOVERABLE = ("locked", "key_lost")
WRITTEN = {"json": archive.as_json, "md": archive.as_markdown}


class DataSheet(SideSheet):
    title = "data.title"

    def __init__(self, app: Any):
        self.app = app
        self.session = app.session
        self.keeper = app.session.keeper
        self.problem: Refused | None = None
        self.done = ""  # what was done last, as a sentence
        self.asking = ""  # which question is open: passphrase, recovery, import, wipe ...
        self.code = ""
        self.bytes: int | None = None
        self.contents: dict[str, int] = {}
        self.rescued: Rescued | None = None  # what can be read of a damaged store
        super().__init__()
        self._listen()
        app.on_language(self.relabel)
        app.on_shortcut("lock", self._lock_by_key)
        self.relabel()

    def _listen(self) -> None:
        ask = {
            name: lambda _, name=name: self._ask(name)
            for name in ("protect", "change", "recover_ask", "wipe_ask")
        }
        self.sheet.hear(
            **ask,
            cancel=lambda _: self._ask(""),
            lock=lambda _: self._run(self.keeper.lock(), "data.is_locked"),
            unlock=lambda m: self._run(self.keeper.unlock(m["passphrase"]), "data.unlocked"),
            set_passphrase=lambda m: self._protect(
                m["new_passphrase"], m["new_passphrase_again"], None
            ),
            change_passphrase=lambda m: self._protect(
                m["new_passphrase"], m["new_passphrase_again"], m["passphrase"]
            ),
            drop_passphrase=lambda m: self._run(
                self.keeper.protect(None, m["passphrase"]), "data.passphrase_dropped"
            ),
            code=lambda _: self._run(self._show_code()),
            copy_code=lambda _: self.app.copy(self.code),
            print_code=lambda _: self._save(
                "onglet-recovery.txt", say("data.code_sheet", code=self.code)
            ),
            recover=lambda m: self._run(self.keeper.recover(m["code"]), "data.recovered"),
            persist=lambda _: self._run(self._persist()),
            seal=lambda _: self._run(self._ask_export()),
            rescue=lambda _: self._run(self._rescue()),
            rescue_json=lambda _: self._run(self._save_rescued(), "data.saved"),
            rebuild=lambda m: self._run(self._rebuild(m.get("passphrase")), "data.rebuilt"),
            export=lambda m: self._export(m["new_passphrase"], m["new_passphrase_again"]),
            pick=lambda _: self._run(self._pick()),
            import_file=lambda m: self._run(self._import(m["passphrase"])),
            as_json=lambda _: self._run(self._readable("json"), "data.saved"),
            as_markdown=lambda _: self._run(self._readable("md"), "data.saved"),
            wipe=lambda _: self._run(self._wipe(), "data.wiped"),
        )
        self.keeper.on("state", lambda _: self.draw())
        self.keeper.on("problem", lambda _: self.draw())

    def open(self) -> None:
        self.problem, self.done, self.asking, self.code = None, "", "", ""
        self.rescued = None
        super().open()
        self.draw()
        self._run(self._measure())

    def _ask(self, name: str) -> None:
        self.asking, self.problem, self.done, self.code = name, None, "", ""
        self.draw()

    def _run(self, work: Coroutine, done: str = "") -> None:
        self.app.run(self._carry_out(work, done))

    async def _carry_out(self, work: Coroutine, done: str) -> None:
        """What goes wrong is said here in one sentence."""
        try:
            said = await work
            self.problem = None
            self.done = (say(done) if done else said) or self.done
            if done or said:
                self.asking = ""
        except Refused as refused:
            self.problem, self.done = refused, ""
        self.draw()

    # Drawing

    def draw(self) -> None:
        sections = [*self._told(), *self._state()]
        if self.keeper.state["phase"] == "ready":
            sections += (
                [*self._protection(), *self._files()]
                if self.keeper.state["durable"]
                else self._files()
            )
        elif self.keeper.state["phase"] == "damaged":
            sections += self._rest()
        elif self.keeper.state["phase"] in RECOVERABLE:
            sections += self._recovery()
        if self.keeper.state["phase"] not in ("starting", "ready", "locked"):
            sections += self._screen()
        if self.keeper.state["phase"] not in ("starting", "none", "broken", "gone"):
            sections += self._deletion()
        if sections != self.sheet.sections:
            self.sheet.sections = sections

    def _told(self) -> list[dict]:
        if self.problem:
            words = explain(self.problem.code, self.problem.values)
            return [{"kind": "text", "text": words, "look": "problem"}]
        return [{"kind": "text", "text": self.done, "look": "big"}] if self.done else []

    def _state(self) -> list[dict]:
        state = self.keeper.state
        if state["phase"] != "ready":
            return [text(PHASES[state["phase"]])]
        if not state["durable"]:
            return [text("data.memory")]
        rows = [[say("data.where"), say("data.where_here"), ""]]
        rows.append(
            [
                say("data.encrypted"),
                say("data.by_passphrase" if state["protected"] else "data.by_browser"),
                "",
            ]
        )
        if self.bytes is not None:
            rows.append([say("data.size"), size(self.bytes), ""])
        kept = bool(self.session.facts.get("persisted"))
        rows.append(
            [say("data.persisted"), say("data.persisted_yes" if kept else "data.persisted_no"), ""]
        )
        return [
            {"kind": "rows", "rows": rows},
            *([] if kept else [buttons(persist="data.persist")]),
        ]

    def _protection(self) -> list[dict]:
        sections = [title("data.protection")]
        protected = self.keeper.state["protected"]
        if self.asking == "protect":
            return [
                *sections,
                form(
                    "set_passphrase",
                    "new_passphrase",
                    "new_passphrase_again",
                    button="data.set",
                    hint="data.set_hint",
                ),
                back(),
            ]
        if self.asking == "change":
            fields = ("passphrase", "new_passphrase", "new_passphrase_again")
            change = form("change_passphrase", *fields, button="data.change")
            return [
                *sections,
                change,
                form("drop_passphrase", "passphrase", button="data.drop", hint="data.drop_hint"),
                back(),
            ]
        if self.code:
            code = {"kind": "text", "text": self.code, "look": "code"}
            return [
                *sections,
                text("data.code_hint"),
                code,
                buttons(copy_code="chat.copy", print_code="data.code_save", cancel="data.back"),
            ]
        if protected:
            return [
                *sections,
                buttons(lock="data.lock", change="data.change_ask", code="data.code"),
            ]
        return [
            *sections,
            text("data.protect_hint", "muted"),
            buttons(protect="data.protect", code="data.code"),
        ]

    def _files(self) -> list[dict]:
        sections = [title("data.files")]
        if self.asking == "seal":
            return [
                *sections,
                form(
                    "export",
                    "new_passphrase",
                    "new_passphrase_again",
                    button="data.export",
                    hint="data.export_hint",
                ),
                text("data.export_holds", "muted", **self.contents),
                back(),
            ]
        if self.asking.startswith("import:"):
            name = {"kind": "text", "text": self.asking.removeprefix("import:"), "look": ""}
            return [
                *sections,
                name,
                form("import_file", "passphrase", button="data.import", hint="data.import_hint"),
                back(),
            ]
        return [
            *sections,
            text("data.files_hint", "muted"),
            buttons(seal="data.export_ask", pick="data.import_ask"),
            text("data.readable_hint", "muted"),
            plain(as_markdown="data.as_markdown", as_json="data.as_json"),
        ]

    def _recovery(self) -> list[dict]:
        unlock = (
            [form("unlock", "passphrase", button="locked.button")] if self.keeper.locked else []
        )
        return [
            *unlock,
            title("data.recovery"),
            form("recover", "code", button="data.recover", hint="data.recover_hint"),
        ]

    def _rest(self) -> list[dict]:
        """What a damaged store still offers."""
        sections = [title("data.rescue")]
        if not self.rescued:
            return [
                *sections,
                text("data.rescue_hint", "muted"),
                buttons(rescue="data.rescue_look"),
            ]
        counts = {kind: self.rescued.count(kind) for kind in ("conversation", "turn", "document")}
        if not any(counts.values()):
            return [*sections, text("data.rescue_none")]
        sections.append(text("data.rescue_found", **counts))
        if self.rescued.unsure:
            sections.append(text("data.rescue_unsure", unsure=self.rescued.unsure))
        sections.append(plain(rescue_json="data.as_json"))
        if self.keeper.state["protected"]:
            go_on = form("rebuild", "passphrase", button="data.rebuild", hint="data.rebuild_hint")
            return [*sections, go_on]
        return [*sections, text("data.rebuild_hint", "muted"), buttons(rebuild="data.rebuild")]

    def _screen(self) -> list[dict]:
        """What is on the screen, and is kept nowhere."""
        if not self.session.conversation.tree:
            return []
        save = buttons(as_markdown="data.as_markdown", as_json="data.as_json")
        return [title("data.screen"), text("data.screen_hint", "muted"), save]

    def _deletion(self) -> list[dict]:
        if self.asking == "wipe_ask":
            return [
                title("data.delete"),
                text("data.wipe_sure", "problem"),
                buttons(cancel="data.back", wipe="data.wipe"),
            ]
        return [
            title("data.delete"),
            text("data.delete_hint", "muted"),
            plain(wipe_ask="data.wipe_ask"),
        ]

    # Acts

    async def _measure(self) -> None:
        if self.keeper.state["phase"] == "ready":
            self.bytes = sum(file["bytes"] for file in (await self.keeper.usage())["files"])

    def _protect(self, new: str, again: str, current: str | None) -> None:
        self._run(self._protect_now(new, again, current), "data.passphrase_set")

    async def _protect_now(self, new: str, again: str, current: str | None) -> None:
        if new != again:
            raise Refused("passphrases_differ")
        await self.keeper.protect(new, current)

    def _lock_by_key(self) -> None:
        if self.keeper.state["protected"] and not self.keeper.locked:
            self._run(self.keeper.lock(), "data.is_locked")

    async def _show_code(self) -> None:
        self.code = await self.keeper.recovery_code()

    async def _persist(self) -> str:
        kept = await self.keeper.persist()
        self.session.facts = {**self.session.facts, "persisted": kept}
        return say("data.persisted_yes" if kept else "data.persist_refused")

    def _export(self, new: str, again: str) -> None:
        self._run(self._export_now(new, again))

    async def _export_now(self, new: str, again: str) -> str:
        if new != again:
            raise Refused("passphrases_differ")
        bytes = await self.keeper.export(new, f"onglet-{day()}.onglet")
        self.app.run(self.app.bridge.call("remember", name="exported", value=day()))
        return say("data.exported", bytes=bytes)

    async def _ask_export(self) -> None:
        self.contents = await self.keeper.contents()
        self._ask("seal")

    async def _rescue(self) -> None:
        self.rescued = await self.keeper.look_for_the_rest()

    async def _save_rescued(self) -> None:
        self._save(f"onglet-{day()}.json", archive.as_json(self.rescued.lists()))

    async def _rebuild(self, passphrase: str | None) -> None:
        await self.keeper.go_on_with(self.rescued, passphrase)
        self.rescued = None

    async def _pick(self) -> None:
        picked = await self.app.bridge.call("pick_sealed_file")
        if picked:
            self.asking, self.done = f"import:{picked['name']}", ""

    async def _import(self, passphrase: str) -> str:
        count = await self.keeper.import_picked(passphrase)
        return say("data.imported", count=count)

    async def _readable(self, kind: str) -> None:
        """All that is kept; where nothing is, what is on the screen."""
        kept = self.keeper.history
        rows = await archive.rows_of(self.keeper.store) if kept else self.session.rows()
        self._save(f"onglet-{day()}.{kind}", WRITTEN[kind](rows))

    def _save(self, name: str, words: str) -> None:
        self.app.run(self.app.bridge.call("save_text", name=name, text=words))

    async def _wipe(self) -> None:
        await self.keeper.wipe()
        self.session.new_chat(undo=False)


def back() -> dict:
    return plain(cancel="data.back")


def day() -> str:
    return time.strftime("%Y-%m-%d")
