"""The controls for how answers are made: their limits, their words, and what a change means."""

from typing import Any

from onglet.agents.loop import LARGEST_SEED, Settings
from onglet.words import has, say

RANGES = {  # name: (least, most, step)
    "temperature": (0, 2, 0.05),
    "top_k": (0, 200, 1),
    "top_p": (0.05, 1, 0.05),
    "min_p": (0, 0.5, 0.01),
    "repeat_penalty": (1, 1.5, 0.01),
}
NUMBERS = {"max_tokens": (1, 8192, 1), "seed": (0, LARGEST_SEED, 1)}
WHOLE = ("top_k", "max_tokens", "seed")


def controls(settings: Settings, prefix: str = "") -> list[dict]:
    """All of them, with the values of `settings`; `prefix` tells those of two settings apart."""
    listed = [(name, "range", limits) for name, limits in RANGES.items()]
    listed += [(name, "number", limits) for name, limits in NUMBERS.items()]
    listed.append(("instructions", "text", (0, 0, 0)))
    return [_control(prefix, *each, settings.value(each[0])) for each in listed]


def _control(prefix: str, name: str, type: str, limits: tuple, value: Any) -> dict:
    hint = f"sampling.{name}.hint"
    return {
        "name": prefix + name,
        "type": type,
        "label": say(f"sampling.{name}"),
        "hint": say(hint) if has(hint) else "",
        **dict(zip(("min", "max", "step"), limits, strict=True)),
        "value": value,
    }


def changed(settings: Settings, name: str, value: Any) -> Settings:
    return settings.changed(name, round(value) if name in WHOLE else value)
