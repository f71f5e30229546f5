"""Runs one contender once: a fresh page of the browser, or a fresh process of native llama.cpp.

Loads, throws away a warm-up, answers each prompt once. What a system cannot do is noted as its
failure, and the bench goes on.
"""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from onglet.engine.errors import Refused
from onglet.words import explain

from .. import onnx_model, vendor
from ..loopback import Loopback
from ..policy import HEADERS
from ..steps import cached
from . import embeddings, machine, models, native
from .contenders import Contender
from .memory import peak_of_pages
from .prepared import write_listing

MODULES = {
    "onglet": "onglet",
    "onglet plain SIMD": "onglet",
    "onglet beside a busy process": "onglet",
    "wllama": "wllama",
    "wllama compat": "wllama",
    "onnxruntime-web": "onnxruntime",
    "transformers.js": "transformers",
}
OPEN_PEER = (
    "async ([name, request]) => (globalThis.peer = await import(`./${name}.js`)).load(request)"
)
WARM_UP_TOKENS = 8
GRAPH = "onnx/model_q4.onnx"  # where transformers.js looks for it
TRANSFORMERS_IMPORTS = {
    '"onnxruntime-web/webgpu"': '"/vendor/onnxruntime/dist/ort.wasm.min.mjs"',
    '"onnxruntime-common"': '"/vendor/onnxruntime/dist/ort.wasm.min.mjs"',
}


class WrongCount(Exception):
    """A system saw another number of tokens or threads than it was given."""


@dataclass
class Stage:
    """What every run needs: the server, the browser, the prompts, and a folder for listings."""

    server: Loopback
    browser: object
    prompts: dict[str, dict]
    listings: Path

    def run(self, contender: Contender) -> None:
        """One round of one contender; adds what was measured, or the failure."""
        from playwright.sync_api import Error

        if contender.failure:
            return
        busy = contender.system.endswith("busy process")
        try:
            with machine.one_busy_core() if busy else nullcontext():
                native_peer = contender.system == "llama.cpp native"
                found = self._natively(contender) if native_peer else self._in_page(contender)
        except Refused as error:
            contender.failure = explain(error.code, error.values)
        except (Error, native.NativeFailed, WrongCount, OSError) as error:
            contender.failure = str(error).strip().splitlines()[0]
        else:
            add(contender, found)
        print_run(contender)

    def _natively(self, contender: Contender) -> dict:
        names = ("warm_up", *contender.prompts)
        counts = [WARM_UP_TOKENS, *[contender.answer_tokens] * len(contender.prompts)]
        file, prompts = models.model(contender.model), [self.prompts[name] for name in names]
        found = native.run(file, contender.threads, prompts, counts)
        for prompt, run in zip(prompts, found["runs"], strict=True):
            check_count(prompt, run)
        return found | {"runs": found["runs"][1:]}

    def _in_page(self, contender: Contender) -> dict:
        request = self._request(contender)
        context = self.browser.new_context()
        try:
            page = context.new_page()
            page.goto(f"{self.server.origin}/bench/page.html")
            loaded = page.evaluate(OPEN_PEER, [MODULES[contender.system], request])
            if loaded["threads"] != contender.threads:
                raise WrongCount(f"ran with {loaded['threads']} threads")
            self._ask(page, "warm_up", WARM_UP_TOKENS)
            runs = [self._ask(page, name, contender.answer_tokens) for name in contender.prompts]
            peak = peak_of_pages(self.browser)
        finally:
            context.close()
        return {"load_seconds": loaded["load_seconds"], "peak_bytes": peak, "runs": runs}

    def _request(self, contender: Contender) -> dict:
        """What the page's module is told: threads, and the address of its file."""
        request = {"threads": contender.threads}
        module = MODULES[contender.system]
        if module == "wllama":
            path = f"/models/{contender.model}/{models.model(contender.model).name}"
            return request | {"model": path, "compat": contender.system.endswith("compat")}
        if module in ("onnxruntime", "transformers"):
            return request | {"model": f"/onnx/{GRAPH}"}
        variant = "plain" if contender.system.endswith("plain SIMD") else None
        return request | {"variant": variant, "model": self._listing(contender.model)}

    def _listing(self, model: str) -> str | None:
        """The address of a prepared model; None for the one that the site carries."""
        if model == models.EMBEDDED:
            return None
        if not (folder := self.listings / model).exists():
            write_listing(models.model(model), folder)
        return f"/listings/{model}/prepared.json"

    def _ask(self, page, name: str, answer_tokens: int) -> dict:
        prompt = self.prompts[name]
        request = {**prompt, "answer_tokens": answer_tokens}
        run = page.evaluate("request => peer.generate(request)", request)
        check_count(prompt, run)
        return run


