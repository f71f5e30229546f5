"""When something runs by itself: every so many minutes, or each day at a time. Knows clocks and
calendars, not what runs."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from onglet.engine.errors import Refused

TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
MINUTES = (1, 7 * 24 * 60)  # least and most between two runs
LATE = 5  # minutes after which a run counts as missed
COUNTED = 1000  # missed runs that are counted one by one


@dataclass(frozen=True)
class Rule:
    """`minutes` between two runs; or, with 0 of them, each day at `time` (HH:MM, local)."""

    minutes: int = 0
    time: str = ""

    def written(self) -> str:
        return f"every {self.minutes}" if self.minutes else f"at {self.time}"

    @classmethod
    def read(cls, text: str) -> "Rule":
        """Raises Refused bad_time."""
        how, _, value = text.partition(" ")
        whole = value.isascii() and value.isdecimal() and len(value) < 6
        if how == "every" and whole and MINUTES[0] <= int(value) <= MINUTES[1]:
            return cls(minutes=int(value))
        if how == "at" and TIME.fullmatch(value):
            return cls(time=value)
        raise Refused("bad_time")

    def next(self, after: float, minute: float = 60.0) -> float:
        """The first moment after another one (both seconds since 1970). `minute`: its seconds."""
        if self.minutes:
            return after + self.minutes * minute
        hours, minutes = map(int, self.time.split(":"))
        then = datetime.fromtimestamp(after)
        due = then.replace(hour=hours, minute=minutes, second=0, microsecond=0)
        while due.timestamp() <= after:
            due += timedelta(days=1)
        return due.timestamp()


@dataclass(frozen=True)
class Due:
    """What a look at the clock found: whether to run now, how many runs were missed and which was
    the last of them, and from when on to look again."""

    runs: bool
    missed: int
    last_missed: float
    seen: float


def due(rule: Rule, seen: float, now: float, minute: float = 60.0) -> Due:
    """What has come since the last look. Of all that came only the newest may run, if it is not
    late; the others were missed and are not made up for. A clock that was set back by more than a
    run begins anew."""
    if now < seen - 2 * minute:
        return Due(False, 0, 0.0, now)
    missed, last_missed, newest = 0, 0.0, rule.next(seen, minute)
    if newest > now:
        return Due(False, 0, 0.0, seen)
    if rule.minutes:  # in one step: a tab may have been closed for a year
        gap = rule.minutes * minute
        missed = int((now - newest) // gap)
        newest += missed * gap
        last_missed = newest - gap if missed else 0.0
    while (after := rule.next(newest, minute)) <= now and missed < COUNTED:
        missed, last_missed, newest = missed + 1, newest, after
    if now - newest > LATE * minute:
        return Due(False, missed + 1, newest, newest)
    return Due(True, missed, last_missed, newest)
