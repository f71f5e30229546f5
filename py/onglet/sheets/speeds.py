"""How fast this is beside other programs: the figures of the last published bench, as sections.

`speeds.json` is written by `build.py bench --publish`; nothing here measures anything.
"""

import json
from pathlib import Path

from onglet.words import number, say

FIGURES = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
TASKS = {"decode": "speeds.decode", "prefill": "speeds.prefill"}


def sections() -> list[dict]:
    """A title, where it was measured, and one table of bars for each task."""
    machine = FIGURES["machine"]
    about = [say("speeds.about", **{key: value for key, value in machine.items() if key != "busy"})]
    if machine["busy"]:
        about.append(say("speeds.busy"))
    return [
        {"kind": "title", "text": say("speeds.title")},
        {"kind": "text", "text": " ".join(about), "look": "muted"},
        *map(_bars, TASKS),
    ]


def _bars(task: str) -> dict:
    """The table of one task: each row a name, a figure and its share of the longest bar."""
    measured = [bar for bar in FIGURES["bars"] if bar[task]]
    most = max(bar[task] for bar in measured)
    rows = [
        {"name": _name(bar), "value": number(round(bar[task])), "share": bar[task] / most}
        for bar in measured
    ]
    columns = [say("speeds.program"), say("speeds.rate")]
    return {"kind": "bars", "caption": say(TASKS[task]), "columns": columns, "rows": rows}


def _name(bar: dict) -> str:
    if not bar["in_tab"]:
        return say("speeds.outside", name=bar["name"].removesuffix(" native"))
    return " ".join(filter(None, (bar["name"], bar["version"])))
