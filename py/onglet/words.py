"""Says every sentence of the interface in the chosen language: `say(key, **values)`.

The sentences are rows of words/<language>.json, read once at import. A gap may name how its value
is written: `{have:size}` (bytes), `{count:number}`, `{rate:rate}`, `{left:seconds}`, or the prefix
of another key: `{looks_like:looks_like}`. Knows nothing of screens.
"""

import json
import string
from pathlib import Path

LANGUAGES = ("en", "fr")
TABLES = {
    code: json.loads(Path(__file__).with_name("words").joinpath(f"{code}.json").read_text("utf-8"))
    for code in LANGUAGES
}
NARROW_SPACE = "\u202f"
NO_BREAK_SPACE = "\u00a0"
UNITS = {"en": ("bytes", "kB", "MB", "GB"), "fr": ("octets", "ko", "Mo", "Go")}

_language = "en"


def speak(code: str) -> None:
    """Chooses the language of everything said from now on. Unknown codes mean English."""
    global _language
    _language = code if code in TABLES else "en"


def spoken() -> str:
    """The code of the language in use."""
    return _language


def say(key: str, **values) -> str:
    """The sentence of `key`, its gaps filled. With `count`, `key.one` or `key.many` is taken."""
    table = TABLES[_language]
    if key not in table and "count" in values:
        key = f"{key}.one" if is_one(values["count"]) else f"{key}.many"
    return _FORMATTER.vformat(table[key], (), values)


def has(key: str) -> bool:
    return key in TABLES[_language]


def explain(code: str, values: dict) -> str:
    """The sentence for an error; an unknown code, or values that do not fit, get a general one."""
    try:
        return say(f"error.{code}", **values)
    except (KeyError, ValueError, TypeError):
        return say("error.unknown", code=code)


def is_one(count: float) -> bool:
    """Whether a count takes the singular: 1 in English; 0 and everything under 2 in French."""
    return abs(count) < 2 if _language == "fr" else count == 1


def number(value: float, decimals: int = 0) -> str:
    """1,234.5 in English, 1 234,5 (narrow no-break space) in French."""
    text = f"{value:,.{decimals}f}"
    if _language == "fr":
        text = text.replace(",", NARROW_SPACE).replace(".", ",")
    return text


def rate(value: float) -> str:
    """A speed: whole from 10 on, one decimal below."""
    return number(value, 0 if value >= 10 else 1)


def percent(share: float) -> str:
    """12% in English, 12 % in French, of a share of 1; one decimal below 10, at least 0.1."""
    value = max(100 * share, 0.1)
    text = number(value, 0 if value >= 10 else 1)
    return f"{text}{NARROW_SPACE}%" if _language == "fr" else f"{text}%"


def size(count: int) -> str:
    """Bytes as people read them: 0 bytes, 12 kB, 98 MB, 1.3 GB (thousands, not 1024)."""
    names = UNITS[_language]
    if count < 1000:
        name = names[0][:-1] if is_one(count) else names[0]
        return f"{number(count)}{NO_BREAK_SPACE}{name}"
    power = next(power for power in (1, 2, 3) if count < 1000 ** (power + 1) or power == 3)
    value = count / 1000**power
    return f"{number(value, 1 if value < 9.95 else 0)}{NO_BREAK_SPACE}{names[power]}"


def seconds(value: float) -> str:
    """A duration: 0.4 s, 12 s, 3 min."""
    if value >= 120:
        return f"{number(value / 60)}{NO_BREAK_SPACE}min"
    return f"{number(value, 0 if value >= 10 else 1)}{NO_BREAK_SPACE}s"


WRITERS = {"number": number, "rate": rate, "size": size, "seconds": seconds}


class _Formatter(string.Formatter):
    def format_field(self, value, spec: str) -> str:
        if spec in WRITERS:
            return WRITERS[spec](value)
        return say(f"{spec}.{value}") if spec else str(value)


_FORMATTER = _Formatter()
