"""`build.py bench [--quick]`: Onglet, wllama and onnxruntime-web on the embedded model, measured
in one run, in turns, each in fresh pages of one browser; and how fast the app starts.

Prints medians with their spread and writes bench.json, a list of rows (tests/bench/README.md says
what each key means). States figures and whether the bars hold; never fails because of a time.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from .. import onnx_model, site, vendor
from ..browser import chromium, launch_persistent_chromium
from ..driver import App
from ..kept_site import keep
from ..loopback import Loopback
from ..places import ROOT
from ..policy import HEADERS
from ..steps import cached

PAGES = ROOT / "tests" / "bench"
RESULT = ROOT / "bench.json"
PROMPTS = ("short", "long")
ROUNDS = 3
ANSWER_TOKENS = 48
QUICK_ANSWER_TOKENS = 24
QUESTION = "What is the capital of France?"
DECODE_BAR, PREFILL_BAR, LIVE_BAR = 8, 12, 1.2
KEYS = (
    "system", "version", "file", "threads", "prompt_tokens", "decode_tokens_per_second",
    "prefill_tokens_per_second", "load_seconds", "peak_bytes",
)  # fmt: skip
MOMENTS = ("first_paint", "live", "model_ready", "first_token")
OPEN_PEER = (
    "async ([name, request]) => (globalThis.peer = await import(`./${name}.js`)).load(request)"
)


@dataclass
class Contender:
    """One system with one number of threads, and what was measured of it, round by round."""

    system: str
    version: str
    module: str
    file: str
    threads: int
    loads: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    runs: dict[str, list[dict]] = field(default_factory=lambda: {name: [] for name in PROMPTS})

    def rates(self, prompt: str, phase: str) -> list[float]:
        """Tokens per second of `phase` (prefill or decode) in each round."""
        count = "prompt_tokens" if phase == "prefill" else "answer_tokens"
        return [run[count] / run[f"{phase}_seconds"] for run in self.runs[prompt]]

    def row(self, prompt: str) -> dict:
        values = (
            self.system, self.version, self.file, self.threads,
            self.runs[prompt][0]["prompt_tokens"],
            round(median(self.rates(prompt, "decode")), 1),
            round(median(self.rates(prompt, "prefill")), 1),
            round(median(self.loads), 3),
            max(self.peaks) if self.peaks else None,
        )  # fmt: skip
        return dict(zip(KEYS, values, strict=True))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="build.py bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, two threads, shorter")
    quick = parser.parse_args(arguments).quick
    site.build()
    print(f"load of this machine before: {load_average()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        kept = keep(Path(folder))
        contenders = list_contenders(kept, quick)
        starts = measure_starts(kept, 1 if quick else ROUNDS)
        with Loopback(folders(kept), headers=HEADERS) as server, chromium() as browser:
            for contender in turns(contenders, quick):
                run_round(browser, server, contender, quick)
    report(contenders, starts)
    print(f"load of this machine after: {load_average()}")
    rows = [contender.row(prompt) for contender in contenders for prompt in PROMPTS]
    RESULT.write_text(json.dumps(rows + start_rows(starts, contenders[0].version), indent=1) + "\n")
    print(f"written to {RESULT.name}")
    return 0


def list_contenders(kept: Path, quick: bool) -> list[Contender]:
    model = vendor.model_file().name
    graph = Path(model).with_suffix(".onnx").name
    wllama = vendor.package("@wllama/wllama").version
    onnxruntime = vendor.package("onnxruntime-web").version
    return [
        Contender(system, version, module, file, threads)
        for threads in ((2,) if quick else (2, 1))
        for system, version, module, file in (
            ("onglet", onglet_version(kept), "onglet", model),
            ("wllama", wllama, "wllama", model),
            ("onnxruntime-web", onnxruntime, "onnxruntime", graph),
        )
    ]


def turns(contenders: list[Contender], quick: bool) -> list[Contender]:
    """The order of the runs: in rounds; a quick run has Onglet before and after the others."""
    return [*contenders, contenders[0]] if quick else contenders * ROUNDS


def onglet_version(kept: Path) -> str:
    """The name of the build (a hash of everything in it)."""
    return json.loads((kept / "files.json").read_text())["build"]


def folders(kept: Path) -> dict[str, Path]:
    """URL prefix -> folder of everything that the pages of the bench read."""
    graph_inputs = [vendor.model_file(), Path(onnx_model.__file__)]
    graph, _ = cached("onnx", graph_inputs, write_graph)
    return {
        "/bench/": PAGES,
        "/site/": kept,
        "/model/": vendor.model_file().parent,
        "/onnx/": graph,
        "/vendor/wllama/": vendor.package("@wllama/wllama").folder,
        "/vendor/onnxruntime/": vendor.package("onnxruntime-web").folder,
    }


def write_graph(into: Path) -> dict:
    model = vendor.model_file()
    onnx_model.write_onnx(model, into / model.with_suffix(".onnx").name)
    return {}


def run_round(browser, server: Loopback, contender: Contender, quick: bool) -> None:
    """One fresh page: load, a warm-up that is thrown away, then each prompt once."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server.origin}/bench/page.html")
    folder = "onnx" if contender.module == "onnxruntime" else "model"
    request = {"threads": contender.threads, "model": f"/{folder}/{contender.file}"}
    loaded = page.evaluate(OPEN_PEER, [contender.module, request])
    if loaded["threads"] != contender.threads:
        raise SystemExit(f"{label(contender)} ran with {loaded['threads']} threads")
    contender.loads.append(loaded["load_seconds"])
    prompts = json.loads((PAGES / "prompts.json").read_text())
    ask_peer(page, prompts["warm_up"], 8)
    for name in PROMPTS:
        answer_tokens = QUICK_ANSWER_TOKENS if quick else ANSWER_TOKENS
        contender.runs[name].append(ask_peer(page, prompts[name], answer_tokens))
    if (peak := peak_bytes(browser)) is not None:
        contender.peaks.append(peak)
    context.close()
    print_run(contender)


