"""One file a format, each with `read(data, name, progress) -> blocks` and the `SUFFIXES` that it
reads; found by looking, as in `engine/models/`. A reader imports its library when it runs; one
that waits for something gives its blocks asynchronously."""

import importlib
import pkgutil
from collections.abc import AsyncIterator
from types import ModuleType

from onglet.documents.blocks import MOST_BYTES, Block, Progress, within_limits
from onglet.engine.errors import Refused


def modules() -> list[ModuleType]:
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return [importlib.import_module(f"{__name__}.{name}") for name in names]


def suffix_of(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def quietly(done: float, total: int, seeing: bool = False) -> None:
    """Progress that nobody wants to hear of."""


async def read(data: bytes, name: str, progress: Progress = quietly) -> list[Block]:
    """The text of a file, by the suffix of its name; what looks like another format is read so.

    Raises Refused: empty_file, document_too_big, unknown_document (`suffix`), broken_document,
    locked_document, document_bomb, document_pages, document_too_long, no_text.
    """
    if not data:
        raise Refused("empty_file")
    if len(data) > MOST_BYTES:
        raise Refused("document_too_big", need=len(data), limit=MOST_BYTES)
    suffix = "pdf" if data[:1024].lstrip().startswith(b"%PDF-") else suffix_of(name)
    for module in modules():
        if suffix in module.SUFFIXES:
            return await within_limits(guarded(module, data, name, progress))
    raise Refused("unknown_document", suffix=suffix)


async def guarded(
    module: ModuleType, data: bytes, name: str, progress: Progress
) -> AsyncIterator[Block]:
    """What a library trips over is a broken document, with no trace of the library's words."""
    try:
        blocks = module.read(data, name, progress)
        if isinstance(blocks, AsyncIterator):
            async for block in blocks:
                yield block
        else:
            for block in blocks:
                yield block
    except (Refused, MemoryError):
        raise
    except Exception as error:
        raise Refused("broken_document") from error
