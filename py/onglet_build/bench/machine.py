"""The machine of a bench: its name, how busy it is, how fast WASM reads its memory; and a foreign
process that keeps one core busy, on request."""

import contextlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from ..kernels import WASM
from ..places import ROOT
from ..steps import cached
from .contenders import KEYS

PAGES = ROOT / "tests" / "bench"
FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "asimddp", "i8mm")
MEASURE_LIMIT = "threads => import('./read_limit.js').then(({ measure }) => measure(threads))"
BURN = "while True: pass"


def describe() -> dict:
    """Processor, cores, memory and system, as far as this system tells."""
    info = read_lines("/proc/cpuinfo")
    memory = next(iter(read_lines("/proc/meminfo").get("MemTotal", [])), "")
    flags = set(" ".join(info.get("flags", info.get("Features", []))).split())
    return {
        "processor": next(iter(info.get("model name", [])), platform.processor()),
        "instructions": [flag for flag in FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "memory_bytes": int(memory.split()[0]) * 1024 if memory else None,
        "operating_system": platform.system(),
    }


def read_lines(path: str) -> dict[str, list[str]]:
    """`name : value` lines of a file of the system: name -> values; empty where there is none."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return {}
    found: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip(), []).append(value.strip())
    return found


def load_average() -> list[float] | None:
    """The load of the last 1, 5 and 15 minutes."""
    return [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None


def is_busy(load: list[float] | None) -> bool:
    """Whether so much else runs that figures say little."""
    return bool(load) and load[0] > (os.cpu_count() or 1) / 2


def state(when: str) -> str:
    """One line about the load, with a warning if need be."""
    load = load_average()
    words = " ".join(map(str, load)) if load else "not known here"
    warning = "; BUSY: the figures say little" if is_busy(load) and when == "before" else ""
    return f"load of this machine {when}: {words} on {os.cpu_count()} cores{warning}"


def row(before: list[float] | None, browser: str) -> dict:
    """The row `machine` of bench.json."""
    return dict.fromkeys(KEYS) | {
        "system": "machine",
        **describe(),
        "browser": browser,
        "load_before": before,
        "load_after": load_average(),
        "busy": is_busy(before),
        "date": datetime.now(UTC).date().isoformat(),
    }


def read_limit_folder() -> Path:
    """The folder with the WASM module that reads memory."""
    source = PAGES / "read_limit.c"
    return cached("read_limit", [source, json.dumps(WASM)], lambda into: compile_to(source, into))[
        0
    ]


def compile_to(source: Path, into: Path) -> dict:
    target = into / f"{source.stem}.wasm"
    command = [sys.executable, "-m", "ziglang", "cc", *WASM, str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    return {}


def measure_read_limit(page, threads: int) -> dict:
    """The row `read limit` for this number of threads."""
    rates = [rate / 1e9 for rate in page.evaluate(MEASURE_LIMIT, threads)]
    return dict.fromkeys(KEYS) | {
        "system": "read limit",
        "threads": threads,
        "gigabytes_per_second": round(median(rates), 2),
        "gigabytes_spread": [round(min(rates), 2), round(max(rates), 2)],
    }


@contextlib.contextmanager
def one_busy_core() -> Iterator[None]:
    """Another process computes for the length of a `with` block."""
    process = subprocess.Popen([sys.executable, "-c", BURN])
    try:
        yield
    finally:
        process.kill()
        process.wait()
