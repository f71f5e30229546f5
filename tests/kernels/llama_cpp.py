"""llama.cpp as a witness: the log-probabilities and the tokens that it gives for a GGUF file.

Through the C interface of the library in the wheel `xllamacpp`. Its settings are structs passed by
value; of those only a few fields are known here, by their offset in the pinned version, each
checked against its default. Caches are float32 and attention is the plain one: no rounding of
llama.cpp's own stands between its numbers and ours.
"""

import ctypes
import struct
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy

from onglet_build import vendor

VOCABULARY_ONLY = 72  # offset in the model's settings
CONTEXT, FLASH_ATTENTION, KEY_TYPE = 0, 52, 104  # offsets in the context's settings
F16, F32 = 1, 0
Pointer = ctypes.c_void_p


class Settings(ctypes.Structure):
    """More bytes than either struct has: both are passed on the stack."""

    _fields_ = (("bytes", ctypes.c_uint8 * 1024),)


class Batch(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_int32),
        ("tokens", Pointer),
        ("embeddings", Pointer),
        ("positions", Pointer),
        ("sequence_counts", Pointer),
        ("sequences", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("outputs", Pointer),
    )


SIGNATURES = {
    "llama_backend_init": (None, []),
    "llama_log_set": (None, [Pointer, Pointer]),
    "llama_model_default_params": (Settings, []),
    "llama_context_default_params": (Settings, []),
    "llama_model_load_from_file": (Pointer, [ctypes.c_char_p, Settings]),
    "llama_init_from_model": (Pointer, [Pointer, Settings]),
    "llama_model_get_vocab": (Pointer, [Pointer]),
    "llama_vocab_n_tokens": (ctypes.c_int32, [Pointer]),
    "llama_tokenize": (
        ctypes.c_int32,
        [Pointer, ctypes.c_char_p, ctypes.c_int32, Pointer, ctypes.c_int32, *[ctypes.c_bool] * 2],
    ),
    "llama_batch_init": (Batch, [ctypes.c_int32] * 3),
    "llama_batch_free": (None, [Batch]),
    "llama_decode": (ctypes.c_int32, [Pointer, Batch]),
    "llama_get_logits_ith": (ctypes.POINTER(ctypes.c_float), [Pointer, ctypes.c_int32]),
    "llama_set_embeddings": (None, [Pointer, ctypes.c_bool]),
    "llama_get_embeddings_seq": (ctypes.POINTER(ctypes.c_float), [Pointer, ctypes.c_int32]),
    "llama_free": (None, [Pointer]),
    "llama_model_free": (None, [Pointer]),
}
LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, Pointer)
WARNING = 3
said = []  # what llama.cpp warned of, for a test that fails


@LOG
def _listen(level, text, _):
    if level >= WARNING:
        said.append(text.decode("utf-8", "replace"))


@cache
def library() -> ctypes.CDLL:
    (path,) = vendor.package("xllamacpp").folder.glob("xllamacpp/*.so")
    loaded = ctypes.CDLL(str(path))
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    loaded.llama_log_set(ctypes.cast(_listen, Pointer), None)
    loaded.llama_backend_init()
    return loaded


def _set(settings: Settings, offset: int, layout: str, before: tuple, after: tuple) -> None:
    """Changes fields; raises if they do not have their defaults: then the struct is another."""
    assert struct.unpack_from(layout, settings.bytes, offset) == before, "another llama.cpp"
    struct.pack_into(layout, settings.bytes, offset, *after)


@contextmanager
def _model(path: Path, vocabulary_only: bool):
    settings = library().llama_model_default_params()
    _set(settings, VOCABULARY_ONLY, "<?", (False,), (vocabulary_only,))
    said.clear()
    model = library().llama_model_load_from_file(str(path).encode(), settings)
    assert model, "".join(said)
    yield model
    library().llama_model_free(model)


@contextmanager
def _context(model, tokens: int):
    settings = library().llama_context_default_params()
    _set(settings, CONTEXT, "<III", (512, 2048, 512), (tokens, tokens, tokens))
    _set(settings, FLASH_ATTENTION, "<i", (-1,), (0,))
    _set(settings, KEY_TYPE, "<ii", (F16, F16), (F32, F32))
    context = library().llama_init_from_model(model, settings)
    assert context, "".join(said)
    yield context
    library().llama_free(context)


def log_probabilities(path: Path, tokens, *, context: int = 512) -> numpy.ndarray:
    """(tokens, vocabulary): of the token after each of `tokens`."""
    with _model(path, False) as model, _context(model, context) as running:
        vocabulary = library().llama_model_get_vocab(model)
        size = library().llama_vocab_n_tokens(vocabulary)
        batch = _batch(tokens)
        assert library().llama_decode(running, batch) == 0, "".join(said)
        rows = [library().llama_get_logits_ith(running, row)[:size] for row in range(len(tokens))]
        library().llama_batch_free(batch)
    return log_softmax(numpy.array(rows))


def vector(path: Path, tokens, width: int) -> numpy.ndarray:
    """What an encoder makes of a text, of length 1: (width,)."""
    with _model(path, False) as model, _context(model, 512) as running:
        library().llama_set_embeddings(running, True)
        batch = _batch(tokens)
        assert library().llama_decode(running, batch) == 0, "".join(said)
        found = numpy.array(library().llama_get_embeddings_seq(running, 0)[:width])
        library().llama_batch_free(batch)
    return found / numpy.linalg.norm(found)


def log_softmax(logits: numpy.ndarray) -> numpy.ndarray:
    """In double precision, each row by itself."""
    shifted = logits.astype(float) - logits.max(axis=-1, keepdims=True)
    return shifted - numpy.log(numpy.exp(shifted).sum(axis=-1, keepdims=True))


def _batch(tokens) -> Batch:
    count = len(tokens)
    batch = library().llama_batch_init(count, 0, 1)
    batch.count = count
    for place, values in (
        (batch.tokens, numpy.asarray(tokens, "<i4")),
        (batch.positions, numpy.arange(count, dtype="<i4")),
        (batch.sequence_counts, numpy.ones(count, "<i4")),
        (batch.outputs, numpy.ones(count, "i1")),
    ):
        ctypes.memmove(place, values.tobytes(), values.nbytes)
    for row in range(count):
        batch.sequences[row][0] = 0
    return batch


def tokenize(path: Path, lines: list[str], *, special: bool = True) -> list[list[int]]:
    """The ids of each line, special tokens in the text taken as such, none added."""
    with _model(path, True) as model:
        vocabulary = library().llama_model_get_vocab(model)
        return [_tokenize(vocabulary, line.encode(), special) for line in lines]


def _tokenize(vocabulary, line: bytes, special: bool) -> list[int]:
    room = (ctypes.c_int32 * (len(line) + 16))()
    count = library().llama_tokenize(
        vocabulary, line, len(line), ctypes.cast(room, Pointer), len(room), False, special
    )
    assert count >= 0
    return room[:count]
