"""Reads the text in a picture (OCR): PP-OCRv6, a model that finds lines and one that reads them.

`boxes.py` makes boxes of the first one's map, `strips.py` cuts them out, `order.py` puts what was
read in order. The graphs are written by onglet_build/ocr.py.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from onglet.browser import workbench
from onglet.documents.ocr.boxes import Box, boxes
from onglet.documents.ocr.order import read
from onglet.documents.ocr.strips import resized, strip
from onglet.engine import onnx

if TYPE_CHECKING:
    import numpy as np

GROUP = "ocr"  # of the site's files
FINDER, READER = "PP-OCRv6_det_small", "PP-OCRv6_rec_small"
LONGEST = 1280  # pixels of a page's longer side, as lines are sought
STEP = 32  # sizes that the finder takes are multiples
HIGH = 48  # pixels of a line, as it is read
NARROWEST, WIDEST = 320, 3200  # pixels of a line
BATCH = 6  # lines that are read at once
CERTAIN = 0.5  # mean chance of a line's characters below which it is left out

Progress = Callable[[int, int], None]  # lines read, of how many


_eyes: "Eyes | None" = None


async def eyes() -> "Eyes":
    """The models, fetched and opened when they are first wanted.

    Raises Refused, as `onnx.load`; OSError when the host does not give a file.
    """
    global _eyes
    if _eyes is None:
        await workbench.need_files(GROUP)
        await workbench.need_numpy()
        _eyes = await Eyes.open()
    return _eyes


class Eyes:
    """Both models, open."""

    def __init__(self, finder: onnx.Session, reader: onnx.Session, characters: str):
        self.finder, self.reader, self.characters = finder, reader, characters

    @classmethod
    async def open(cls) -> "Eyes":
        path = workbench.places()["graphs"][READER]["characters"]
        characters = (await workbench.read_site(path)).decode()
        return cls(await onnx.load(FINDER), await onnx.load(READER), characters)

    async def see(self, picture: "np.ndarray", progress: Progress) -> str:
        """The text in a picture (height, width, 3) of bytes, red first: lines, and an empty one
        between paragraphs."""
        found = await self._find(picture)
        found.sort(key=lambda box: box.width / box.height)
        said: list[tuple[Box, str]] = []
        for first in range(0, len(found), BATCH):
            batch = found[first : first + BATCH]
            texts = await self._read([strip(picture, box, HIGH)[:, :WIDEST] for box in batch])
            said += [(box, text) for box, text in zip(batch, texts, strict=True) if text.strip()]
            progress(first + len(batch), len(found))
        return read(said)

    async def _find(self, picture: "np.ndarray") -> list[Box]:
        import numpy as np

        scale = min(1.0, LONGEST / max(picture.shape[:2]))
        height, width = (max(1, round(size * scale)) for size in picture.shape[:2])
        sides = ((0, -height % STEP), (0, -width % STEP), (0, 0))
        whole = np.pad(resized(picture, height, width), sides, mode="edge")
        (name,) = (value.name for value in self.finder.inputs)
        (chances,) = (await self.finder.run({name: planes(whole)[None]})).values()
        return [box.scaled(1 / scale) for box in boxes(chances[0, 0])]

    async def _read(self, strips: "list[np.ndarray]") -> list[str]:
        import numpy as np

        width = max(NARROWEST, *(one.shape[1] for one in strips))
        batch = np.zeros((len(strips), 3, HIGH, width), np.float32)
        for row, one in zip(batch, strips, strict=True):
            row[:, :, : one.shape[1]] = planes(one)
        (name,) = (value.name for value in self.reader.inputs)
        found = await self.reader.run({name: batch})
        return [
            said(numbers, chances, self.characters)
            for numbers, chances in zip(found["characters"], found["chances"], strict=True)
        ]


def planes(picture: "np.ndarray") -> "np.ndarray":
    """(3, height, width) from -1 to 1, blue first, as the models were trained."""
    import numpy as np

    return (picture[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) - 127.5) / 127.5


def said(numbers: "np.ndarray", chances: "np.ndarray", characters: str) -> str:
    """What is read along a line, one number a place: repeats are one, 0 stands between (CTC)."""
    import numpy as np

    new = np.ones(len(numbers), bool)
    new[1:] = numbers[1:] != numbers[:-1]
    new &= numbers > 0
    if not new.any() or chances[new].mean() < CERTAIN:
        return ""
    return "".join(characters[number - 1] for number in numbers[new])
