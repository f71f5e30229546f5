"""Repacking puts every weight where its block says, in whatever pieces it comes."""

import struct

import cases
import machines
import numpy
import pytest
from numpy import float32

from onglet.engine import reference
from onglet.engine.plan import Embed, Logits, Project
from onglet.engine.program_table import HEADER

WORDS = [
    [8 * octet + column for column in word]  # the columns of the bytes of each word
    for octet in range(4)
    for word in ([0, 4, 1, 5], [2, 6, 3, 7])
]
OFFSETS = {"Q4_0": 8, "Q5_0": 16, "Q6_K": 32, "Q3_K": 4, "Q8_0": 128}
# Type -> the planes that its bytes are cut into: lowest bit, bits, words that share a vector pair.
NIBBLES, FIFTH = (0, 4, 2), (4, 1, 8)
PLANES = {
    "Q5_0": (NIBBLES, FIFTH),
    "Q5_1": (NIBBLES, FIFTH),
    "Q5_K": (NIBBLES, FIFTH),
    "Q6_K": (NIBBLES, (4, 2, 4)),
    "Q3_K": ((0, 2, 4), (2, 1, 8)),
    "Q2_K": ((0, 2, 4),),
    "Q8_0": ((0, 8, 1),),
}


def lay_out(matrix, type_name: str, row_of_lane: list[int | None], block: int) -> bytes:
    """The packed block of 8 lanes x 32 columns; a lane without a row is zero."""
    if matrix.values is not None:
        return _lay_out_floats(matrix, type_name, row_of_lane, block)
    lanes = numpy.stack([_bytes_of(matrix, type_name, row, block) for row in row_of_lane])
    words = lanes[:, WORDS]  # (lane, word, byte)
    packed = b""
    for low, bits, sharing in PLANES.get(type_name, (NIBBLES,)):
        field = (words >> low & (1 << bits) - 1).reshape(8, -1, sharing, 4)
        shifts = numpy.arange(sharing)[:, None] * bits
        plane = (field << shifts).sum(axis=2).astype(numpy.uint8)  # (lane, vector pair, byte)
        packed += plane.transpose(1, 0, 2).tobytes()
    return packed + b"".join(_lay_out_scales(matrix, type_name, row_of_lane, block))


def _bytes_of(matrix, type_name, row, block) -> numpy.ndarray:
    """The 32 unsigned values that are packed."""
    if row is None:
        return numpy.zeros(32, int)
    if type_name in ("IQ4_NL", "MXFP4"):
        stored = numpy.frombuffer(matrix.data, numpy.uint8)
        stored = stored.reshape(len(matrix.quants), -1, cases.BLOCKS[type_name][1])[row, block]
        return numpy.concatenate([stored[-16:] & 15, stored[-16:] >> 4]).astype(int)
    return matrix.quants[row].reshape(-1, 32)[block] + OFFSETS.get(type_name, 0)


