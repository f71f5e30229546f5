"""The order in which lines are read: columns one after the other, rows from the top (a recursive
XY-cut, Nagy and Seth, 1984). Knows boxes and their texts, no picture.
"""

import math
from dataclasses import dataclass

from onglet.documents.ocr.boxes import Box, usual_angle

COLUMN = 6  # times as wide as high: what stands in a column of text, not in a table
ROW = 0.5  # of the lower height: so much of a box stands beside the other in the same row
APART = 0.8  # of a line's height: a gap so wide ends a paragraph


@dataclass(frozen=True)
class Line:
    """A text in its place on a page that was turned level."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top


def read(found: list[tuple[Box, str]]) -> str:
    """The text of a page: a line for each row, an empty one between paragraphs."""
    angle = usual_angle([box for box, _ in found])
    said: list[str] = []
    for rows in columns([levelled(box, text, angle) for box, text in found]):
        before: list[Line] = []
        for row in rows:
            if before and gap(before, row) > APART * median([one.height for one in row]):
                said.append("")
            said.append(" ".join(one.text for one in row))
            before = row
        said.append("")
    return "\n".join(said).strip()


def levelled(box: Box, text: str, angle: float) -> Line:
    """A line of a page that lies at an angle."""
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = box.x * cosine + box.y * sine, box.y * cosine - box.x * sine
    off = abs(box.angle - angle)
    across, down = math.cos(off), math.sin(off)
    width = abs(box.width * across) + abs(box.height * down)
    height = abs(box.width * down) + abs(box.height * across)
    return Line(text, x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def columns(lines: list[Line]) -> list[list[list[Line]]]:
    """Rows of lines, column by column."""
    if not lines:
        return []
    line = median([one.height for one in lines])
    for left, right in cuts(lines, "left", "right", line):
        if all(median([one.right - one.left for one in side]) >= COLUMN * line
               and len(side) > 1 for side in (left, right)):  # fmt: skip
            return columns(left) + columns(right)
    for above, below in cuts(lines, "top", "bottom", APART * line):
        parts = [columns(above), columns(below)]
        if max(map(len, parts)) > 1:  # columns in one of them
            return parts[0] + parts[1]
    return [rows(lines)]


def cuts(lines: list[Line], start: str, end: str, least: float) -> list[tuple[list, list]]:
    """Where nothing stands between lines, the widest gap first."""
    ordered = sorted(lines, key=lambda one: getattr(one, start))
    found, reach = [], getattr(ordered[0], end)
    for place, one in enumerate(ordered[1:], 1):
        if getattr(one, start) - reach >= least:
            found.append((reach - getattr(one, start), place))
        reach = max(reach, getattr(one, end))
    return [(ordered[:place], ordered[place:]) for _, place in sorted(found)]


def rows(lines: list[Line]) -> list[list[Line]]:
    """Lines beside each other, from the left; rows from the top."""
    found: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: one.top + one.bottom):
        for row in found[-2:]:
            last = row[-1]
            shared = min(last.bottom, line.bottom) - max(last.top, line.top)
            if shared > ROW * min(last.height, line.height):
                row.append(line)
                break
        else:
            found.append([line])
    return [sorted(row, key=lambda one: one.left) for row in found]


def gap(above: list[Line], below: list[Line]) -> float:
    return min(one.top for one in below) - max(one.bottom for one in above)


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
