"""The header reader on sound, broken and hostile files; ONGLET_FULL=1 for 100,000 mutations."""

import os
import random
import time
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from functools import partial

import gguf as peer
import pytest

from onglet.engine import gguf
from onglet.engine.errors import Incomplete, Refused
from onglet.engine.gguf import read_header
from onglet.engine.prepare import prepare
from onglet_build import tiny_model, vendor
from onglet_build.hostile_files import (
    BOOL,
    F32,
    HOSTILE,
    I32,
    MORE,
    STRING,
    U32,
    hostile_file,
    sound,
    sound_of,
)

MUTATIONS = 100_000 if os.environ.get("ONGLET_FULL") else 5_000
SECONDS, MEMORY = 1.0, 64 << 20


@pytest.fixture(scope="module")
def embedded() -> bytes:
    with vendor.model_file().open("rb") as file:
        return file.read(2 << 20)


def header_of(file) -> gguf.Header:
    data = file.written()
    return read_header(data, len(data))


def test_the_table_of_types_is_that_of_the_gguf_package():
    for number, (name, block, size) in gguf.TENSOR_TYPES.items():
        kind = peer.GGMLQuantizationType(number)
        assert (kind.name, *peer.GGML_QUANT_SIZES[kind]) == (name, block, size)


@pytest.mark.parametrize("variant", tiny_model.VARIANTS.values(), ids=tiny_model.VARIANTS)
def test_reads_a_file_as_the_gguf_package_does(variant, tmp_path):
    path = tmp_path / "tiny.gguf"
    tiny_model.write(path, variant)
    header, reader = read_header(path.read_bytes(), path.stat().st_size), peer.GGUFReader(path)
    for tensor in reader.tensors:
        ours = header.tensors[tensor.name]
        columns, *rows = (int(size) for size in tensor.shape)
        assert (ours.type, ours.columns) == (tensor.tensor_type.name, columns)
        assert ours.rows == (rows[0] if rows else 1)
        assert (ours.source, ours.bytes) == (tensor.data_offset, tensor.n_bytes)
    assert len(header.tensors) == len(reader.tensors)
    counts = {"GGUF.version", "GGUF.tensor_count", "GGUF.kv_count"}
    assert set(header.metadata) == set(reader.fields) - counts
    texts = header.strings(header.array("tokenizer.ggml.tokens", STRING), range(323), limit=100)
    assert list(texts.values()) == tiny_model.vocabulary()


def test_strings_are_found_without_decoding_the_others(embedded):
    header = read_header(embedded, vendor.model_file().stat().st_size)
    tokens = header.array("tokenizer.ggml.tokens", STRING)
    known = {2: "<|im_end|>", 3575: "Ġcapital", 4649: "ĠFrance"}
    assert header.strings(tokens, reversed(known), limit=100) == known


def test_the_embedded_header_is_read_in_no_time(embedded):
    best = min(timed(lambda: read_header(embedded, 98_362_432)) for _ in range(5))
    assert best < 0.25  # 0.012 s on a quiet machine


def timed(call) -> float:
    """Seconds of this process, so that other work on the machine does not count."""
    start = time.process_time()
    call()
    return time.process_time() - start


@pytest.mark.parametrize("version", [2, 3])
def test_both_versions_are_read(version):
    assert header_of(replace(sound(), version=version)).version == version


def test_values_are_checked_when_asked_for():
    header = header_of(sound().with_value(b"yes", BOOL, 1).with_value(b"half", F32, 0.5))
    assert header.flag("yes", default=False) is True
    assert header.flag("gone", default=True) is True
    assert header.number("half", 0, 1) == 0.5
    assert header.integer("gone", 0, 1, default=None) is None
    assert header.text("general.name", 10) == "Sound"
    assert header.array("gone", STRING, default=None) is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda header: header.integer("gone", 0, 1),
        lambda header: header.integer("llama.block_count", 2, 3),
        lambda header: header.integer("general.name", 0, 1),
        lambda header: header.number("general.name", 0, 1),
        lambda header: header.number("llama.block_count", 2, 3),
        lambda header: header.flag("llama.block_count", default=True),
        lambda header: header.text("general.name", 4),
        lambda header: header.text("llama.block_count", 4),
        lambda header: header.array("tokenizer.ggml.tokens", U32),
        lambda header: header.strings(header.array("tokenizer.ggml.tokens", STRING), [3], 1),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(ask):
    with pytest.raises(Refused) as refused:
        ask(header_of(sound()))
    assert refused.value.code == "broken_header"


