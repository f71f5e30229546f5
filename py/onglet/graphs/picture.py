"""A picture of a graph as boxes and lines: operators in rows, each below all that it needs.

Rows by longest path, places in a row by the mean of what stands above (one pass of the method of
Sugiyama, Tagawa and Toda, 1981). Knows no screen: units are those of the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from onglet.engine.onnx_file import Node

MOST = 160  # operators drawn
LETTER, HEIGHT, APART, BETWEEN = 7.5, 26, 14, 22  # of a label; of a box; boxes; rows
LONGEST = 24  # letters of a label


@dataclass(frozen=True)
class Box:
    label: str
    kind: str  # operator, input, output
    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def picture(inputs: Sequence[str], nodes: Sequence[Node], outputs: Sequence[str]) -> dict:
    """{"width", "height", "boxes": [[label, kind, x, y, width]...], "lines": [[x, y, x, y]...],
    "left_out": how many operators are not drawn}. `inputs`, `outputs`: names of values."""
    drawn = nodes[:MOST]
    things = [(name, "input", (), (name,)) for name in inputs]
    things += [(each.operator, "operator", each.inputs, each.outputs) for each in drawn]
    made = {name for *_, makes in things for name in makes}
    things += [(name, "output", (name,), ()) for name in outputs if name in made]
    above = parents(things)
    boxes = placed(things, above)
    lines = [
        [boxes[other].middle, boxes[other].y + HEIGHT, box.middle, box.y]
        for box, others in zip(boxes, above, strict=True)
        for other in others
    ]
    return {
        "width": max((box.x + box.width for box in boxes), default=0.0),
        "height": max((box.y + HEIGHT for box in boxes), default=0.0),
        "boxes": [[box.label, box.kind, box.x, box.y, box.width] for box in boxes],
        "lines": lines,
        "left_out": len(nodes) - len(drawn),
    }


def parents(things: list[tuple]) -> list[list[int]]:
    """For each thing the places of those whose values it reads; only what stands before it counts,
    so a file with circles ends too."""
    makers: dict[str, int] = {}
    found = []
    for place, (_, _, needs, makes) in enumerate(things):
        found.append(sorted({makers[name] for name in needs if name in makers}))
        makers |= {name: place for name in makes if name}
    return found


def rows_of(things: list[tuple], above: list[list[int]]) -> list[int]:
    """The row of each thing: below all that it needs; an operator that needs nothing (it reads
    weights alone) right above what first reads it."""
    found: list[int] = []
    for others in above:
        found.append(max((found[other] + 1 for other in others), default=0))
    for others in above:
        alone = [other for other in others if not above[other] and things[other][1] == "operator"]
        for other in alone:
            below = min(found[each] for each, needs in enumerate(above) if other in needs)
            found[other] = max(0, below - 1)
    return found


def placed(things: list[tuple], above: list[list[int]]) -> list[Box]:
    """Boxes in the order of the things."""
    row_of = rows_of(things, above)
    rows: list[list[int]] = [[] for _ in range(max(row_of, default=-1) + 1)]
    for place, row in enumerate(row_of):
        rows[row].append(place)
    widths = [LETTER * len(short(label)) + 18 for label, *_ in things]
    lengths = [sum(widths[place] + APART for place in row) - APART for row in rows]
    widest = max(lengths, default=0)
    boxes: dict[int, Box] = {}

    def wanted(place: int) -> float:
        others = [boxes[other].middle for other in above[place]]
        return sum(others) / len(others) if others else 0.0

    for number, row in enumerate(rows):
        x = (widest - lengths[number]) / 2
        for place in sorted(row, key=wanted):
            label, kind, *_ = things[place]
            y = number * (HEIGHT + BETWEEN)
            boxes[place] = Box(short(label), kind, x, y, widths[place])
            x += widths[place] + APART
    return [boxes[place] for place in range(len(things))]


def short(label: str) -> str:
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"
