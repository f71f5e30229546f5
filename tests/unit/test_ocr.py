"""What stands around the models that read pictures: boxes, strips, the order of lines. The models
themselves are judged in tests/browser/test_workshop.py."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from onglet.documents import ocr
from onglet.documents.ocr.boxes import Box, blobs, boxes
from onglet.documents.ocr.order import read
from onglet.documents.ocr.strips import resized, strip

MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def flooded(mask: np.ndarray) -> set[frozenset]:
    """Blobs by the slow way: pixel after pixel, corners count."""
    left, found = {tuple(each) for each in np.argwhere(mask)}, set()
    while left:
        edge, blob = [left.pop()], set()
        while edge:
            row, column = edge.pop()
            blob.add((row, column))
            near = {(row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1)} & left
            left -= near
            edge += near
        found.add(frozenset(blob))
    return found


@given(MASKS)
def test_blobs_are_what_a_flood_fills(mask):
    pixels = [
        frozenset((row, column) for row, start, end in runs for column in range(start, end))
        for runs in blobs(mask)
    ]
    assert set(pixels) == flooded(mask)
    assert len(pixels) == len(flooded(mask))


def drawn(box: Box, height: int = 300, width: int = 400) -> np.ndarray:
    """1 where a box is, 0 elsewhere."""
    y, x = np.mgrid[:height, :width] + 0.5
    cosine, sine = math.cos(box.angle), math.sin(box.angle)
    along = (x - box.x) * cosine + (y - box.y) * sine
    across = (y - box.y) * cosine - (x - box.x) * sine
    inside = (abs(along) <= box.width / 2) & (abs(across) <= box.height / 2)
    return inside.astype(np.float32)


@given(
    st.floats(150, 250), st.floats(120, 180), st.floats(120, 200), st.floats(8, 24),
    st.floats(-0.6, 0.6),
)  # fmt: skip
def test_a_line_at_any_angle_is_found(x, y, width, height, angle):
    drawn_box = Box(x, y, width, height, angle)
    (found,) = boxes(drawn(drawn_box))
    more = 1.6 * width * height / (width + height)
    assert (found.x, found.y) == pytest.approx((x, y), abs=1.5)
    assert found.width == pytest.approx(width + more, abs=4)
    assert found.height == pytest.approx(height + more, abs=4)
    assert found.angle == pytest.approx(angle, abs=0.03)


def test_short_words_lie_as_the_page_does_and_faint_ones_are_none():
    page = drawn(Box(200, 60, 250, 16, 0.1)) + drawn(Box(200, 150, 10, 16, 0.1))
    page += 0.4 * drawn(Box(200, 250, 200, 16, 0.1))
    found = sorted(boxes(page), key=lambda box: box.y)
    assert [round(box.angle, 2) for box in found] == [0.1, 0.1]
    assert found[1].height > found[1].width


def test_nothing_is_found_on_an_empty_page():
    assert boxes(np.zeros((64, 64), np.float32)) == []


def ramp(height: int, width: int) -> np.ndarray:
    """Brighter to the right (red) and to the bottom (green)."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, 0 * x], axis=2).astype(np.uint8)


@given(st.integers(1, 90), st.integers(1, 90))
def test_a_smaller_picture_shows_the_same(height, width):
    small = resized(ramp(120, 200), height, width)
    assert small.shape == (height, width, 3)
    y, x = np.mgrid[:height, :width] + 0.5
    inner = np.s_[2 : height - 2, 2 : width - 2]
    assert np.allclose(small[inner][..., 0], (x * 200 / width - 0.5)[inner], atol=5)
    assert np.allclose(small[inner][..., 1], (y * 120 / height - 0.5)[inner], atol=5)


@pytest.mark.parametrize("angle", [0.0, 0.2, -math.pi / 2])
def test_a_strip_is_what_the_box_holds(angle):
    box = Box(100, 60, 80, 16, angle)
    found = strip(ramp(120, 200), box, 48)
    assert found.shape == (48, 240, 3)
    middle, cosine, sine = found[24, :, 0].astype(float), math.cos(angle), math.sin(angle)
    along = (np.arange(240) + 0.5) / 3 - 40
    assert np.allclose(middle, 100 + along * cosine, atol=1.5)
    assert np.allclose(found[24, :, 1], 60 + along * sine, atol=1.5)


def test_a_strip_of_fine_print_in_a_large_picture_is_averaged():
    noise = np.random.default_rng(1).integers(0, 256, (600, 900, 3), dtype=np.uint8)
    assert strip(noise, Box(450, 300, 800, 480, 0.0), 48).std() < noise.std() / 4


def test_what_is_said_along_a_line():
    numbers = np.array([0, 1, 1, 0, 1, 2, 2, 0, 3])
    sure = np.ones(len(numbers), np.float32)
    assert ocr.said(numbers, sure, "ab ") == "aab "
    assert ocr.said(numbers, sure * 0.4, "ab ") == ""
    assert ocr.said(np.zeros(4, int), np.ones(4), "ab ") == ""


def at(left: float, top: float, width: float, text: str, angle: float = 0.0) -> tuple[Box, str]:
    """A line of 20 pixels on a page that is turned about its corner."""
    x, y = left + width / 2, top + 10
    cosine, sine = math.cos(angle), math.sin(angle)
    return Box(x * cosine - y * sine, x * sine + y * cosine, width, 20, angle), text


@pytest.mark.parametrize("angle", [0.0, 0.05, -0.1])
def test_columns_are_read_one_after_the_other(angle):
    lines = [at(50, 20, 700, "Title", angle)]
    for row in range(5):
        lines.append(at(50, 100 + 24 * row, 340, f"left {row}", angle))
        lines.append(at(440, 103 + 24 * row, 340, f"right {row}", angle))
    sides = [f"{side} {row}" for side in ("left", "right") for row in range(5)]
    assert " ".join(read(lines).split()) == " ".join(["Title", *sides])


def test_rows_of_a_table_are_read_across_and_gaps_end_paragraphs():
    lines = [
        at(50 + 200 * column, 20 + 24 * row + 30 * (row > 1), 60, f"{row}{column}")
        for row in range(4)
        for column in (2, 0, 1)
    ]
    assert read(lines) == "00 01 02\n10 11 12\n\n20 21 22\n30 31 32"
    assert read([]) == ""
