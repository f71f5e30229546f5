"""The picture of a bench: docs/speeds.png for the README, and py/onglet/speeds.json, from which the
app draws the same bars. Both come from one run and name its machine.
"""

import json
from html import escape
from pathlib import Path

from ..places import PY, ROOT
from . import models

PICTURE = ROOT / "docs" / "speeds.png"
DATA = PY / "onglet" / "speeds.json"
SHOWN = ("onglet", "llama.cpp native", "wllama", "wllama compat", "transformers.js",
         "onnxruntime-web")  # fmt: skip
NAMES = {"onglet": "Onglet", "wllama compat": "wllama (compat build)"}
IN_TAB_NOT = ("llama.cpp native",)
SHORT = 100  # prompts with fewer tokens
WIDTH, LEFT, RIGHT, LINE, TOP = 860, 230, 110, 34, 64
STYLE = """text { font: 15px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 }
.muted { fill: #59636e; font-size: 13px } rect { fill: #9aa4b0 } .ours { fill: #b4462f }
.ours-text { font-weight: 600 }"""


def summary(rows: list[dict]) -> dict:
    """What people are shown of bench.json: decoding and reading of the embedded file by two
    threads, each system once, ours first; and the machine."""
    about = next(row for row in rows if row["system"] == "machine")
    machine = {key: about[key] for key in ("processor", "cores", "browser", "date", "busy")}
    bars = []
    for system in SHOWN:
        short, long = (find(rows, system, few) for few in (True, False))
        if short and short["decode_tokens_per_second"]:
            bars.append(
                {
                    "name": NAMES.get(system, system),
                    "version": None if system == "onglet" else short["version"],
                    "in_tab": system not in IN_TAB_NOT,
                    "decode": short["decode_tokens_per_second"],
                    "prefill": long and long["prefill_tokens_per_second"],
                }
            )
    return {"machine": machine, "bars": bars}


def find(rows: list[dict], system: str, few: bool) -> dict | None:
    """The row of a system for the embedded file, two threads, and the short or the long prompt."""
    for row in rows:
        same = row["system"] == system and row["threads"] == 2 and models.EMBEDDED in row["file"]
        if same and row["prompt_tokens"] and (row["prompt_tokens"] < SHORT) == few:
            return row
    return None


def publish(rows: list[dict]) -> None:
    """Writes the picture and the data of the app."""
    found = summary(rows)
    DATA.write_text(json.dumps(found, indent=1) + "\n")
    photograph(svg(found), PICTURE)
    print(f"written: {DATA.relative_to(ROOT)}, {PICTURE.relative_to(ROOT)}")


def svg(found: dict) -> str:
    """Two groups of bars, one scale each."""
    machine, bars = found["machine"], found["bars"]
    group = len(bars) * LINE + 60
    parts = [
        draw_group(bars, "decode", "Answering, at 40 tokens of context: tokens per second", TOP),
        draw_group(
            bars, "prefill", "Reading a prompt of 847 tokens: tokens per second", TOP + group
        ),
    ]
    height = TOP + 2 * group
    about = f"{machine['processor']}, {machine['cores']} cores, 2 threads, {machine['browser']}"
    title = "SmolLM2-135M-Instruct, 4 bit, without a GPU"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}">'
        f"<style>{STYLE}</style>"
        f'<rect width="{WIDTH}" height="{height}" style="fill: #fff"/>'
        f'<text class="title" x="20" y="30">{escape(title)}</text>'
        f'<text class="muted" x="20" y="50">{escape(about)}, {machine["date"]}</text>'
        f"{''.join(parts)}</svg>"
    )


def draw_group(bars: list[dict], key: str, title: str, top: int) -> str:
    most = max(bar[key] or 0 for bar in bars)
    parts = [f'<text class="title" x="20" y="{top + 28}">{escape(title)}</text>']
    for number, bar in enumerate(bars):
        if bar[key]:
            parts.append(draw_bar(bar, bar[key], most, top + 44 + number * LINE))
    return "".join(parts)


def draw_bar(bar: dict, value: float, most: float, y: int) -> str:
    length = max(2, (WIDTH - LEFT - RIGHT) * value / most)
    look = "ours" if bar["version"] is None else ""
    return (
        f'<text class="{look}-text" x="{LEFT - 10}" y="{y + 17}" text-anchor="end">'
        f"{escape(bar['name'])}</text>"
        f'<rect class="{look}" x="{LEFT}" y="{y}" width="{length:.1f}" height="24" rx="4"/>'
        f'<text x="{LEFT + length + 8:.1f}" y="{y + 17}">{value:,.0f}</text>'
    )


def photograph(drawing: str, into: Path) -> None:
    """Turns the drawing into a PNG, by the browser."""
    from ..browser import chromium

    with chromium() as browser:
        page = browser.new_page(device_scale_factor=2)
        page.set_content(f'<body style="margin: 0">{drawing}</body>')
        page.locator("svg").screenshot(path=into)
