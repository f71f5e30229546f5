"""Units of measure. Factors are exact where they are defined so (NIST SP 811); a cup, pint and
gallon are those of the United States, a month and a year the mean Gregorian ones.
"""

import re
from typing import Literal

from onglet.agents.tools import Here

PERMISSION, WRITES = "free", False
EXAMPLES = (
    ("Convert 12 miles to km", {"amount": 12, "unit": "mile", "to": "kilometer"}),
    ("How many pounds is 3 kg?", {"amount": 3, "unit": "kilogram", "to": "pound"}),
)

# unit: (what it measures, how many of the first of its kind, other names)
UNITS = {
    "meter": ("length", 1.0, "m metre"),
    "kilometer": ("length", 1000.0, "km kilometre"),
    "centimeter": ("length", 0.01, "cm centimetre"),
    "millimeter": ("length", 0.001, "mm millimetre"),
    "mile": ("length", 1609.344, "mi"),
    "yard": ("length", 0.9144, "yd"),
    "foot": ("length", 0.3048, "feet ft"),
    "inch": ("length", 0.0254, "inches"),
    "nautical mile": ("length", 1852.0, "nmi"),
    "kilogram": ("mass", 1.0, "kg kilo"),
    "gram": ("mass", 0.001, "g gramme"),
    "milligram": ("mass", 1e-6, "mg"),
    "tonne": ("mass", 1000.0, "metric_ton"),
    "pound": ("mass", 0.45359237, "lb lbs"),
    "ounce": ("mass", 0.028349523125, "oz"),
    "stone": ("mass", 6.35029318, "st"),
    "liter": ("volume", 1.0, "l litre"),
    "milliliter": ("volume", 0.001, "ml millilitre"),
    "centiliter": ("volume", 0.01, "cl centilitre"),
    "cubic meter": ("volume", 1000.0, "m3 m³ cubic_metre"),
    "cup": ("volume", 0.2365882365, ""),
    "pint": ("volume", 0.473176473, "pt"),
    "gallon": ("volume", 3.785411784, "gal"),
    "tablespoon": ("volume", 0.01478676478125, "tbsp"),
    "teaspoon": ("volume", 0.00492892159375, "tsp"),
    "second": ("time", 1.0, "s sec"),
    "minute": ("time", 60.0, "min"),
    "hour": ("time", 3600.0, "h hr"),
    "day": ("time", 86400.0, ""),
    "week": ("time", 604800.0, ""),
    "month": ("time", 2629746.0, ""),
    "year": ("time", 31556952.0, ""),
    "celsius": ("temperature", 1.0, "°c c centigrade"),
    "fahrenheit": ("temperature", 1.0, "°f f"),
    "kelvin": ("temperature", 1.0, "k"),
    "kilometer per hour": ("speed", 1 / 3.6, "km/h kph kmh"),
    "mile per hour": ("speed", 0.44704, "mph"),
    "meter per second": ("speed", 1.0, "m/s"),
    "knot": ("speed", 1852 / 3600, "kn"),
    "square meter": ("area", 1.0, "m2 m² square_metre"),
    "square kilometer": ("area", 1e6, "km2 km² square_kilometre"),
    "square foot": ("area", 0.09290304, "square_feet sqft"),
    "hectare": ("area", 10000.0, "ha"),
    "acre": ("area", 4046.8564224, ""),
    "byte": ("data", 1.0, ""),
    "kilobyte": ("data", 1e3, "kb"),
    "megabyte": ("data", 1e6, "mb"),
    "gigabyte": ("data", 1e9, "gb"),
    "terabyte": ("data", 1e12, "tb"),
    "kibibyte": ("data", 1024.0, "kib"),
    "mebibyte": ("data", 1024.0**2, "mib"),
    "gibibyte": ("data", 1024.0**3, "gib"),
    "joule": ("energy", 1.0, "j"),
    "kilojoule": ("energy", 1000.0, "kj"),
    "kilocalorie": ("energy", 4184.0, "kcal calorie"),
    "kilowatt hour": ("energy", 3.6e6, "kwh"),
}
PLURALS = {"foot": "feet", "inch": "inches", "stone": "stone", "square foot": "square feet"}
TO_KELVIN = {
    "celsius": (1.0, 273.15),
    "fahrenheit": (5 / 9, 459.67 * 5 / 9),
    "kelvin": (1.0, 0.0),
}
Unit = Literal[*UNITS]


def convert(amount: float, unit: Unit, to: Unit) -> str:
    """Converts an amount from one unit of measure to another, like miles to kilometers."""
    kind = UNITS[unit][0]
    if kind != UNITS[to][0]:
        raise ValueError(f"{unit} cannot be converted to {to}.")
    if kind == "temperature":
        factor, shift = TO_KELVIN[unit]
        other, back = TO_KELVIN[to]
        result = (amount * factor + shift - back) / other
    else:
        result = amount * UNITS[unit][1] / UNITS[to][1]
    before, after = shown(amount), shown(result)
    return f"{before} {several(unit, before)} = {after} {several(to, after)}"


def shown(number: float) -> str:
    """Four places, more for what is small."""
    text = f"{number:.4f}" if abs(number) >= 0.1 or number == 0 else f"{number:.4g}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def several(unit: str, amount: str) -> str:
    if amount in ("1", "-1") or UNITS[unit][0] == "temperature":
        return f"degrees {unit.title()}" if unit in ("celsius", "fahrenheit") else unit
    first, per, second = unit.partition(" per ")
    return PLURALS.get(first, f"{first}s") + per + second


def _names() -> dict[str, str]:
    """Every name of a unit in small letters, the longest first."""
    found = {}
    for unit, (_, _, others) in UNITS.items():
        for each in (unit, *(name.replace("_", " ") for name in others.split())):
            found[each] = unit
            if (len(each) > 2 and each.isalpha()) or " " in each:
                found[f"{each}s"] = unit
                found[each.replace(" per ", "s per ")] = unit
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


NAMES = _names()
NUMBER = r"-?\d+(?:,\d{3})+(?:\.\d+)?|-?\d*\.\d+|-?\d+"
MENTION = re.compile(
    rf"(?:(?P<amount>{NUMBER}|\b(?:an?|one)\b) ?(?:degrees? )?)?"
    rf"(?<![^\W\d])(?P<unit>{'|'.join(map(re.escape, NAMES))})(?![\w/²³°'’])"
)
COMPOUND = re.compile(rf"(?:{NUMBER}) ?(?:feet|foot|ft|pounds?|lbs?|stone|hours?|h)(?: and)? ?\d")
SHORT = 2  # letters of a name that needs a number or "to" before it
BEFORE_SHORT = re.compile(r"(?:\bto|\binto|\bin|\bas|°) $")


def read(question: str, here: Here) -> list[dict]:
    """Each amount with a unit, in each other unit of its kind that the question names."""
    asked = question.lower()
    if COMPOUND.search(asked):
        return []
    amounts, targets = [], []
    for found in MENTION.finditer(asked):
        unit, amount = NAMES[found["unit"]], found["amount"]
        if amount:
            number = "1" if amount in ("a", "an", "one") else amount.replace(",", "")
            amounts.append((float(number), unit))
        elif len(found["unit"]) <= SHORT and not BEFORE_SHORT.search(asked[: found.start()]):
            continue
        targets.append(unit)
    calls = [
        {"amount": int(amount) if amount.is_integer() else amount, "unit": unit, "to": to}
        for amount, unit in amounts
        for to in dict.fromkeys(targets)
        if to != unit and UNITS[to][0] == UNITS[unit][0]
    ]
    return calls[:6]
