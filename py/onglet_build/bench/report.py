"""Prints what a bench has measured, with the bars of the project."""

from statistics import median

from . import models, starts
from .contenders import PROMPTS, Contender
from .starts import MOMENTS, Starts

BARS = {  # (system, model, threads): {(prompt, phase): times wllama on the same file and threads}
    ("onglet", "Q4_1", 2): {
        ("short", "decode"): 14,
        ("long", "decode"): 18,
        ("long", "prefill"): 28,
    },
    ("onglet", "Q8_0", 2): {("short", "decode"): 8, ("long", "prefill"): 12},
    ("onglet", "Q4_K_M", 2): {("short", "decode"): 8, ("long", "prefill"): 12},
    ("onglet", "Q6_K", 2): {("short", "decode"): 8, ("long", "prefill"): 12},
    ("onglet", "Q4_1", 1): {("short", "decode"): 18},
    ("onglet plain SIMD", "Q4_1", 2): {("short", "decode"): 10},
}
NATIVE_BARS = {("short", "decode"): 2.2, ("long", "prefill"): 2}
LIMIT_BARS = {"Q4_1": 0.85, "1.5B-Q4_0": 0.85}
LIVE_BARS = {"cold": 1.6, "warm": 0.9}
WLLAMA, NATIVE = "wllama", "llama.cpp native"


def report(contenders: list[Contender], limits: list[dict], started: Starts) -> None:
    print("\ntokens per second: median (lowest-highest)")
    print(
        f"{'':55} {'prompt':>6} {'prefill':>24} {'decode':>20} {'GB/s':>6} {'load s':>7} {'MB':>6}"
    )
    for prompt in PROMPTS:
        for contender in contenders:
            if contender.runs[prompt]:
                print(line_of(contender, prompt))
    for contender in contenders:
        if contender.failure:
            print(f"{contender.label}: {contender.failure}")
    print()
    for line in [*ratio_lines(contenders), *limit_lines(contenders, limits)]:
        print(line)
    print("\nstart of the app, seconds since navigation: median (lowest-highest)")
    for line in start_lines(started):
        print(line)


def line_of(contender: Contender, prompt: str) -> str:
    row = contender.row(prompt)
    rates = [spread(contender.rates(prompt, phase), 1) for phase in ("prefill", "decode")]
    peak = f"{row['peak_bytes'] / 1e6:.0f}" if row["peak_bytes"] else "-"
    start = f"{contender.label:55} {row['prompt_tokens']:6} {rates[0]:>24} {rates[1]:>20}"
    return f"{start} {row['gigabytes_per_second']:6.1f} {row['load_seconds']:7.2f} {peak:>6}"


def ratio(ours: Contender, theirs: Contender, prompt: str, phase: str) -> float | None:
    """How many times faster the medians are; None where one of them is missing."""
    if not (ours.runs[prompt] and theirs.runs[prompt]):
        return None
    return median(ours.rates(prompt, phase)) / median(theirs.rates(prompt, phase))


def ratio_lines(contenders: list[Contender]) -> list[str]:
    """Onglet against wllama and native llama.cpp, file for file and thread for thread."""
    found = {(one.system, one.model, one.threads): one for one in contenders}
    lines = []
    for key, ours in found.items():
        for peer in (WLLAMA, NATIVE):
            theirs = found.get((peer, ours.model, ours.threads))
            if ours.is_onglet and theirs:
                bars = BARS.get(key, {}) if peer == WLLAMA else native_bars(key)
                lines += compare(ours, theirs, bars)
    return lines


def native_bars(key: tuple) -> dict:
    return NATIVE_BARS if key == ("onglet", models.EMBEDDED, 2) else {}


def compare(ours: Contender, theirs: Contender, bars: dict) -> list[str]:
    """One line: the four ratios of two contenders, with a bar where there is one."""
    parts = []
    for prompt in PROMPTS:
        for phase in ("decode", "prefill"):
            if (times := ratio(ours, theirs, prompt, phase)) is not None:
                bar = bars.get((prompt, phase))
                held = f" (bar {bar}x: {verdict(times >= bar)})" if bar else ""
                parts.append(f"{phase} {prompt} {times:.2f}x{held}")
    start = f"{ours.system} / {theirs.system}, {ours.model}, {ours.threads} thr"
    return [f"{start}: {', '.join(parts)}"] if parts else []


def limit_lines(contenders: list[Contender], limits: list[dict]) -> list[str]:
    """How much of what the machine can read our decoding reads."""
    most = {row["threads"]: row["gigabytes_per_second"] for row in limits}
    lines = [f"read limit, {threads} thr: {rate:.1f} GB/s" for threads, rate in most.items()]
    for one in contenders:
        if one.is_onglet and one.runs["short"] and one.threads in most:
            share = one.row("short")["gigabytes_per_second"] / most[one.threads]
            bar = LIMIT_BARS.get(one.model) if (one.system, one.threads) == ("onglet", 2) else None
            held = f" (bar {bar:.0%}: {verdict(share >= bar)})" if bar else ""
            lines.append(f"{one.label}: decode reads {share:.0%} of the read limit{held}")
    return lines


def start_lines(started: Starts) -> list[str]:
    lines = []
    for kind, timelines in started.items():
        parts = [
            f"{moment} {spread([timeline[moment] / 1000 for timeline in timelines], 2)}"
            for moment in MOMENTS
        ]
        live, bar = starts.seconds(timelines, "live"), LIVE_BARS[kind]
        lines.append(f"{kind}: {', '.join(parts)} (live, bar {bar} s: {verdict(live <= bar)})")
    return lines


def spread(values: list[float], digits: int) -> str:
    low, high = min(values), max(values)
    return f"{median(values):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def verdict(holds: bool) -> str:
    return "holds" if holds else "missed"
