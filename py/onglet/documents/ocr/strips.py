"""Cuts lines out of pictures, and makes them smaller. Pictures are (height, width, 3) of bytes."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from onglet.documents.ocr.boxes import Box


def resized(picture: "np.ndarray", height: int, width: int) -> "np.ndarray":
    """A picture in another size: blocks are averaged, what is left is interpolated."""
    import numpy as np

    down = max(1, min(picture.shape[0] // height, picture.shape[1] // width))
    small = averaged(picture, down)
    rows, columns = (
        (np.arange(wanted) + 0.5) * (size / wanted / down) - 0.5
        for wanted, size in ((height, picture.shape[0]), (width, picture.shape[1]))
    )
    top, bottom, down_by = between(rows, small.shape[0])
    left, right, right_by = between(columns, small.shape[1])
    wide = small.astype(np.float32)
    lines = wide[top] + (wide[bottom] - wide[top]) * down_by[:, None, None]
    mixed = lines[:, left] + (lines[:, right] - lines[:, left]) * right_by[None, :, None]
    return np.rint(mixed).astype(np.uint8)


def averaged(picture: "np.ndarray", down: int) -> "np.ndarray":
    """One pixel for each whole block of down x down."""
    import numpy as np

    if down == 1:
        return picture
    height, width = (size // down for size in picture.shape[:2])
    blocks = picture[: height * down, : width * down].reshape(height, down, width, down, 3)
    return np.rint(blocks.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)


def between(places: "np.ndarray", size: int) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """The pixels before and after each place, within the picture, and how near it is to the one
    after."""
    import numpy as np

    held = np.clip(places, 0, size - 1)
    before = held.astype(np.intp)
    return before, np.minimum(before + 1, size - 1), (held - before).astype(np.float32)


def strip(picture: "np.ndarray", box: "Box", height: int) -> "np.ndarray":
    """What a box holds, turned level, `height` pixels high."""
    import numpy as np

    fine = max(1, round(box.height / height))  # samples a pixel, each way
    rows = height * fine
    columns = max(fine, round(box.width / box.height * height) * fine)
    along = ((np.arange(columns) + 0.5) / columns - 0.5) * box.width
    across = ((np.arange(rows) + 0.5) / rows - 0.5) * box.height
    cosine, sine = math.cos(box.angle), math.sin(box.angle)
    x = box.x - 0.5 + along[None, :] * cosine - across[:, None] * sine
    y = box.y - 0.5 + along[None, :] * sine + across[:, None] * cosine
    left, right, right_by = between(x, picture.shape[1])
    top, bottom, down_by = between(y, picture.shape[0])
    right_by, down_by = right_by[..., None], down_by[..., None]
    upper = picture[top, left] * (1 - right_by) + picture[top, right] * right_by
    lower = picture[bottom, left] * (1 - right_by) + picture[bottom, right] * right_by
    return averaged(np.rint(upper * (1 - down_by) + lower * down_by).astype(np.uint8), fine)