def test_a_header_that_goes_on_asks_for_more():
    data, given, rounds = sound().written(), 1, 0
    while rounds < 20:
        try:
            read_header(data[:given], len(data))
            break
        except Incomplete as incomplete:
            assert given < incomplete.bytes_needed <= len(data)
            given, rounds = incomplete.bytes_needed, rounds + 1
    assert 1 < rounds < 20


def test_every_beginning_of_a_header_asks_for_more_or_is_read():
    data = sound().written()
    for size in range(1, len(data), 7):
        try:
            read_header(data[:size], len(data))
        except Incomplete as incomplete:
            assert incomplete.bytes_needed > size


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PK\x03\x04", "zip"),
        (b"  <HTML>", "html"),
        (b"\xef\xbb\xbf<!doctype html>", "html"),
        ("Ce modèle n'existe pas".encode(), "text"),
        (b'{"error": "not found"}', "text"),
        (b"\x00\x01\x02", "unknown"),
        (b"\x89PNG\r\n\x1a\n", "unknown"),
        (b"\xff\xfe\xfd\xfc", "unknown"),
        (b"ggml", "text"),
    ],
)
def test_says_what_another_file_looks_like(start, kind):
    with pytest.raises(Refused) as refused:
        read_header(start, len(start))
    assert refused.value.values == {"looks_like": kind}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(name):
    data, code = hostile_file(name), HOSTILE[name][1]
    tracemalloc.start()
    with pytest.raises(Refused) as refused:
        prepare(data, len(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.code == code
    assert peak < MEMORY


def test_the_header_limit_holds_for_files_that_are_big_enough():
    huge = (1 << 20).to_bytes(8, "little")
    with pytest.raises(Refused) as refused:
        read_header(b"GGUF" + bytes([3, 0, 0, 0]) + huge + huge, 1 << 40)
    assert refused.value.code == "broken_header"
    data = sound().with_value(b"long", I32, 1).written()
    at = data.index(b"long") + 4
    array = (9).to_bytes(4, "little") + (0).to_bytes(4, "little") + (60 << 20).to_bytes(8, "little")
    with pytest.raises(Incomplete):
        read_header(data[:at] + array, 1 << 40)


def test_mutated_headers_are_read_or_refused():
    """0 uncaught, each within a second; memory is measured on a sample."""
    chance = random.Random(20261123)
    files = [sound().written(), *(sound_of(name).written() for name in MORE)]
    for number in range(MUTATIONS):
        changed = mutated(chance, files[number % len(files)])
        measured = number % 100 == 0
        if measured:
            tracemalloc.start()
        took = timed(partial(read_or_refuse, changed))
        if measured:
            assert tracemalloc.get_traced_memory()[1] < MEMORY
            tracemalloc.stop()
        assert took < SECONDS, number


def read_or_refuse(data: bytes) -> None:
    with suppress(Refused, Incomplete):
        prepare(data, len(data), encoder=b"bert" in data[:128])


INTERESTING = [0, 1, 2, 8, 9, 31, 32, 255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]
INTERESTING += [1 << 32, (1 << 61) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 32]


def mutated(chance: random.Random, data: bytes) -> bytes:
    """The file with one to eight things changed in its header."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        chance.choice(MUTATORS)(chance, changed)
    return bytes(changed)


def place(chance: random.Random, data: bytearray) -> int:
    return chance.randrange(min(len(data), 2400) or 1)


def flip(chance: random.Random, data: bytearray) -> None:
    if data:
        data[place(chance, data) % len(data)] ^= 1 << chance.randrange(8)


def number(chance: random.Random, data: bytearray) -> None:
    at, size = place(chance, data), chance.choice((1, 4, 8))
    value = chance.choice(INTERESTING) & ((1 << 8 * size) - 1)
    data[at : at + size] = value.to_bytes(size, "little")


def cut(chance: random.Random, data: bytearray) -> None:
    del data[place(chance, data) :]


def drop(chance: random.Random, data: bytearray) -> None:
    at = place(chance, data)
    del data[at : at + chance.randrange(1, 40)]


def double(chance: random.Random, data: bytearray) -> None:
    at, size = place(chance, data), chance.randrange(1, 200)
    data[at:at] = data[at : at + size]


def noise(chance: random.Random, data: bytearray) -> None:
    at = place(chance, data)
    data[at : at + 8] = chance.randbytes(8)


MUTATORS = (flip, flip, flip, number, number, number, cut, drop, double, noise)
