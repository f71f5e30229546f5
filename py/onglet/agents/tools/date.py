"""Days, weekdays and the time of now, by the Gregorian calendar, in the tab's own time."""

import calendar
import re
from datetime import date as Day
from datetime import timedelta

from onglet.agents.tools import Here

PERMISSION, WRITES = "free", False
EXAMPLES = (
    ("What is the date today?", {"start": "today"}),
    ("Which weekday was 2001-03-04?", {"start": "2001-03-04"}),
    ("What is the date in 12 days?", {"start": "today", "days": 12}),
    ("How many days until 2027-02-03?", {"start": "today", "end": "2027-02-03"}),
)
LARGEST = 100_000  # days that are added

MONTHS = [name.lower() for name in calendar.month_name]
SHORT_MONTHS = [name.lower() for name in calendar.month_abbr]
WEEKDAYS = [name.lower() for name in calendar.day_name]
NEAR = {"today": 0, "tomorrow": 1, "yesterday": -1}
_MONTH = "|".join([*MONTHS[1:], *SHORT_MONTHS[1:]])
DAY = re.compile(
    rf"(?P<iso>\d{{4}}-\d{{1,2}}-\d{{1,2}})"
    rf"|(?P<m1>{_MONTH})\.? (?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y1>\d{{4}}))?"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<m2>{_MONTH})\b\.?(?:,? (?P<y2>\d{{4}}))?"
    rf"|\b(?P<near>today|tomorrow|yesterday)\b"
)
STEP = re.compile(r"(\d+|\ba|\bone) (day|week|month|year)s?( ago| before| from| after)?")
ASKS = re.compile(
    r"\b(date|days?|weeks?|weekday|today|tomorrow|yesterday|when|until|since|between|time|year)\b"
)
ABOUT_NOW = re.compile(
    r"\b(?:what|which|tell|current|know|right)\b.*\b(?:time is it|the time"
    r"|(?:day|date|weekday|year|month) (?:is it|is today|today|do we have|are we)"
    r"|(?:today'?s|current) (?:date|day|time|weekday)|date now|date)\b(?! (?:of|in|on)\b)"
)
SPAN = re.compile(
    r"\bhow (?:many days|many weeks|long|far)\b|\bdays (?:between|until|till|to|from)\b"
)


def date(here: Here, start: str = "today", days: int = 0, end: str = "") -> str:
    """Tells the weekday and date of a day, the time of now, the day some days later or earlier, or
    how many days lie between two days. Days are written like 2026-03-04."""
    first = day_of(start, here)
    if end:
        last = day_of(end, here)
        return f"{(last - first).days} days from {named(first)} to {named(last)}"
    if abs(days) > LARGEST:
        raise ValueError("That is too far away.")
    try:
        found = first + timedelta(days=days)
    except OverflowError as error:
        raise ValueError("That is too far away.") from error
    if days or start != "today":
        return named(found)
    return f"{named(found)}, {here.now:%H:%M}"


def named(day: Day) -> str:
    return f"{calendar.day_name[day.weekday()]} {day.isoformat()}"


def day_of(text: str, here: Here) -> Day:
    """Raises ValueError."""
    if text in NEAR:
        return here.now.date() + timedelta(days=NEAR[text])
    try:
        return Day(*map(int, text.split("-")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"There is no day {text}.") from error


def read(question: str, here: Here) -> list[dict]:
    """Days and steps that a question names, in the order in which it names them."""
    asked = question.lower().replace("’", "'")
    if not ASKS.search(asked):
        return []
    days = [day for found in DAY.finditer(asked) if (day := written(found, here))]
    span = SPAN.search(asked) is not None
    if span and len(days) > 1:
        return [{"start": days[0], "end": days[1]}]
    if span and days and not STEP.search(asked):
        since = re.search(r"\b(?:since|ago)\b", asked)
        one, other = (days[0], "today") if since else ("today", days[0])
        return [{"start": one, "end": other}]
    if (
        not span
        and (step := STEP.search(asked))
        and re.search(r"\b(date|day|weekday|when)\b", asked)
    ):
        start = days[0] if days else "today"
        return [{"start": start, "days": steps(step, here)}]
    if days and re.search(r"\b(day|weekday|date)\b", asked):
        return [{"start": days[0]}]
    return [{"start": "today"}] if ABOUT_NOW.search(asked) else []


def written(found: re.Match, here: Here) -> str | None:
    """A day as a tool takes it, in this year where none is named; None: there is no such day."""
    if found["near"]:
        return found["near"]
    if found["iso"]:
        parts = map(int, found["iso"].split("-"))
    else:
        month, day = found["m1"] or found["m2"], found["d1"] or found["d2"]
        place = MONTHS.index(month) if month in MONTHS else SHORT_MONTHS.index(month)
        parts = (int(found["y1"] or found["y2"] or here.now.year), place, int(day))
    try:
        return Day(*parts).isoformat()
    except ValueError:
        return None


def steps(found: re.Match, here: Here) -> int:
    """Days of "3 weeks ago"; months and years by the calendar."""
    count = 1 if found[1] in ("a", "one") else int(found[1])
    count = -count if found[3] in (" ago", " before") else count
    if found[2] in ("day", "week"):
        return max(-LARGEST, min(LARGEST, count * (7 if found[2] == "week" else 1)))
    today = here.now.date()
    months = today.year * 12 + today.month - 1 + count * (12 if found[2] == "year" else 1)
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:
        return LARGEST
    last = calendar.monthrange(year, month + 1)[1]
    return (Day(year, month + 1, min(today.day, last)) - today).days