def print_run(contender: Contender) -> None:
    """One line about the run that has just ended, so that a long bench shows that it lives."""
    rates = ", ".join(
        f"{prompt} {contender.rates(prompt, 'prefill')[-1]:.0f} / "
        f"{contender.rates(prompt, 'decode')[-1]:.1f}"
        for prompt in PROMPTS
    )
    print(f"{label(contender):30} prefill / decode: {rates}", flush=True)


def ask_peer(page, prompt: dict, answer_tokens: int) -> dict:
    run = page.evaluate(
        "request => peer.generate(request)", {**prompt, "answer_tokens": answer_tokens}
    )
    if run["prompt_tokens"] != len(prompt["tokens"]):
        raise SystemExit(f"a system saw {run['prompt_tokens']} tokens, not {len(prompt['tokens'])}")
    return run


def peak_bytes(browser) -> int | None:
    """The most memory that the page's process ever had resident; None where Linux is not."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    peaks = [high_water(row["id"]) for row in processes if row["type"] == "renderer"]
    return max((peak for peak in peaks if peak), default=None)


def high_water(process: int) -> int | None:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), None)


def measure_starts(kept: Path, rounds: int) -> dict[str, list[dict]]:
    """Opens the real site in new profiles: first visit (cold), then again once it is stored."""
    from playwright.sync_api import sync_playwright

    starts = {"cold": [], "warm": []}
    with Loopback({"/": kept}, headers=HEADERS) as server, sync_playwright() as playwright:
        for number in range(rounds):
            print(f"start of the app, profile {number + 1}: cold and warm ...", flush=True)
            with tempfile.TemporaryDirectory() as profile:
                context = launch_persistent_chromium(playwright, Path(profile))
                starts["cold"].append(measure_start(context, server.url, wait_stored=True))
                for _ in range(3):
                    starts["warm"].append(measure_start(context, server.url))
                context.close()
    return starts


def measure_start(context, url: str, wait_stored: bool = False) -> dict:
    """Opens the app and asks as soon as it is live; milliseconds since navigation."""
    page = context.new_page()
    app = App(page, url).open().wait_live()
    app.ask(QUESTION)
    timeline = app.window()["timeline"]
    if wait_stored:
        app.wait_stored()
    page.close()
    return timeline


def start_rows(starts: dict[str, list[dict]], version: str) -> list[dict]:
    rows = []
    for kind, timelines in starts.items():
        row = dict.fromkeys(KEYS) | {
            "system": f"onglet start-up {kind}",
            "version": version,
        }
        for moment in MOMENTS:
            seconds = median(timeline[moment] for timeline in timelines) / 1000
            row[f"{moment}_seconds"] = round(seconds, 3)
        rows.append(row)
    return rows


def report(contenders: list[Contender], starts: dict[str, list[dict]]) -> None:
    print("\ntokens per second: median (lowest-highest)")
    print(f"{'':30} {'prompt':>6} {'prefill':>22} {'decode':>20} {'load s':>7} {'peak MB':>8}")
    for prompt in PROMPTS:
        for contender in contenders:
            print(line_of(contender, prompt))
    report_ratios(contenders)
    print("\nstart of the app, seconds since navigation: median (lowest-highest)")
    for kind, timelines in starts.items():
        parts = [
            f"{moment} {spread([t[moment] / 1000 for t in timelines], 2)}" for moment in MOMENTS
        ]
        print(f"{kind}: " + ", ".join(parts))
    live = median(timeline["live"] for timeline in starts["warm"]) / 1000
    print(f"live app warm: {live:.2f} s (bar {LIVE_BAR} s: {verdict(live <= LIVE_BAR)})")


def line_of(contender: Contender, prompt: str) -> str:
    row = contender.row(prompt)
    rates = [spread(contender.rates(prompt, phase), 1) for phase in ("prefill", "decode")]
    peak = f"{row['peak_bytes'] / 1e6:.0f}" if row["peak_bytes"] else "-"
    start = f"{label(contender):30} {row['prompt_tokens']:6} {rates[0]:>22} {rates[1]:>20}"
    return f"{start} {row['load_seconds']:7.2f} {peak:>8}"


def report_ratios(contenders: list[Contender]) -> None:
    """Prints Onglet against wllama, thread for thread, with the bars of the project."""
    found = {(contender.system, contender.threads): contender for contender in contenders}
    print()
    for (system, threads), ours in found.items():
        if system != "onglet":
            continue
        theirs = found["wllama", threads]
        for phase, bar in (("decode", DECODE_BAR), ("prefill", PREFILL_BAR)):
            ratios = [
                median(ours.rates(prompt, phase)) / median(theirs.rates(prompt, phase))
                for prompt in PROMPTS
            ]
            text = ", ".join(f"{ratio:.1f}x" for ratio in ratios)
            held = verdict(min(ratios) >= bar)
            print(f"{phase} / wllama, {threads} threads: {text} (bar {bar}x: {held})")


def label(contender: Contender) -> str:
    return f"{contender.system} {contender.version}, {contender.threads} thr"


def spread(values: list[float], digits: int) -> str:
    low, high = min(values), max(values)
    return f"{median(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def verdict(holds: bool) -> str:
    return "holds" if holds else "missed"


def load_average() -> str:
    if not hasattr(os, "getloadavg"):
        return "not known here"
    loads, cores = os.getloadavg(), os.cpu_count()
    text = " ".join(f"{value:.2f}" for value in loads) + f" on {cores} cores"
    return text + (" (busy before a run: its figures say little)" if loads[0] > cores / 2 else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
