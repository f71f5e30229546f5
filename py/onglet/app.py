"""Builds the app: bar, pages, sheets, theme. Made once at build time, in English, and woken in the
tab by `start`. Knows which parts there are, not what they do."""

import asyncio
import importlib
import logging
import pkgutil
from collections.abc import Callable, Coroutine
from types import ModuleType

from panel_material_ui import Column, Page

from onglet import pages, words
from onglet.browser.bridge import Bridge
from onglet.components import Bar, Rail
from onglet.session import Session
from onglet.sheets.data import DataSheet
from onglet.sheets.history import HistorySheet
from onglet.sheets.model import ModelSheet
from onglet.sheets.silence import SilenceSheet
from onglet.words import say

LOG = logging.getLogger(__name__)
THEMES = ("system", "light", "dark")
SHORTCUTS = {
    "send": "enter", "line": "shift_enter", "stop": "escape", "new": "new_chat",
    "history": "history", "lock": "lock",
}  # fmt: skip
LIGHT = {
    "paper": "#FBFAF7", "raised": "#FFFFFF", "ink": "#1C2024", "muted": "#5E6670",
    "line": "#E4E1DA", "accent": "#0B6E69", "on_accent": "#FFFFFF", "error": "#B3261E",
    "warning": "#9A5B00",
}  # fmt: skip
DARK = {
    "paper": "#15181B", "raised": "#1B1F23", "ink": "#E8E6E1", "muted": "#9AA3AB",
    "line": "#2A2F34", "accent": "#5CC4BC", "on_accent": "#0E2422", "error": "#F2A29B",
    "warning": "#E2A84B",
}  # fmt: skip
PAGE_LOOK = {
    "backgroundColor": "var(--paper)",
    ".MuiAppBar-root": {
        "backgroundColor": "var(--paper) !important",
        "backgroundImage": "none",
        "color": "var(--ink) !important",
        "boxShadow": "none",
        "borderBottom": "1px solid var(--line)",
        "height": "48px",
    },
    ".MuiToolbar-root": {"minHeight": "48px !important", "padding": "0 !important", "margin": 0},
    "main.main": {
        "backgroundColor": "var(--paper)",
        "paddingLeft": "84px",
        "@media (max-width: 600px)": {"paddingLeft": 0, "paddingBottom": "56px"},
        "@media (max-width: 600px) and (max-height: 480px)": {"paddingBottom": 0},
    },
    "main.main .MuiToolbar-root": {"visibility": "hidden"},  # a spacer with an empty heading
    ".MuiLinearProgress-root": {"display": "none"},
}


def material(colours: dict[str, str]) -> dict:
    """Material's theme from our colours."""
    return {
        "palette": {
            "primary": {"main": colours["accent"], "contrastText": colours["on_accent"]},
            "error": {"main": colours["error"]},
            "warning": {"main": colours["warning"]},
            "background": {"default": colours["paper"], "paper": colours["raised"]},
            "text": {"primary": colours["ink"], "secondary": colours["muted"]},
            "divider": colours["line"],
        },
        "typography": {"fontFamily": "system-ui, sans-serif", "fontSize": 14},
        "shape": {"borderRadius": 10},
        "transitions": {"duration": {"enteringScreen": 140, "leavingScreen": 110}},
    }


def page_modules() -> list[ModuleType]:
    """The modules of the pages folder, in the order of the rail."""
    names = (found.name for found in pkgutil.iter_modules(pages.__path__))
    modules = [importlib.import_module(f"onglet.pages.{name}") for name in names]
    return sorted(modules, key=lambda page: page.PLACE)


def name_of(page: ModuleType) -> str:
    """What stands for a page in the address: the name of its file."""
    return page.__name__.rpartition(".")[2]


def build() -> "App":
    return App()


