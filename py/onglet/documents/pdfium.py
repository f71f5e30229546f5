"""A PDF file as PDFium sees it: pages, their text and pictures, the outline. Speaks PDFium's C
interface (public/fpdfview.h, fpdf_text.h, fpdf_doc.h, fpdf_edit.h); structures are read by hand.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from onglet.engine.errors import Refused

if TYPE_CHECKING:
    import numpy as np

    from onglet.browser.workbench import Pdfium

PASSWORD = 4  # FPDF_ERR_PASSWORD
IMAGE, FORM = 3, 5  # kinds of objects on a page; a form holds others
GO_TO = 1  # PDFACTION_GOTO
BGR = 2  # FPDFBitmap_BGR
WHITE = 0xFFFFFFFF
ANNOTATIONS = 1  # FPDF_ANNOT
INCH = 72  # points
MOST_OBJECTS = 20_000  # looked at for pictures
LONGEST_TITLE = 1_000  # bytes
LONGEST_PAGE = 200_000  # characters
BROKEN_WORD = "\ufffe"  # what PDFium makes of a hyphen at the end of a line, and of that end


class Pdf:
    """An open file. Numbers of pages count from 0."""

    def __init__(self, library: "Pdfium", data: bytes):
        """Raises Refused: locked_document, broken_document."""
        self.library = library
        library.call("FPDF_InitLibrary")
        self.file = library.call("FPDF_LoadMemDocument64", library.put(data), len(data), 0)
        if not self.file:
            locked = library.call("FPDF_GetLastError") == PASSWORD
            raise Refused("locked_document" if locked else "broken_document")
        self.count = library.call("FPDF_GetPageCount", self.file)

    @contextmanager
    def page(self, number: int) -> "Iterator[Page | None]":
        """One page; None where that page alone is broken."""
        page = self.library.call("FPDF_LoadPage", self.file, number)
        try:
            yield Page(self, number, page) if page else None
        finally:
            if page:
                self.library.call("FPDF_ClosePage", page)

    def outline(self, most: int) -> Iterator[tuple[int, int, str]]:
        """(page, level from 1, title) of so many entries of the outline, in their order."""
        first = self.library.call("FPDFBookmark_GetFirstChild", self.file, 0)
        waiting, seen = [(1, first)], set()
        while waiting and len(seen) < most:
            level, entry = waiting.pop()
            if not entry or entry in seen:
                continue
            seen.add(entry)
            page = self._leads_to(entry)
            if page < self.count:
                yield page, level, self._title(entry)
            after = self.library.call("FPDFBookmark_GetNextSibling", self.file, entry)
            inner = self.library.call("FPDFBookmark_GetFirstChild", self.file, entry)
            waiting += [(level, after), (level + 1, inner)]

    def _leads_to(self, entry: int) -> int:
        """The page of an entry; more than there are when it leads to none."""
        call = self.library.call
        place = call("FPDFBookmark_GetDest", self.file, entry)
        action = 0 if place else call("FPDFBookmark_GetAction", entry)
        if action and call("FPDFAction_GetType", action) == GO_TO:
            place = call("FPDFAction_GetDest", self.file, action)
        return call("FPDFDest_GetDestPageIndex", self.file, place) if place else self.count

    def _title(self, entry: int) -> str:
        with self.library.room(LONGEST_TITLE) as room:
            size = self.library.call("FPDFBookmark_GetTitle", entry, room, LONGEST_TITLE)
            return utf16(self.library.get(room, min(size, LONGEST_TITLE)))


class Page:
    def __init__(self, pdf: Pdf, number: int, page: int):
        self.pdf, self.library, self.number, self.page = pdf, pdf.library, number, page

    def text(self) -> str:
        """What is written on the page, line by line."""
        call = self.library.call
        words = call("FPDFText_LoadPage", self.page)
        if not words:
            return ""
        count = min(call("FPDFText_CountChars", words), LONGEST_PAGE)
        with self.library.room(2 * count + 2) as room:
            got = call("FPDFText_GetText", words, 0, count, room)
            found = utf16(self.library.get(room, 2 * got))
        call("FPDFText_ClosePage", words)
        return found.replace(BROKEN_WORD, "")

    def pictured(self) -> float:
        """The share of the page that pictures cover, 1 at most."""
        call, (width, height) = self.library.call, self.size()
        area = 0.0
        with self.library.room(16) as room:
            places = [room + 4 * side for side in range(4)]
            for number in range(min(call("FPDFPage_CountObjects", self.page), MOST_OBJECTS)):
                each = call("FPDFPage_GetObject", self.page, number)
                if call("FPDFPageObj_GetType", each) not in (IMAGE, FORM):
                    continue
                if call("FPDFPageObj_GetBounds", each, *places):
                    left, bottom, right, top = struct.unpack("<4f", self.library.get(room, 16))
                    across = max(0.0, min(right, width) - max(left, 0))
                    area += across * max(0.0, min(top, height) - max(bottom, 0))
        return min(1.0, area / max(width * height, 1e-9))

    def empty(self) -> bool:
        return self.library.call("FPDFPage_CountObjects", self.page) == 0

    def size(self) -> tuple[float, float]:
        """Width and height in points."""
        with self.library.room(8) as room:
            self.library.call("FPDF_GetPageSizeByIndexF", self.pdf.file, self.number, room)
            return struct.unpack("<2f", self.library.get(room, 8))

    def drawn(self, width: int, height: int) -> "np.ndarray":
        """The page drawn that large: (height, width, 3) bytes, red first. Raises Refused."""
        import numpy as np

        call = self.library.call
        bitmap = call("FPDFBitmap_CreateEx", width, height, BGR, 0, 0)
        if not bitmap:
            raise Refused("out_of_memory")
        call("FPDFBitmap_FillRect", bitmap, 0, 0, width, height, WHITE)
        sizes = (0, 0, width, height, 0, ANNOTATIONS)
        call("FPDF_RenderPageBitmap", bitmap, self.page, *sizes)
        row = call("FPDFBitmap_GetStride", bitmap)
        data = self.library.get(call("FPDFBitmap_GetBuffer", bitmap), row * height)
        call("FPDFBitmap_Destroy", bitmap)
        rows = np.frombuffer(data, np.uint8).reshape(height, row)[:, : 3 * width]
        return rows.reshape(height, width, 3)[:, :, ::-1]


def utf16(data: bytes) -> str:
    return data.decode("utf-16-le", "replace").rstrip("\0")
