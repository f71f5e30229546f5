"""Speaks to an engine worker in a page as the app does, without the app (engine_page/)."""

from pathlib import Path

PAGE = Path(__file__).parent / "engine_page"
SYSTEM = "You are a helpful assistant. Answer clearly and briefly."


def turn(role: str, text: str) -> str:
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


def chat(*texts: str) -> str:
    """The embedded model's template: the system's words, then user and assistant in turn."""
    roles = ("user", "assistant") * len(texts)
    said = [turn(role, text) for role, text in zip(roles, texts, strict=False)]
    return turn("system", SYSTEM) + "".join(said) + "<|im_start|>assistant\n"


class Engine:
    """An engine worker in a page, spoken to as the app does."""

    def __init__(self, page, site: Path):
        self.page = page
        self.code = "/site/" + str(next(site.glob("a/*/engine")).parent.relative_to(site)) + "/"
        prepared = next(site.glob("models/*/prepared.json"))
        self.model = {"kind": "site", "path": str(prepared.relative_to(site))}

    @classmethod
    def opened(cls, page, url: str, site: Path) -> "Engine":
        """The engine's page, opened in `page`; its worker is not started yet."""
        page.goto(url)
        page.wait_for_function("globalThis.engine")
        return cls(page, site)

    def run(self, script: str, *arguments):
        """Runs the body of an async JavaScript function of `a`, the arguments."""
        return self.page.evaluate(f"async (a) => {{ {script} }}", list(arguments))

    def start(self, **options) -> None:
        self.run(
            """const root = new URL('/site/', location).href;
            engine.start(new URL(a[0], location), { root, ...a[1] });""",
            self.code,
            options,
        )

    def ask(self, **request) -> int:
        return self.run("return engine.ask(a[0])", request)

    def ended(self, request: int) -> dict:
        return self.run("return engine.ended(a[0])", request)

    def load(self, source: dict | None = None, context: int | None = None) -> dict:
        wanted = {"kind": "load", "source": source or self.model, "context": context}
        return self.ended(self.ask(**wanted))

    def answer(self, prompt: str, **more) -> dict:
        return self.run("return engine.answer(a[0], a[1])", prompt, more)

    def lost(self) -> list[str]:
        return self.run("return engine.lost")