def _lay_out_scales(matrix, type_name, row_of_lane, block):
    """Scales and minima in half precision; then the factors of both halves of a block."""
    if type_name not in ("Q2_K", "Q3_K", "Q6_K"):
        for scales in (matrix.scales, matrix.minima):
            if scales is not None:
                lane = [0.0 if row is None else scales[row, block] for row in row_of_lane]
                yield numpy.array(lane, "<f2").tobytes()
        return
    _, size = cases.BLOCKS[type_name]
    stored = numpy.frombuffer(matrix.data, numpy.uint8).reshape(len(matrix.quants), -1, size)
    for place in cases.HALVES[type_name]:
        flip = 0x80 if place == 82 else 0  # the minimum of Q2_K is subtracted
        for row in row_of_lane:
            at = b"\0\0" if row is None else stored[row, block // 8, place : place + 2].tobytes()
            yield at if row is None else bytes([at[0], at[1] ^ flip])
    for row in (0, 4, 1, 5, 2, 6, 3, 7):
        yield _factors(stored, type_name, row_of_lane[row], block)


def _factors(stored, type_name, row, block) -> bytes:
    if row is None:
        return b"\0\0"
    data, group = stored[row, block // 8], block % 8 * 2
    if type_name == "Q3_K":
        unit = data[None].copy()
        unit[:, 108:] = numpy.frombuffer(numpy.float16(1).tobytes(), numpy.uint8)
        scales = reference.GROUPS["Q3_K"](unit.ravel()).scales
        return scales[group : group + 2].astype("i1").tobytes()
    first = 192 if type_name == "Q6_K" else 0
    return data[first + group : first + group + 2].tobytes()


def _lay_out_floats(matrix, type_name, row_of_lane, block) -> bytes:
    columns = slice(32 * block, 32 * block + 32)
    lanes = [
        numpy.zeros(32, float32) if row is None else matrix.values[row, columns]
        for row in row_of_lane
    ]
    values = numpy.stack(lanes, axis=1)
    if type_name == "F32":
        return values.astype("<f4").tobytes()
    halves = (values.view(numpy.uint32) >> 16).astype("<u2")
    return halves.reshape(16, 2, 8).transpose(0, 2, 1).tobytes()


def packed(running: machines.Engine, name: str) -> bytes:
    return running.machine.read(*running.program.regions[name])


@pytest.mark.parametrize("kind", cases.TYPES)
def test_rows(machine, threads, kind):
    random = numpy.random.default_rng(3)
    rows, columns = 35, 512 if kind.endswith("_K") else 96
    model = cases.Model()
    matrix = cases.matrix(random, kind, rows, columns)
    model.add("e", matrix, rows, columns)
    operations = [Embed("e", "x"), Logits("x", "e", "l")]
    buffers = {"x": columns, "l": rows}
    lowered = model.lower(operations, buffers, vocabulary=rows, context=64, chunk=4)
    running = cases.engine(machine, model, lowered, threads)
    (weight,) = lowered.weights
    running.machine.write(weight["target"], b"\xff" * lowered.regions["e"][1])
    running.load_weight(weight, model.file, most_rows=8)
    expected = b"".join(
        lay_out(matrix, kind, [row if row < rows else None for row in range(low, low + 8)], block)
        for low in range(0, rows, 8)
        for block in range(columns // 32)
    )
    assert packed(running, "e") == expected


@pytest.mark.parametrize("kind", cases.TYPES)
def test_gate_and_up_share_blocks(machine, kind):
    random = numpy.random.default_rng(4)
    rows, columns = 20, 256 if kind.endswith("_K") else 64
    model = cases.Model()
    for name in ("gate", "up"):
        model.add(name, cases.matrix(random, kind, rows, columns), rows, columns)
    step = Project("x", ("gate", "up"), "y", activation="silu_gated")
    lowered = model.lower([step], {"x": columns, "y": rows}, context=64, chunk=4)
    running = cases.engine(machine, model, lowered, 1)
    expected = b""
    for low in range(0, rows, 4):
        for block in range(columns // 32):
            lanes = [low, low + 1, low + 2, low + 3]
            halves = [
                lay_out(model.matrices[name], kind, [*lanes, *[None] * 4], block)
                for name in ("gate", "up")
            ]
            expected += _both(*halves, kind)
    assert packed(running, "gate") == expected


def _both(gate: bytes, up: bytes, kind: str) -> bytes:
    """Lanes 0..3 of one block beside lanes 0..3 of another."""
    planes = PLANES.get(kind, (NIBBLES,))
    quants = sum(32 * 8 // sharing for _, _, sharing in planes)
    if kind in cases.FLOATS:
        quants = len(gate)
    factors = len(gate) - (16 if kind in ("Q2_K", "Q3_K", "Q6_K") else 0)
    result = b""
    for place in range(0, quants, 32):
        result += gate[place : place + 16] + up[place : place + 16]
    for place in range(quants, factors, 16):
        result += gate[place : place + 8] + up[place : place + 8]
    for place in range(factors, len(gate), 4):
        result += gate[place : place + 2] + up[place : place + 2]
    return result


@pytest.mark.parametrize("kind", cases.TYPES)
def test_embed(machine, threads, kind):
    random = numpy.random.default_rng(5)
    rows, columns = 50, 256 if kind.endswith("_K") else 64
    model = cases.Model()
    matrix = cases.matrix(random, kind, rows, columns)
    model.add("e", matrix, rows, columns)
    step = Embed("e", "x", scale=1.5)
    lowered = model.lower([step], {"x": columns}, vocabulary=rows, context=64, chunk=9)
    running = cases.engine(machine, model, lowered, threads)
    tokens = numpy.array([0, 49, 7, 7, 31, 50, -1, 1 << 30, 5], "<i4")
    running.machine.write(running.fields["tokens"], tokens.tobytes())
    cases.run_step(running, 9, 0)
    known = numpy.where((tokens >= 0) & (tokens < rows), tokens, 0)
    expected = matrix.exact[known] * float32(1.5)
    numpy.testing.assert_array_equal(cases.read_buffer(running, "x", 9, columns), expected)


def test_queue_longer_than_its_slots(machine, threads):
    """More jobs than the queue holds, all from one place that nobody overwrites meanwhile."""
    random = numpy.random.default_rng(6)
    rows, columns = 8 * 200, 32
    model = cases.Model()
    matrix = cases.matrix(random, "Q4_0", rows, columns)
    model.add("e", matrix, rows, columns)
    step = Embed("e", "x")
    lowered = model.lower([step], {"x": columns}, vocabulary=rows, context=64, chunk=4)
    running = cases.engine(machine, model, lowered, threads)
    (weight,) = lowered.weights
    running.machine.write(weight["target"], b"\xff" * lowered.regions["e"][1])
    row_bytes = weight["bytes"] // rows
    running.machine.write(running.fields["ring"], matrix.data)
    done = running.machine.call("repacks_done")
    for first in range(0, rows, 8):
        source = running.fields["ring"] + first * row_bytes
        numbers = (weight["type"], columns, 8, first, weight["pattern"], source, weight["target"])
        job = running.machine.call("post_repack", threads, *numbers)
    assert job == done + 200
    while running.machine.call("repacks_done") < job:
        running.machine.call("repack_help")
    lanes = [list(range(low, low + 8)) for low in range(0, rows, 8)]
    assert packed(running, "e") == b"".join(lay_out(matrix, "Q4_0", rows, 0) for rows in lanes)


def test_words_are_where_fields_say(machine):
    model = cases.Model()
    model.vector("v", numpy.ones(32))
    model.add("e", cases.matrix(numpy.random.default_rng(0), "F32", 16, 32), 16, 32)
    lowered = model.lower([Embed("e", "x")], {"x": 32}, context=64, chunk=4)
    running = cases.engine(machine, model, lowered, 1)
    running.write_word("position", 77)
    index = HEADER.index("position")
    data = running.machine.read(lowered.words_address, 4 * len(HEADER))
    assert struct.unpack(f"<{len(HEADER)}i", data)[index] == 77
