"""The agents page: agents and flows that come with the site, that are kept here, and what a link
proposes. A link is
shown whole before anything of it can be used; showing it loads, keeps and runs nothing.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from onglet import words
from onglet.agents import config, gallery, links
from onglet.agents.artifact import Page
from onglet.agents.config import Agent
from onglet.agents.flow import Flow
from onglet.agents.links import Thing
from onglet.agents.tools import PERMISSIONS, known
from onglet.components import Paper
from onglet.engine.errors import Refused
from onglet.sheets.editor import Editor, tool_says
from onglet.sheets.flow import Flows
from onglet.sheets.schedules import Plans
from onglet.sheets.share import Share
from onglet.sheets.side import buttons, form, plain, text, title
from onglet.vault.artifacts import Artifacts
from onglet.vault.cases import Cases
from onglet.vault.notes import Note, Notes
from onglet.vault.shelf import Kept, Shelf
from onglet.words import explain, number, say, size

TITLE, ICON, PLACE = "agents.title", "agent", 20


def view(app: Any) -> Paper:
    """Builds the page."""
    return AgentsPage(app).paper


@dataclass(frozen=True)
class Undo:
    """What was just thrown away, in words, where that is told, and how it comes back."""

    place: str
    words: str
    act: Callable[[], Awaitable[None]]


class AgentsPage:
    def __init__(self, app: Any):
        self.app = app
        self.session = app.session
        self.paper = Paper(sizing_mode="stretch_both", margin=0)
        self.kept: list[Agent] = []
        self.proposed: Agent | None = None  # what a link holds, until somebody decides
        self.page: Page | None = None  # a page that a link holds, likewise
        self.as_sent: Agent | None = None  # the same without the permissions changed here
        self.notes: list[Note] = []
        self.problem: Refused | None = None
        self.closed: links.Closed | None = None  # a link that waits for its passphrase
        self.undoing: Undo | None = None
        self.editor = Editor(app, self.paper, self.draw)
        self.share = Share(app, self.paper, self.draw)
        self.flows = Flows(app, self.paper, self.share, self.draw, self._whole)
        self.plans = Plans(app, self.paper, self.draw)
        self.paper.hear(
            open_link=lambda message: app.run(self._open(message["link"])),
            open_closed=lambda message: app.run(self._open_closed(message["passphrase"])),
            open_agent_file=lambda _: app.run(self._show(self.share.picked())),
            use=lambda _: self._use(self.proposed),
            keep=lambda _: app.run(self._keep()),
            keep_page=lambda _: app.run(self._keep_page()),
            dismiss=lambda _: self._propose(None),
            undo=lambda _: app.run(self._undo()),
            delete_note=lambda message: app.run(self._delete_note(message["key"])),
            make=lambda _: self._edit(Agent(say("agents.new.name"))),
            fork=lambda _: app.run(self._fork(self.proposed)),
            change=lambda _: self._edit(self.proposed, self.proposed),
            save=lambda _: app.run(self._save()),
            use_draft=lambda _: self._use(self.editor.draft.agent),
            leave=lambda _: self._leave(),
            set=lambda message: self._set(message["name"], message["value"]),
            **{
                f"permit_{each}": lambda message, each=each: self._permit(message["key"], each)
                for each in PERMISSIONS
            },
        )
        self.session.keeper.on("state", lambda _: app.run(self._read()))
        self.session.keeper.on("history", lambda _: app.run(self._read()))
        app.on_language(self.relabel)
        app.on_shown("agents", lambda: app.run(self._look()))
        self.relabel()

    def relabel(self) -> None:
        self.editor.relabel()
        self.flows.relabel()
        self.plans.relabel()
        self.paper.labels = {"title": say("agents.heading")}
        self.draw()

    # What is pressed, and what comes from outside

    async def _look(self) -> None:
        """Takes the link that the address held, or the file that was dropped, if there is one."""
        if fragment := await self.app.bridge.call("take_link"):
            await self._open(fragment)
        await self._show(self.share.dropped())
        await self._read()

    async def _open(self, address: str) -> None:
        """Shows what a link proposes, or why it cannot be read; asks for its passphrase first."""
        fragment = address.strip().rpartition("#")[2]
        try:
            closed = links.closed(fragment)
            thing = None if closed else links.opened(fragment)
        except Refused as refused:
            self._refuse(refused)
            return
        if closed and closed.key:
            await self._show(self.share.opened(closed))
            return
        self._propose(thing)
        self.closed = closed
        self.draw()

    async def _open_closed(self, passphrase: str) -> None:
        closed = self.closed
        await self._show(self.share.opened(closed, passphrase))
        if not (self.proposed or self.page or self.flows.is_open):
            self.closed = closed  # to try again
            self.draw()

    async def _show(self, coming: Awaitable[Thing | None]) -> None:
        """Shows what is still being read."""
        try:
            if thing := await coming:
                self._propose(thing)
        except Refused as refused:
            self._refuse(refused)

    def _refuse(self, refused: Refused) -> None:
        self._propose(None)
        self.problem = refused
        self.draw()

    def _propose(self, thing: Thing | None) -> None:
        self.editor.close()
        self.flows.close()
        self.plans.close()
        agent = thing if isinstance(thing, Agent) else None
        self.page = thing if isinstance(thing, Page) else None
        self.proposed, self.problem, self.closed, self.undoing = agent, None, None, None
        self.as_sent = agent
        if isinstance(thing, Flow):
            self.flows.show(thing)
            return
        self.share.begin(agent)
        self.draw()
        self.paper.tell("focus")

    def _set(self, name: str, value: Any) -> None:
        """What is typed goes to the form that is open."""
        parts = (self.flows, self.plans)
        next((part for part in parts if part.is_open), self.editor).set(name, value)

    def _permit(self, tool: str, permission: str) -> None:
        """Another permission makes another agent, forked from the one that was shown."""
        sent = self.as_sent
        changed = replace(self.proposed.permitting(tool, permission), parent=sent.hash)
        same = changed.permissions() == sent.permissions()
        self.proposed = sent if same else changed
        self.share.begin(self.proposed)
        self.draw()

    def _use(self, agent: Agent | None) -> None:
        if agent:
            self.session.use_agent(agent)
            self.app.go_to("chat")

    # What is kept

    def _shelf(self) -> Shelf | None:
        store = self.session.keeper.open_store
        return Shelf(store) if store else None

    def _notes(self) -> Notes | None:
        store = self.session.keeper.open_store
        return Notes(store) if store else None

    async def _delete_note(self, id: str) -> None:
        if notes := self._notes():
            await notes.delete(id)
            self.undoing = Undo("notes", say("notes.deleted"), lambda: notes.restore(id))
            await self._read()

    async def _undo(self) -> None:
        if undoing := self.undoing:
            self.undoing = None
            await undoing.act()
            await self._read()

    async def _read(self) -> None:
        """Reads what is kept; a row that is no agent (any more) is left out."""
        notes, shelf, kept = self._notes(), self._shelf(), []
        self.notes = await notes.all() if notes else []
        for each in await shelf.all() if shelf else []:
            try:
                kept.append(links.from_text(each.document))
            except Refused:
                continue
        self.kept = [each for each in kept if isinstance(each, Agent)]
        self.flows.kept = [each for each in kept if isinstance(each, Flow)]
        self.plans.things = kept
        await self.plans.read()

    async def _keep(self) -> None:
        agent, shelf = self.proposed, self._shelf()
        if not agent or not shelf:
            return
        await shelf.add(Kept(agent.hash, agent.canonical()))
        await self._read()

    async def _keep_page(self) -> None:
        """A page goes where those of this device's models are."""
        page, store = self.page, self.session.keeper.open_store
        if page and store:
            await Artifacts(store).add(page.name, page.source)
            self._propose(None)
            self.session.keeper.changed()
            self.app.go_to("artifacts")

    async def _delete(self, agent: Agent) -> None:
        if shelf := self._shelf():
            await shelf.delete(agent.hash)
            self._propose(None)
            told = say("agents.deleted", name=agent.name)
            self.undoing = Undo("agents", told, lambda: shelf.restore(agent.hash))
            await self._read()

    # What is changed

    def _edit(self, agent: Agent, replaces: Agent | None = None) -> None:
        self._propose(None)
        self.editor.open(agent, replaces)
        self.draw()

    async def _fork(self, agent: Agent) -> None:
        """A copy to change, which names its parent and begins with its cases."""
        fork = agent.forked()
        if store := self.editor.bench.store:
            await store.copy(agent.hash, fork.hash)
        self._edit(fork)

    def _leave(self) -> None:
        """Back to the list; what was typed can be brought back."""
        draft, replaces = self.editor.draft, self.editor.replaces
        self._propose(None)
        if draft.changed:

            async def come_back() -> None:
                self.editor.come_back(draft, replaces)

            told = say("agents.edit.left", name=draft.agent.name)
            self.undoing = Undo("agents", told, come_back)
            self.draw()

    async def _save(self) -> None:
        """Keeps the draft, in the place of what it was made from if that is a kept one."""
        editor, shelf = self.editor, self._shelf()
        draft, before = editor.draft, editor.replaces
        if not shelf or draft.problem:
            return
        agent = draft.agent
        await shelf.add(Kept(agent.hash, agent.canonical()))
        if before and before != agent:
            await shelf.delete(before.hash)
        await Cases(shelf.store).move(draft.begun.hash, agent.hash)
        self._propose(agent)
        await self._read()

    # What is shown

    def draw(self) -> None:
        self.flows.agents = [*self.kept, *gallery.agents(words.spoken())]
        told = [*self._problem(), *self._body()]
        if told != self.paper.sections:
            self.paper.sections = told

    def _body(self) -> list[dict]:
        if self.editor.draft:
            return self.editor.sections()
        if self.flows.is_open:
            return self.flows.sections()
        if self.plans.is_open:
            return self.plans.sections()
        if self.closed:
            how = form("open_closed", "passphrase", button="agents.open", hint="agents.safe")
            return [text("agents.closed"), how, plain(dismiss="agents.back")]
        if self.page:
            return self._page(self.page)
        return self._proposal() if self.proposed else self._lists()

    def _page(self, page: Page) -> list[dict]:
        """All of a page that somebody sent, as text: nothing of it is drawn before it is kept."""
        told = [title_of(page.name), text("artifacts.sent", "muted")]
        told.append({"kind": "rows", "rows": [[say("artifacts.hash"), page.hash, "code"]]})
        told += [title("artifacts.source"), {"kind": "text", "text": page.source, "look": "source"}]
        keep = {"keep_page": "agents.keep"} if self._shelf() else {}
        return [*told, buttons(**keep, dismiss="agents.back")]

    def _undo_offer(self, place: str) -> list[dict]:
        undoing = self.undoing
        if not undoing or undoing.place != place:
            return []
        return [{"kind": "text", "text": undoing.words, "look": ""}, plain(undo="chat.undo")]

    def _problem(self) -> list[dict]:
        if not self.problem:
            return []
        words_ = explain(self.problem.code, self.problem.values)
        return [{"kind": "text", "text": words_, "look": "problem"}]

    def _lists(self) -> list[dict]:
        told = [text("agents.meaning"), *self._undo_offer("agents"), plain(make="agents.new")]
        if self.kept:
            told += [title("agents.kept"), *self._entries("kept", self.kept)]
        told += [title("agents.gallery")]
        told += self._entries("made", gallery.agents(words.spoken()))
        told += [*self.flows.lists(), *self.plans.lists()]
        told += self._note_list()
        field = {"name": "link", "label": say("agents.link"), "type": "text", "autocomplete": "off"}
        got = {"kind": "form", "name": "open_link", "button": say("agents.open")}
        told += [title("agents.got"), {**got, "hint": say("agents.safe"), "fields": [field]}]
        return [*told, plain(open_agent_file="agents.open_file")]

    def _note_list(self) -> list[dict]:
        """What tools wrote down: seen, and thrown away one by one."""
        offer = self._undo_offer("notes")
        if not self.notes and not offer:
            return []
        delete = [{"name": "delete_note", "label": say("notes.delete"), "main": False}]
        items = [item(note.id, note.text, "", delete) for note in self.notes]
        told = [title("notes.title"), text("notes.meaning", "muted"), *offer]
        return [*told, {"kind": "items", "items": items}] if items else told

    def _entries(self, where: str, agents: list[Agent]) -> list[dict]:
        items = []
        for place, agent in enumerate(agents):
            use, show = f"use_{where}_{place}", f"show_{where}_{place}"
            self.paper.hear(
                **{
                    use: lambda _, agent=agent: self._use(agent),
                    show: lambda _, agent=agent: self._propose(agent),
                }
            )
            can = plain(**{use: "agents.use", show: "agents.show"})["buttons"]
            items.append(item(agent.hash, agent.name, agent.purpose, can))
        return [{"kind": "items", "items": items}]

    def _proposal(self) -> list[dict]:
        """All that is in an agent, before anything of it can be used."""
        agent = self.proposed
        here = agent in self.kept
        told = [title_of(agent.name), text("agents.here" if here else "agents.before", "muted")]
        told += self._whole(agent)
        told += self._tools(agent)
        told += self._changes(agent)
        choice = {"use": "agents.use"}
        if self._shelf() and not here:
            choice |= {"keep": "agents.keep"}
        choice |= {"change": "agents.edit"} if here else {}
        told.append(buttons(**choice, fork="agents.fork", dismiss="agents.back"))
        if here:
            self.paper.hear(delete=lambda _: self.app.run(self._delete(agent)))
            told.append(plain(delete="agents.delete"))
        return [*told, *self.share.sections()]

    def _whole(self, agent: Agent) -> list[dict]:
        """Everything that an agent says of itself."""
        told = [{"kind": "rows", "rows": self._facts(agent)}, title("agents.instructions")]
        told += [{"kind": "text", "text": agent.instructions or say("agents.none"), "look": "full"}]
        if agent.charter:
            told += [title("agents.charter"), text("agents.charter.meaning", "muted")]
            told += [{"kind": "text", "text": agent.charter, "look": "full"}]
        if agent.openings:
            told += [title("agents.openings"), {"kind": "list", "items": list(agent.openings)}]
        if agent.form:
            told.append(title("agents.form"))
            told.append({"kind": "text", "text": pretty(agent.form), "look": "full code"})
        return told

    def _facts(self, agent: Agent) -> list[list[str]]:
        numbers = {**asdict(agent.sampling), "max_tokens": agent.max_tokens}
        choice = ", ".join(f"{name} {number(value, 2)}" for name, value in numbers.items())
        choice = choice.replace(".00", "").replace(",00", "")
        tools = ", ".join(tool_words(agent))
        rows = [
            [say("agents.purpose"), agent.purpose or say("agents.none"), ""],
            [say("agents.model"), self._model(agent), ""],
            [say("agents.sampling"), choice, ""],
            [
                say("agents.tools"),
                tools or say("agents.no_tools"),
                "",
            ],
            [say("agents.hash"), agent.hash, "code"],
        ]
        if agent.model:
            rows.insert(2, [say("agents.model.hash"), agent.model.sha256, "code"])
        if agent.language:
            rows.append([say("agents.language"), words.TABLES[agent.language]["language.name"], ""])
        rows += [[say("agents.parent"), each, "code"] for each in self._lineage(agent)]
        return rows

    def _here(self) -> dict[str, Agent]:
        """Every agent that is known here, by its hash."""
        listed = [*self.kept, *gallery.agents("en"), *gallery.agents("fr")]
        listed += [self.as_sent] if self.as_sent else []
        return {each.hash: each for each in listed}

    def _lineage(self, agent: Agent) -> list[str]:
        """What an agent was forked from, and that in turn, as far as it is known here."""
        here, found = self._here(), []
        while agent and agent.parent and agent.parent not in found:
            found.append(agent.parent)
            agent = here.get(agent.parent)
        names = {each: here[each].name for each in found if each in here}
        return [f"{names[each]} · {each}" if each in names else each for each in found]

    def _tools(self, agent: Agent) -> list[dict]:
        """Each tool with its permission, and what else it could be."""
        permissions = agent.permissions()
        if not permissions:
            return []
        items = []
        for name, now in permissions.items():
            others = [each for each in PERMISSIONS if each != now]
            choices = [
                {"name": f"permit_{each}", "label": say(f"permission.choose.{each}"), "main": False}
                for each in others
            ]
            facts = f"{tool_says(name)} · {permission_words(name, now)}"
            items.append(item(name, name, facts, choices))
        hint = text("agents.tools.change.hint", "muted")
        return [title("agents.tools.change"), hint, {"kind": "items", "items": items}]

    def _model(self, agent: Agent) -> str:
        if not agent.model:
            return say("agents.any_model")
        model = agent.model
        weight = size(model.file_bytes)
        parts = (model.name, model.architecture, model.quantization, weight, model.licence)
        return ", ".join((*parts, model.source) if model.source else parts)

    def _changes(self, agent: Agent) -> list[dict]:
        """How it differs from its parent, where that one is here."""
        parent = self._here().get(agent.parent)
        if not parent:
            return []
        rows = [
            [name, f"{shown(before)} → {shown(after)}", ""]
            for name, before, after in config.difference(parent, agent)
        ]
        return [title("agents.changes"), {"kind": "rows", "rows": rows}]


def tool_words(agent: Agent) -> list[str]:
    """Each tool that an agent asks for, with what it may do here."""
    permissions = agent.permissions()
    told = []
    for each in agent.tools:
        name = each.partition("@")[0]
        if name in permissions:
            told.append(f"{name} ({permission_words(name, permissions[name])})")
        else:
            told.append(f"{each} ({say('agents.tools.unknown')})")
    return told


def permission_words(tool: str, permission: str) -> str:
    writes = permission == "free" and known()[tool].writes
    return say("permission.free_writes" if writes else f"permission.{permission}")


def item(key: str, name: str, facts: str, buttons_: list[dict]) -> dict:
    shape = {"note": "", "look": "", "share": None}
    return {**shape, "key": key, "title": name, "facts": facts, "buttons": buttons_}


def title_of(words_: str) -> dict:
    return {"kind": "title", "text": words_}


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def pretty(form: dict) -> str:
    return json.dumps(form, ensure_ascii=False, indent=2)
