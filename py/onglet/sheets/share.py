"""How an agent, a flow or a page leaves: as a link, plain or encrypted, as a picture of the link,
as a file. And how an encrypted link is opened. What is encrypted, and how, is the page's business
(web/store/)."""

from collections.abc import Callable
from typing import Any

from onglet.agents import links, picture
from onglet.agents.links import Thing
from onglet.components import Paper
from onglet.engine.errors import Refused
from onglet.sheets.side import form, plain, text
from onglet.vault.store import answered
from onglet.words import explain, say

SUFFIX = ".onglet"


class Share:
    """The links that were asked for, of one thing at a time."""

    def __init__(self, app: Any, paper: Paper, redraw: Callable[[], None]):
        self.app, self.redraw = app, redraw
        self.agent: Thing | None = None
        self.link = ""  # the whole address that was asked for
        self.copied = True
        self.dots: list[str] = []
        self.problem: Refused | None = None
        paper.hear(
            share=lambda _: app.run(self._share(links.link)),
            share_key=lambda _: app.run(self._share(self._closed)),
            share_passphrase=lambda message: app.run(self._by_passphrase(message["passphrase"])),
            share_file=lambda _: app.run(self._save()),
        )

    def begin(self, agent: Thing | None) -> None:
        """Another agent is on the screen."""
        self.agent, self.link, self.dots, self.problem = agent, "", [], None

    async def _share(self, fragment_of: Callable[[Thing], Any]) -> None:
        self.problem = None
        try:
            fragment = fragment_of(self.agent)
            fragment = fragment if isinstance(fragment, str) else await fragment
            if len(fragment) > links.MOST_IN:
                raise Refused("long_link", most=links.MOST_IN)
        except Refused as refused:
            self.problem = refused
            self.redraw()
            return
        bridge = self.app.bridge
        self.link = f"{await bridge.call('address')}#{fragment}"
        self.dots = picture.rows(self.link) or []
        self.copied = await bridge.call("copy_text", text=self.link)
        self.redraw()

    async def _by_passphrase(self, passphrase: str) -> None:
        await self._share(lambda agent: self._closed(agent, passphrase))

    async def _closed(self, agent: Thing, passphrase: str | None = None) -> str:
        letters = links.packed(agent.canonical())
        made = await self._ask("seal_link", letters=letters, passphrase=passphrase)
        return links.Closed(made["closed"], made["key"]).fragment()

    async def opened(self, sealed: links.Closed, passphrase: str | None = None) -> Thing:
        """What is in an encrypted link. Raises Refused: bad_link, wrong_passphrase, long_link,
        or what `links.proposed` says."""
        how = {"closed": sealed.letters, "key": sealed.key, "passphrase": passphrase}
        return links.from_text(links.unpacked(await self._ask("unseal_link", **how)))

    async def _ask(self, kind: str, **fields: Any) -> Any:
        request = {"kind": kind, **fields}
        return answered(await self.app.bridge.call("store", request=request))

    async def _save(self) -> None:
        """A file with the canonical form in it: what fits into no link."""
        name = "".join(each if each.isalnum() else "-" for each in self.agent.name).strip("-")
        name = f"{name or self.agent.hash[:8]}{SUFFIX}"
        await self.app.bridge.call("save_text", name=name, text=self.agent.canonical())

    async def picked(self) -> Thing | None:
        """What is in a file that the person picks, None if none was. Raises Refused."""
        return self._read(await self.app.bridge.call("pick_agent_file"))

    async def dropped(self) -> Thing | None:
        """What is in a file that was dropped on the page, once. Raises Refused."""
        return self._read(await self.app.bridge.call("take_agent_file"))

    def _read(self, found: dict | None) -> Thing | None:
        if found is None:
            return None
        try:
            return links.from_text(found["text"])
        except Refused as refused:
            if refused.code == "bad_link":
                raise Refused("not_an_agent") from refused
            raise

    # What is shown

    def sections(self) -> list[dict]:
        told = [{"kind": "title", "text": say("share.title")}, text("share.meaning", "muted")]
        names = {"share": "agents.share", "share_key": "share.key", "share_file": "share.file"}
        told.append(plain(**names))
        if self.problem:
            words = explain(self.problem.code, self.problem.values)
            told.append({"kind": "text", "text": words, "look": "problem"})
        if self.link:
            key = "agents.copied" if self.copied else "agents.copy_it"
            told.append(text(key, "muted", count=len(self.link)))
            told.append({"kind": "text", "text": self.link, "look": "code"})
            told.append(self._picture())
        how = form("share_passphrase", "passphrase", button="share.passphrase")
        return [*told, {**how, "hint": say("share.passphrase.hint")}]

    def _picture(self) -> dict:
        if not self.dots:
            return text("share.picture.too_long", "muted")
        return {"kind": "dots", "label": say("share.picture"), "rows": self.dots}
