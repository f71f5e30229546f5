"""Pictures of text: photographs, scans and screenshots, decoded by the browser and read by the
models of `documents/ocr/`."""

from collections.abc import AsyncIterator

from onglet.browser import workbench
from onglet.documents import ocr
from onglet.documents.blocks import Block, Progress
from onglet.documents.paragraphs import paragraphs
from onglet.engine.errors import Refused

SUFFIXES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "avif")
LONGEST = 3400  # pixels of the longer side; a larger picture is made smaller


async def read(data: bytes, name: str, progress: Progress) -> AsyncIterator[Block]:
    eyes = await ocr.eyes()
    import numpy as np

    try:
        width, height, rows = await workbench.picture(data, LONGEST)
    except OSError as error:
        raise Refused("broken_picture") from error
    picture = np.frombuffer(rows, np.uint8).reshape(height, width, 4)[:, :, :3]
    said = await eyes.see(picture, lambda lines, of: progress(lines / of, 1, seeing=True))
    for part in paragraphs(said):
        yield Block(part, seen=True)
