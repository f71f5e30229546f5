"""`build.py ask [--model FILE_OR_URL] [--link URL [--passphrase WORDS]] [--document FILE] [--json]
PROMPT`: asks the built site, in a headless browser.

Types the prompt into the real composer and streams the answer to the terminal as it grows. Exit
status 1 with the page's sentence when there is no answer. Knows nothing of models or engines.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from . import site
from .browser import Watch, chromium
from .driver import Answer, App, AskFailed
from .kept_site import keep
from .loopback import Loopback
from .places import CACHE
from .policy import HEADERS
from .vendor import sha256_of

PIECE = 1 << 20


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="build.py ask", description=__doc__)
    parser.add_argument("--model", metavar="FILE_OR_URL", help="another GGUF model")
    parser.add_argument("--link", metavar="URL", help="the agent of a link answers")
    parser.add_argument("--passphrase", metavar="WORDS", help="opens an encrypted link")
    parser.add_argument("--document", metavar="FILE", type=Path, help="answer from this document")
    parser.add_argument("--json", action="store_true", help="print one object on the last line")
    parser.add_argument("prompt")
    options = parser.parse_args(arguments)
    build_silently()
    try:
        model = local_model(options.model) if options.model else None
        if options.document and not options.document.is_file():
            raise OSError(f"There is no file {options.document}.")
        link = (options.link, options.passphrase) if options.link else None
        answer, report = ask(options.prompt, model, link, options.document)
    except (AskFailed, OSError) as trouble:
        print(trouble, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(report, ensure_ascii=False))
    return 0 if answer.text else 1


def build_silently() -> None:
    """The build's own lines go to stderr: stdout is for the answer."""
    import contextlib

    with contextlib.redirect_stdout(sys.stderr):
        site.build()


def local_model(place: str) -> Path:
    """A file of this machine; a URL is downloaded into the cache first, once."""
    if urlsplit(place).scheme not in ("http", "https"):
        if not Path(place).is_file():
            raise OSError(f"There is no file {place}.")
        return Path(place)
    folder = CACHE / "asked" / hashlib.sha256(place.encode()).hexdigest()[:12]
    target = folder / (Path(urlsplit(place).path).name or "model.gguf")
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        download(place, target)
    return target


def download(url: str, target: Path) -> None:
    part = target.with_name(target.name + ".part")
    with urllib.request.urlopen(url) as response, part.open("wb") as file:
        while piece := response.read(PIECE):
            file.write(piece)
    part.replace(target)


def ask(
    prompt: str,
    model: Path | None,
    link: tuple[str, str | None] | None = None,
    document: Path | None = None,
) -> tuple[Answer, dict]:
    """Returns the answer and the report that --json prints. Raises AskFailed."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Loopback({"/": keep(Path(folder))}, headers=HEADERS) as server,
        chromium() as browser,
    ):
        watch = Watch(origins={server.origin})
        context = browser.new_context()
        watch.follow(context)
        app = App(context.new_page(), server.url).open().wait_live()
        if model:
            app.open_model(model)
        if link:
            address, passphrase = link
            app.use_link(address.rpartition("#")[2], passphrase)
        if document:
            app.add_document(document)
        answer = app.ask(prompt, grown=show)
        print(flush=True)
        report = describe(answer, app.window(), len(watch.off_origin))
        if document:
            report["citations"] = app.citations()
        if model:
            report["model_sha256"] = sha256_of(model)
        context.close()
    return answer, report


def show(new: str) -> None:
    print(new, end="", flush=True)


def describe(answer: Answer, window: dict, off_origin_requests: int) -> dict:
    done, loaded, timeline = answer.done, window["loaded"], window["timeline"]
    return {
        "answer": answer.text,
        "prompt_tokens": done["prompt_tokens"],
        "answer_tokens": done["answer_tokens"],
        "prefill_tokens_per_second": round(done["prefill_tokens_per_second"], 1),
        "decode_tokens_per_second": round(done["decode_tokens_per_second"], 1),
        "threads": loaded["threads"],
        "backend": loaded["backend"],
        "model_sha256": loaded["card"]["sha256"],
        "seconds_to_live": round(timeline["live"] / 1000, 3),
        "seconds_to_first_token": round(timeline["first_token"] / 1000, 3),
        "off_origin_requests": off_origin_requests,
    }
