"""PDFium as the tab has it, but outside: the library in pypdfium2, by its functions in C."""

import ctypes
from pathlib import Path

import pypdfium2_raw

from onglet.browser.workbench import Pdfium

ADDRESSES = {
    "FPDF_LoadMemDocument64", "FPDF_LoadPage", "FPDFText_LoadPage", "FPDFPage_GetObject",
    "FPDFBitmap_CreateEx", "FPDFBitmap_GetBuffer", "FPDFBookmark_GetFirstChild",
    "FPDFBookmark_GetNextSibling", "FPDFBookmark_GetDest", "FPDFBookmark_GetAction",
    "FPDFAction_GetDest",
}  # fmt: skip


async def native() -> Pdfium:
    return Native()


class Native(Pdfium):
    def __init__(self):
        (path,) = Path(pypdfium2_raw.__file__).parent.glob("*pdfium.*")
        self._library = ctypes.CDLL(str(path))
        self._kept = {}

    def call(self, name, *numbers):
        if name == "free":
            return self._kept.pop(numbers[0]) and 0
        function = getattr(self._library, name)
        function.restype = ctypes.c_void_p if name in ADDRESSES else ctypes.c_uint32
        return function(*map(ctypes.c_void_p, numbers)) or 0

    def put(self, data):
        held = ctypes.create_string_buffer(data, max(1, len(data)))
        address = ctypes.addressof(held)
        self._kept[address] = held
        return address

    def get(self, address, size):
        return ctypes.string_at(address, size)
