"""Texts into vectors: Onglet's encoder beside onnxruntime-web and transformers.js on the same
weights, in turns, each in a fresh page.

Two kinds of texts: the 200 sentences of the stored reference, and passages of eight of them. The
peers get batches sorted by length, onnxruntime-web tokens in place of text. What each made is
compared with the publisher's vectors. Beside time on a clock stands the processor time of the
page's process, which other work on the machine changes less. Knows nothing of chats.
"""

import base64
import json
from pathlib import Path
from statistics import median

import numpy as np

from .. import encoder, vendor
from ..places import ROOT
from ..steps import cached
from . import encoder_graph

SYSTEMS = {
    "onglet embeddings": "embed_onglet",
    "onnxruntime-web embeddings": "embed_onnxruntime",
    "transformers.js embeddings": "embed_transformers",
}
ROUNDS, THREADS = 3, 2
TOGETHER = 8  # sentences of a passage
BEGIN, END = 101, 102
BAR = 2.5  # times onnxruntime-web
REFERENCE = ROOT / "tests" / "browser" / "embedding_reference.json"
IDS = ROOT / "tests" / "unit" / "word_pieces_expected.json"
OPEN = "async ([name, request]) => (globalThis.peer = await import(`./${name}.js`)).load(request)"
MODEL = "onnx/model.onnx"  # where transformers.js looks for it

Runs = dict[str, list[dict]]  # system -> a dict of figures for each round


def works() -> dict[str, dict]:
    """What is asked: by kind, `texts` and their `ids`."""
    texts = json.loads(REFERENCE.read_text())["sentences"]
    ids = json.loads(IDS.read_text())["sentences"]
    starts = range(0, len(texts), TOGETHER)
    cut = [
        [token for each in ids[start : start + TOGETHER] for token in each[1:-1]]
        for start in starts
    ]
    long = [[BEGIN, *each[: encoder.TOKENS - 2], END] for each in cut]
    joined = [" ".join(texts[start : start + TOGETHER]) for start in starts]
    return {
        "sentences": {"texts": texts, "ids": ids},
        "passages": {"texts": joined, "ids": long},
    }


def measure(origin: str, browser, rounds: int) -> Runs:
    """Runs everybody in turn. `origin` serves `folders` and what bench/peers.py serves."""
    runs: Runs = {system: [] for system in SYSTEMS}
    for _ in range(rounds):
        for system, module in SYSTEMS.items():
            runs[system].append(run(origin, browser, module))
            rates = ", ".join(f"{runs[system][-1][kind]:.1f} {kind}/s" for kind in works())
            print(f"{system:55} {rates}", flush=True)
    return runs


def run(origin: str, browser, module: str) -> dict:
    """One round of one system: texts a second by kind, on a clock and of the processor,
    load_seconds, least_cosine."""
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(f"{origin}/bench/page.html")
        found = page.evaluate(OPEN, [module, {"threads": THREADS}])
        warm = {name: values[:16] for name, values in works()["sentences"].items()}
        page.evaluate("request => peer.generate(request)", warm)
        for kind, work in works().items():
            before = processor_seconds(browser)
            made = page.evaluate("request => peer.generate(request)", work)
            found[kind] = len(work["texts"]) / made["seconds"]
            found[f"{kind} cpu"] = len(work["texts"]) / (processor_seconds(browser) - before)
            if kind == "sentences":
                found["least_cosine"] = least_cosine(made["vectors"])
        return found
    finally:
        context.close()


def processor_seconds(browser) -> float:
    """What all pages' processes have used so far."""
    told = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    return sum(row["cpuTime"] for row in told["processInfo"] if row["type"] == "renderer")


def least_cosine(vectors: list[float]) -> float:
    """Of the sentences' vectors and the publisher's."""
    stored = json.loads(REFERENCE.read_text())
    theirs = np.frombuffer(base64.b64decode(stored["vectors"]), np.float16).astype(np.float32)
    theirs = theirs.reshape(len(stored["sentences"]), -1)
    ours = np.array(vectors, np.float32).reshape(theirs.shape)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / lengths).min())


def rows(runs: Runs, versions: dict[str, str]) -> list[dict]:
    """Rows of bench.json."""
    found = []
    for system, rounds in runs.items():
        row = {"system": system, "version": versions[system.removesuffix(" embeddings")]}
        row |= {"file": encoder.FILE if "onglet" in system else MODEL, "threads": THREADS}
        row["load_seconds"] = round(median(each["load_seconds"] for each in rounds), 3)
        for kind, work in works().items():
            rates = [each[kind] for each in rounds]
            tokens = sum(map(len, work["ids"])) / len(work["ids"])
            row[f"{kind}_per_second"] = round(median(rates), 1)
            row[f"{kind}_per_cpu_second"] = round(median(each[f"{kind} cpu"] for each in rounds), 1)
            row[f"{kind}_spread"] = [round(min(rates), 1), round(max(rates), 1)]
            row[f"{kind}_tokens_per_second"] = round(median(rates) * tokens)
        row["least_cosine"] = round(min(each["least_cosine"] for each in rounds), 4)
        found.append(row)
    return found


def report(measured: list[dict]) -> list[str]:
    """What to print: the rates, and how many times the peers."""
    ours, *peers = measured
    lines = [
        f"{row['system']} {row['version']}, {row['threads']} thr: "
        f"{row['sentences_per_second']} sentences/s, {row['passages_per_second']} passages/s "
        f"({row['passages_tokens_per_second']} tokens/s), a second of processor: "
        f"{row['sentences_per_cpu_second']}, {row['passages_per_cpu_second']}; "
        f"least cosine {row['least_cosine']}"
        for row in measured
    ]
    for peer in peers:
        parts = []
        for kind in ("sentences", "passages"):
            times = ours[f"{kind}_per_second"] / peer[f"{kind}_per_second"]
            processor = ours[f"{kind}_per_cpu_second"] / peer[f"{kind}_per_cpu_second"]
            held = "holds" if times >= BAR else "missed"
            parts.append(f"{kind} {times:.2f}x (bar {BAR}x: {held}; of processor {processor:.2f}x)")
        lines.append(f"onglet / {peer['system']}: {', '.join(parts)}")
    return lines


def folders() -> dict[str, Path]:
    """URL prefix -> folder: the encoder as transformers.js expects a folder of the Hub."""
    sources = [*encoder.sources(), Path(encoder_graph.__file__), Path(__file__)]
    return {"/encoder/": cached("encoder_graph", sources, write_folder)[0]}


def write_folder(into: Path) -> dict:
    (into / MODEL).parent.mkdir(parents=True)
    encoder_graph.write(into / MODEL)
    (into / "tokenizer.json").write_bytes(encoder.sources()[1].read_bytes())
    names = {f"{name.strip('[]').lower()}_token": name for name in encoder.SPECIAL}
    how = {"tokenizer_class": "BertTokenizer", "model_max_length": encoder.TOKENS, **names}
    (into / "tokenizer_config.json").write_text(json.dumps(how))
    config = {"model_type": "bert", "hidden_size": encoder.WIDTH, "architectures": ["BertModel"]}
    (into / "config.json").write_text(json.dumps(config))
    return {}


def versions() -> dict[str, str]:
    """Of the peers."""
    names = {"onnxruntime-web": "onnxruntime-web", "transformers.js": "@huggingface/transformers"}
    return {system: vendor.package(name).version for system, name in names.items()}