def check_count(prompt: dict, run: dict) -> None:
    if run["prompt_tokens"] != len(prompt["tokens"]):
        raise WrongCount(f"saw {run['prompt_tokens']} tokens, not {len(prompt['tokens'])}")


def add(contender: Contender, found: dict) -> None:
    contender.loads.append(found["load_seconds"])
    if found["peak_bytes"]:
        contender.peaks.append(found["peak_bytes"])
    for name, run in zip(contender.prompts, found["runs"], strict=True):
        contender.runs[name].append(run)


def print_run(contender: Contender) -> None:
    """One line about the run that has just ended, so that a long bench shows that it lives."""
    rates = ", ".join(
        f"{prompt} {contender.rates(prompt, 'prefill')[-1]:.0f} / "
        f"{contender.rates(prompt, 'decode')[-1]:.1f}"
        for prompt in contender.prompts
        if contender.runs[prompt]
    )
    print(f"{contender.label:55} {contender.failure or f'prefill / decode: {rates}'}", flush=True)


def folders(kept: Path, listings: Path, contenders: list[Contender]) -> dict[str, Path]:
    """URL prefix -> folder of everything that the pages of the bench read."""
    packages = {
        "wllama": "@wllama/wllama",
        "wllama-compat": "@wllama/wllama-compat",
        "onnxruntime": "onnxruntime-web",
    }
    named = {contender.model for contender in contenders}
    return {
        "/bench/": machine.PAGES,
        "/site/": kept,
        "/listings/": listings,
        "/onnx/": graph_folder(),
        "/transformers/": transformers_folder(),
        "/read_limit/": machine.read_limit_folder(),
        **embeddings.folders(),
        **{f"/models/{name}/": models.model(name).parent for name in sorted(named)},
        **{f"/vendor/{name}/": vendor.package(full).folder for name, full in packages.items()},
    }


def graph_folder() -> Path:
    """The embedded model as transformers.js expects a folder of the Hub: graph and config.json."""
    return cached("onnx", [vendor.model_file(), Path(onnx_model.__file__), GRAPH], write_graph)[0]


def write_graph(into: Path) -> dict:
    model = vendor.model_file()
    (into / GRAPH).parent.mkdir(parents=True)
    onnx_model.write_onnx(model, into / GRAPH)
    (into / "config.json").write_text(json.dumps(onnx_model.config_of(model)))
    (into / "generation_config.json").write_text("{}")
    return {}


def transformers_folder() -> Path:
    """transformers.js for browsers, its two bare imports replaced by the address of
    onnxruntime-web's WASM build: the one for WebGPU lacks the 8-bit embedding of our graph."""
    package = vendor.package("@huggingface/transformers")
    source = package.folder / "dist" / "transformers.web.min.js"

    def write(into: Path) -> dict:
        text = source.read_text("utf-8")
        for name, address in TRANSFORMERS_IMPORTS.items():
            text = text.replace(f"from{name}", f"from{address}")
        (into / "transformers.js").write_text(text, "utf-8")
        return {}

    return cached("transformers", [source, json.dumps(TRANSFORMERS_IMPORTS)], write)[0]


def stage(server: Loopback, browser, listings: Path) -> Stage:
    prompts = json.loads((machine.PAGES / "prompts.json").read_text())
    return Stage(server, browser, prompts, listings)


def loopback(kept: Path, listings: Path, contenders: list[Contender]) -> Loopback:
    return Loopback(folders(kept, listings, contenders), headers=HEADERS)
