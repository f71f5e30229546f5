"""From the detector's map of where there is text to boxes around lines, as DB does it (Liao et al.,
2020), for boxes at any angle. Knows no model and no picture.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SURE = 0.3  # a pixel of the map is text from here on
LIKELY = 0.5  # mean of a box's pixels below which it is none
GROWN = 1.6  # the map shows the middle of lines: boxes grow by this share of area / circumference
SMALLEST = 3  # pixels of the map
MOST_BOXES = 1000
LONG = 4  # times as wide as high: such a box knows its own angle


@dataclass(frozen=True)
class Box:
    """A line of text: its middle, in pixels, and how it lies."""

    x: float
    y: float
    width: float  # along the text
    height: float
    angle: float  # radians, clockwise on the screen, between -pi/2 and pi/2

    def scaled(self, factor: float) -> "Box":
        sizes = (self.x, self.y, self.width, self.height)
        return Box(*(factor * size for size in sizes), self.angle)


def boxes(chances: "np.ndarray") -> list[Box]:
    """Boxes around what is text in a map of chances (height, width)."""
    import numpy as np

    totals = np.pad(np.cumsum(chances, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    found = []
    for runs in blobs(chances > SURE):
        rows, starts, ends = runs.T
        sure = (totals[rows, ends] - totals[rows, starts]).sum() / (ends - starts).sum()
        if sure >= LIKELY:
            found.append(runs)
    found = sorted(found, key=len, reverse=True)[:MOST_BOXES]
    corners = [hull(runs) for runs in found]
    fitted = [fit(points) for points in corners]
    level = usual_angle(fitted)
    placed = [
        box if box.width >= LONG * box.height else fit(points, level)
        for box, points in zip(fitted, corners, strict=True)
    ]
    return [grown(box) for box in placed if min(box.width, box.height) >= SMALLEST]


def blobs(mask: "np.ndarray") -> "list[np.ndarray]":
    """What hangs together in a mask, as runs: (row, first column, column after the last) each."""
    import numpy as np

    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = run = parent[parent[run]]
        return run

    first = np.searchsorted(rows, np.arange(mask.shape[0] + 1)).tolist()
    begin, end = starts.tolist(), ends.tolist()
    for row in range(1, mask.shape[0]):
        above, here = first[row - 1], first[row]
        while above < first[row] and here < first[row + 1]:
            if begin[above] <= end[here] and begin[here] <= end[above]:  # corners touch
                parent[root(here)] = root(above)
            if end[above] < end[here]:
                above += 1
            else:
                here += 1
    roots = np.array([root(run) for run in range(len(parent))], dtype=np.intp)
    order = np.argsort(roots, kind="stable")
    cuts = np.nonzero(np.diff(roots[order]))[0] + 1
    whole = np.stack([rows, starts, ends], axis=1)[order]
    return np.split(whole, cuts) if len(whole) else []


def hull(runs: "np.ndarray") -> "np.ndarray":
    """The corners of the convex hull of a blob (n, 2) as x, y: Andrew's monotone chain."""
    import numpy as np

    rows, starts, ends = runs.T
    corners = {(x, y) for x, y in zip(starts.tolist(), rows.tolist(), strict=True)}
    corners |= {(x, y + 1) for x, y in corners}
    right = {(x, y) for x, y in zip(ends.tolist(), rows.tolist(), strict=True)}
    points = sorted(corners | right | {(x, y + 1) for x, y in right})
    return np.array(chain(points)[:-1] + chain(points[::-1])[:-1], dtype=np.float64)


def chain(points: list[tuple]) -> list[tuple]:
    kept: list[tuple] = []
    for x, y in points:
        while len(kept) > 1:
            (ax, ay), (bx, by) = kept[-2:]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            kept.pop()
        kept.append((x, y))
    return kept


def fit(points: "np.ndarray", angle: float | None = None) -> Box:
    """The smallest box around points, or the one at an angle: one side lies on a side of the hull
    (Freeman and Shapira, 1975)."""
    import numpy as np

    if angle is None:
        sides = np.roll(points, -1, axis=0) - points
        angles = np.arctan2(sides[:, 1], sides[:, 0]) % (np.pi / 2)
    else:
        angles = np.array([angle])
    turns = np.stack([np.cos(angles), np.sin(angles)])  # (2, n)
    along = points @ turns
    across = points @ np.stack([-turns[1], turns[0]])
    widths, heights = np.ptp(along, axis=0), np.ptp(across, axis=0)
    best = int(np.argmin(widths * heights))
    middle = [(line[:, best].max() + line[:, best].min()) / 2 for line in (along, across)]
    cosine, sine = turns[:, best]
    x, y = middle[0] * cosine - middle[1] * sine, middle[0] * sine + middle[1] * cosine
    return upright(x, y, widths[best], heights[best], float(angles[best]), angle is not None)


def upright(x: Any, y: Any, width: Any, height: Any, angle: float, given: bool) -> Box:
    """A box's text runs along its longer side, and not from right to left."""
    import math

    if not given and height > width:
        width, height, angle = height, width, angle - math.pi / 2
    if angle > math.pi / 2:
        angle -= math.pi
    return Box(float(x), float(y), float(width), float(height), angle)


def usual_angle(fitted: list[Box]) -> float:
    """How the long lines of a page lie; 0 where it has none."""
    angles = sorted((box.angle, box.width) for box in fitted if box.width >= LONG * box.height)
    left = sum(width for _, width in angles) / 2
    for angle, width in angles:
        left -= width
        if left <= 0:
            return angle
    return 0.0


def grown(box: Box) -> Box:
    more = GROWN * box.width * box.height / (box.width + box.height)  # on both sides together
    return Box(box.x, box.y, box.width + more, box.height + more, box.angle)
