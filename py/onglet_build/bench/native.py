"""Runs native llama.cpp on one file, in a process of its own, with its own timings.

`python -m onglet_build.bench.native REQUEST ANSWER` reads a JSON file and writes one.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .. import vendor
from .memory import high_water

CONTEXT = 2048


class NativeFailed(Exception):
    """llama.cpp does not run here, or not with this file."""


def run(model: Path, threads: int, prompts: list[dict], answer_tokens: list[int]) -> dict:
    """Loads the model and answers each prompt; returns {load_seconds, peak_bytes, runs}."""
    request = {
        "package": str(vendor.package("xllamacpp").folder),
        "model": str(model),
        "threads": threads,
        "prompts": [prompt["prompt"] for prompt in prompts],
        "answer_tokens": answer_tokens,
    }
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder, "request.json"), Path(folder, "answer.json")
        asked.write_text(json.dumps(request))
        command = [sys.executable, "-m", __name__, str(asked), str(answered)]
        place = Path(__file__).parents[2]
        ended = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        if not answered.exists():
            last = (ended.stderr.strip() or "no word").splitlines()[-1]
            raise NativeFailed(f"llama.cpp ended with status {ended.returncode}: {last}")
        return json.loads(answered.read_text())


def main(asked: Path, answered: Path) -> None:
    request = json.loads(asked.read_text())
    sys.path.insert(0, request["package"])
    import xllamacpp

    started = time.monotonic()
    server = xllamacpp.Server(parameters(xllamacpp, request))
    load_seconds = time.monotonic() - started
    asks = zip(request["prompts"], request["answer_tokens"], strict=True)
    runs = [complete(server, prompt, count) for prompt, count in asks]
    peak = high_water(os.getpid())
    answer = {"load_seconds": load_seconds, "peak_bytes": peak, "runs": runs}
    answered.write_text(json.dumps(answer))


def parameters(xllamacpp, request: dict):
    wanted = xllamacpp.CommonParams()
    wanted.model.path = request["model"]
    wanted.n_ctx, wanted.n_parallel, wanted.warmup = CONTEXT, 1, False
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = request["threads"]
    return wanted


def complete(server, prompt: str, answer_tokens: int) -> dict:
    """One greedy answer, in the keys of the bench's pages."""
    wishes = {"temperature": 0, "cache_prompt": False, "ignore_eos": True}
    answer = server.handle_completions({"prompt": prompt, "max_tokens": answer_tokens, **wishes})
    timings = (json.loads(answer) if isinstance(answer, str) else answer)["timings"]
    return {
        "prompt_tokens": timings["prompt_n"],
        "prefill_seconds": timings["prompt_ms"] / 1000,
        "answer_tokens": timings["predicted_n"],
        "decode_seconds": timings["predicted_ms"] / 1000,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    os._exit(0)  # the library's threads race with Python's end