class App:
    def __init__(self):
        self.session = Session()
        self.theme = "system"
        self.bridge: Bridge | None = None
        self._relabels: list[Callable[[], None]] = []
        self._shortcuts: dict[str, Callable[[], None]] = {}
        self._when_shown: dict[str, Callable[[], None]] = {}
        self._tasks: set[asyncio.Task] = set()
        self.bar = Bar(sizing_mode="stretch_width", margin=0)
        self.rail = Rail(margin=0, width=0, height=0)
        self.pages = {name_of(page): page for page in page_modules()}
        self.shown = next(iter(self.pages))
        self.views = {name: page.view(self) for name, page in self.pages.items()}
        self.model_sheet = ModelSheet(self)
        self.silence_sheet = SilenceSheet(self)
        self.history_sheet = HistorySheet(self)
        self.data_sheet = DataSheet(self)
        self.sheets = (self.model_sheet, self.silence_sheet, self.history_sheet, self.data_sheet)
        self.page = self._page()
        self._listen()
        self.on_language(self._relabel_bar)
        self._relabel_bar()
        self._draw_page()

    def _page(self) -> Page:
        parts = [self.rail, *self.views.values(), *(sheet.drawer for sheet in self.sheets)]
        main = Column(*parts, sizing_mode="stretch_both", margin=0)
        return Page(
            header=[self.bar],
            main=[main],
            theme_config={"light": material(LIGHT), "dark": material(DARK)},
            theme_toggle=False,
            busy_indicator=None,
            sx=PAGE_LOOK,
        )

    def _listen(self) -> None:
        self.on_shortcut("history", self._toggle_history)
        self.bar.hear(
            history=lambda _: self._toggle_history(),
            model=lambda _: self.model_sheet.open(),
            silence=lambda _: self.silence_sheet.open(),
            new=lambda _: self._shortcut("new_chat"),
            language=lambda message: self._choose_language(message["value"]),
            theme=lambda message: self._choose_theme(message["value"]),
        )
        self.session.model.on("changed", lambda _: self._draw_model_chip())
        self.session.on("turn", lambda _: self._draw_model_chip())
        self.session.on("outside", lambda _: self._draw_silence_chip())

    def _toggle_history(self) -> None:
        if not self.history_sheet.close():
            self.history_sheet.open()

    def on_language(self, relabel: Callable[[], None]) -> None:
        """Calls `relabel` after each change of language."""
        self._relabels.append(relabel)

    def set_language(self, code: str) -> None:
        """Says everything in another language, in place."""
        words.speak(code)
        for relabel in self._relabels:
            relabel()

    async def start(self, bridge: Bridge) -> None:
        """Connects with the page and the engine, after the snapshot was restored."""
        self.bridge = bridge
        bridge.on_event("shortcut", self._shortcut)
        bridge.on_event("page", self._show)
        self._show(await bridge.call("page"))
        self.theme = await bridge.call("recall", name="theme") or "system"
        self.bar.theme = self.theme
        await self.session.start(bridge)
        bridge.listen()

    # Pages

    def go_to(self, name: str) -> None:
        """Shows a page, as a click on its link does; the address follows."""
        self.run(self.bridge.call("go_to", page=name))

    def on_shown(self, name: str, act: Callable[[], None]) -> None:
        """Does `act` each time the page of that name comes on the screen."""
        self._when_shown[name] = act

    def _show(self, name: str) -> None:
        """The address names another page; what is no page's name is the first page."""
        name = name if name in self.pages else next(iter(self.pages))
        if name != self.shown:
            self.shown = name
            self._draw_page()
            self._relabel_bar()
            self.views[name].tell("focus")
        if name in self._when_shown:
            self._when_shown[name]()

    def _draw_page(self) -> None:
        for name, view in self.views.items():
            view.visible = name == self.shown
        self.rail.current = self.shown

    def run(self, work: Coroutine) -> None:
        """Runs work beside everything else, and keeps it from being collected."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            LOG.error("work of a page failed", exc_info=error)

    def copy(self, text: str) -> None:
        self.run(self.bridge.call("copy_text", text=text))

    def on_shortcut(self, name: str, act: Callable[[], None]) -> None:
        """Does `act` when the keys of that name (web/page/gestures.js) are pressed."""
        self._shortcuts[name] = act

    def _shortcut(self, name: str) -> None:
        """A drawer hears Escape only while the focus is inside: here it closes in any case."""
        if name == "stop" and any(sheet.close() for sheet in self.sheets):
            return
        if name == "new_chat" and self.shown != "chat":
            self.go_to("chat")
        if name in self._shortcuts:
            self._shortcuts[name]()

    def _choose_language(self, code: str) -> None:
        self.set_language(code)
        self.run(self.bridge.call("remember", name="language", value=code))

    def _choose_theme(self, theme: str) -> None:
        self.theme = self.bar.theme = theme
        dark = self.session.facts.get("dark", False) if theme == "system" else theme == "dark"
        self.page.dark_theme = dark
        remembered = "" if theme == "system" else theme
        self.run(self.bridge.call("remember", name="theme", value=remembered))

    # The bar

    def _relabel_bar(self) -> None:
        names = {"history": "history.title", "new": "chat.new"}
        names |= {"menu": "bar.menu", "language": "bar.language"}
        title = self.pages[self.shown].TITLE
        names |= {"theme": "bar.theme", "keys": "bar.keys", "title": title}
        languages = [[code, words.TABLES[code]["language.name"]] for code in words.LANGUAGES]
        self.bar.labels = {
            **{name: say(key) for name, key in names.items()},
            "document": f"{say(title)} · {say('app.title')}",
            "languages": languages,
            "themes": [[theme, say(f"theme.{theme}")] for theme in THEMES],
            "shortcuts": [[say(f"keys.{k}"), say(f"key.{v}")] for k, v in SHORTCUTS.items()],
        }
        self.rail.labels = {"pages": say("bar.pages")}
        self.rail.entries = [
            {"name": name, "icon": page.ICON, "label": say(page.TITLE)}
            for name, page in self.pages.items()
        ]
        self.bar.language = words.spoken()
        self._draw_model_chip()
        self._draw_silence_chip()

    def _draw_model_chip(self) -> None:
        kind, name, more = self._model_state()
        label = say("model.chip.label", text=f"{name} {more}".strip())
        chip = {"kind": kind, "name": name, "more": more, "label": label}
        if chip != self.bar.model_chip:
            self.bar.model_chip = chip

    def _model_state(self) -> tuple[str, str, str]:
        """(look, name, what else) of the model chip."""
        session = self.session
        if session.model.loading or not session.model.engine:
            return "loading", self._loading_words(), ""
        if not session.model.loaded:
            wrong = session.model.problem and session.model.problem.code != "cancelled"
            return ("problem" if wrong else "none"), say("model.chip.none"), ""
        speed = say("model.chip.speed", rate=session.model.speed) if session.model.speed else ""
        return "ready", short_name(session.model.loaded.card.get("name") or ""), speed

    def _loading_words(self) -> str:
        loading = self.session.model.loading
        if not loading or not loading.stage:
            return say("model.chip.starting")
        if loading.stage == "download" and loading.total:
            return say("model.chip.loading", received=loading.received, total=loading.total)
        return say("model.chip.preparing")

    def _draw_silence_chip(self) -> None:
        ledger = self.session.ledger
        sent = ledger["bytes"]
        self.bar.silence_chip = {
            "sent": bool(ledger["off_origin_requests"]),
            "text": say("silence.chip", sent=sent),
            "short": say("silence.chip.short", sent=sent),
            "label": say("silence.chip.label", sent=sent),
        }


def short_name(name: str) -> str:
    """A model's name without what every chat model adds to it."""
    return name.replace("-", " ").replace("Instruct", "").replace("  ", " ").strip() or "?"
