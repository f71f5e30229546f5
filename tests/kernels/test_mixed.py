"""A model with a tensor of every type, from its file to its logits: close to the float32 reference,
and the same bits on every machine."""

import functools

import gguf
import machines
import numpy
import pytest
from numpy import float32

from onglet.engine import program, reference
from onglet.engine.gguf import read_header
from onglet.engine.models import plan_for
from onglet_build.bench import quantizer
from onglet_build.places import BUILD

WIDTH, HIDDEN, LAYERS, VOCABULARY = 256, 512, 3, 83
HEADS, KV_HEADS, HEAD_SIZE = 6, 2, 32
KINDS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
ATTENDED = HEADS * HEAD_SIZE  # no multiple of 256: its reader gets a type of blocks of 32
SHAPES = {
    "attn_q": (ATTENDED, WIDTH),
    "attn_k": (KV_HEADS * HEAD_SIZE, WIDTH),
    "attn_v": (KV_HEADS * HEAD_SIZE, WIDTH),
    "attn_output": (WIDTH, ATTENDED),
    "ffn_gate": (HIDDEN, WIDTH),
    "ffn_up": (HIDDEN, WIDTH),
    "ffn_down": (WIDTH, HIDDEN),
}
LAYER_TYPES = (  # q, k, v, output, gate, up, down
    ("Q4_K", "Q4_K", "Q6_K", "Q5_0", "Q4_K", "Q4_K", "Q6_K"),
    ("Q5_K", "Q3_K", "Q5_K", "IQ4_NL", "Q2_K", "Q2_K", "Q3_K"),
    ("MXFP4", "Q8_0", "Q4_1", "Q5_1", "IQ4_NL", "IQ4_NL", "Q4_0"),
)


def write(path) -> None:
    random = numpy.random.default_rng(11)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_SIZE)
    writer.add_value_length(HEAD_SIZE)
    writer.add_rope_dimension_count(HEAD_SIZE)
    writer.add_layer_norm_rms_eps(1e-5)

    def add(name: str, kind: str, rows: int, columns: int) -> None:
        values = (random.standard_normal((rows, columns)) / columns**0.5).astype(float32)
        number = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(name, quantizer.quantize(values, number), raw_dtype=number)

    add("token_embd.weight", "Q6_K", VOCABULARY, WIDTH)
    add("output.weight", "Q8_0", VOCABULARY, WIDTH)
    for layer, kinds in enumerate(LAYER_TYPES):
        for name, kind in zip(KINDS, kinds, strict=True):
            add(f"blk.{layer}.{name}.weight", kind, *SHAPES[name])
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", numpy.ones(WIDTH, float32))
    writer.add_tensor("output_norm.weight", numpy.ones(WIDTH, float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@functools.cache
def mixed():
    """The plan and tensors of the model, and the bytes of its file."""
    path = BUILD / "kernel_tests" / "mixed.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    data = path.read_bytes()
    header = read_header(data, len(data))
    return plan_for(header), header.tensors, data


@functools.cache
def tokens() -> list[int]:
    return [int(token) for token in numpy.random.default_rng(7).integers(0, VOCABULARY, 70)]


def run(machine, chunk: int, threads: int) -> numpy.ndarray:
    """The logits after each of tokens()."""
    plan, tensors, data = mixed()
    lowered = program.lower(plan, tensors, context=128, chunk=chunk, logits_rows=chunk)
    running = machines.Engine(machine, lowered, data, threads)
    steps = range(0, len(tokens()), chunk)
    return numpy.concatenate(
        [running.step(tokens()[first : first + chunk], first, chunk) for first in steps]
    )


@functools.cache
def first_run(folder) -> numpy.ndarray:
    """What everybody else must give: the plain build, alone, token by token."""
    machine = machines.wasm("plain", folder)
    try:
        return run(machine, 1, 1)
    finally:
        machine.close()


def test_every_type_is_there():
    _, tensors, _ = mixed()
    assert {tensor.type for tensor in tensors.values()} >= set(reference.GROUPS)


def test_close_to_the_reference(build_folder):
    mixed()
    model = reference.Model.read(BUILD / "kernel_tests" / "mixed.gguf")
    expected, seen = model.forward(tokens()), first_run(build_folder)
    lengths = numpy.linalg.norm(expected, axis=1) * numpy.linalg.norm(seen, axis=1)
    assert ((expected * seen).sum(axis=1) / lengths).mean() >= 0.999


@pytest.mark.parametrize("chunk", [1, 2, 5, 8, 128])
def test_same_bits(wasm, threads, chunk, build_folder):
    numpy.testing.assert_array_equal(run(wasm, chunk, threads), first_run(build_folder))


def test_same_bits_natively(native, build_folder):
    numpy.testing.assert_array_equal(run(native, 7, 2), first_run(build_folder))
