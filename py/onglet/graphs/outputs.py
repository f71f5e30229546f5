"""What a graph gave, for eyes: least, greatest and mean, the first numbers, the best places of a
row, a curve, a picture. Knows no screen."""

import base64
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FIRST = 24  # values that are written out
BEST = 5
SHORTEST, LONGEST = 8, 4096  # of a row that is drawn as a curve
POINTS = 200
SMALL, LARGE = 8, 2048  # pixels of a side of what is drawn as a picture


def shown(name: str, array: "np.ndarray") -> dict:
    """{"name", "type", "shape", "first": texts, "facts": {"least", "greatest", "mean"} or null,
    "best": [[place, value]...], "curve": shares from 0 to 1, "picture": a data URL or ""}."""
    told = {"name": name, "type": str(array.dtype), "shape": list(array.shape)}
    if array.dtype == object:
        first = [str(text) for text in array.ravel()[:FIRST]]
        return {**told, "type": "string", "first": first} | NOTHING
    told["first"] = [written(number) for number in array.ravel()[:FIRST]]
    return told | numbers(array)


NOTHING = {"facts": None, "best": [], "curve": [], "picture": ""}


def numbers(array: "np.ndarray") -> dict:
    import numpy as np

    values = array.astype(np.float64)
    if not values.size or not np.isfinite(values).all():
        return dict(NOTHING)
    facts = {"least": values.min(), "greatest": values.max(), "mean": values.mean()}
    row = values.ravel() if values.size == max(values.shape, default=1) > 1 else None
    return {
        "facts": {name: float(value) for name, value in facts.items()},
        "best": best(row) if row is not None else [],
        "curve": curve(row) if row is not None and SHORTEST <= row.size <= LONGEST else [],
        "picture": picture(values),
    }


def written(number: "np.generic") -> str:
    return f"{number:.5g}" if number.dtype.kind == "f" else str(number)


def best(row: "np.ndarray") -> list:
    """The places of the greatest values, greatest first."""
    import numpy as np

    places = np.argsort(-row, kind="stable")[:BEST]
    return [[int(place), float(row[place])] for place in places]


def curve(row: "np.ndarray") -> list[float]:
    """At most 200 means of neighbours, the least 0 and the greatest 1."""
    import numpy as np

    parts = np.array([part.mean() for part in np.array_split(row, min(POINTS, row.size))])
    spread = parts.max() - parts.min()
    return [float(share) for share in (parts - parts.min()) / (spread or 1.0)]


def picture(values: "np.ndarray") -> str:
    """A PNG of what has the shape of one: (1, 1 or 3, h, w), (1, h, w, 1 or 3), without the 1, or
    (h, w); the least value black, the greatest white. Anything else: ''."""
    import numpy as np

    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim == 3 and values.shape[0] == 3 and values.shape[2] != 3:
        values = values.transpose(1, 2, 0)
    if values.ndim != 3 or values.shape[2] not in (1, 3):
        return ""
    if not all(SMALL <= side <= LARGE for side in values.shape[:2]):
        return ""
    low, high = values.min(), values.max()
    grey = np.rint((values - low) / ((high - low) or 1.0) * 255).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(png(grey)).decode()


def png(pixels: "np.ndarray") -> bytes:
    """A PNG file of bytes (height, width, 1 or 3). Source: the PNG specification, RFC 2083."""
    height, width, colours = pixels.shape
    rows = b"".join(b"\0" + pixels[row].tobytes() for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if colours == 3 else 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
