"""Writes small model files byte by byte, right ones and wrong ones, for tests.

Independent of the reader under test and of every GGUF library: it can say what no writer would.
`HOSTILE` names each wrong file with the code of its refusal.
"""

import io
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace

U8, I32, U32, F32, BOOL, STRING, ARRAY, U64 = 0, 5, 4, 6, 7, 8, 9, 10
LAYOUTS = {U8: "<B", I32: "<i", U32: "<I", F32: "<f", BOOL: "<B", U64: "<Q"}
TYPE_F32, TYPE_Q4_0, TYPE_IQ4_XS, TYPE_OF_NOBODY = 0, 2, 23, 99
WIDTH, VOCABULARY = 32, 8
ALIGNMENT = 32


@dataclass(frozen=True)
class Tensor:
    """`dimensions` as in the file: columns first. Without `offset` it lies behind the last one."""

    name: bytes
    dimensions: tuple[int, ...]
    type: int = TYPE_F32
    offset: int | None = None
    bytes: int | None = None  # how many to write; a true size when None


@dataclass(frozen=True)
class File:
    """A GGUF file before it is written; counts tell the truth when None."""

    metadata: tuple[tuple[bytes, int, object], ...]
    tensors: tuple[Tensor, ...]
    version: int = 3
    metadata_count: int | None = None
    tensor_count: int | None = None
    alignment: int = ALIGNMENT
    tail: bytes = b""

    def with_value(self, key: bytes, kind: int, value: object) -> "File":
        """The same file with one value added or replaced."""
        others = tuple(row for row in self.metadata if row[0] != key)
        return replace(self, metadata=(*others, (key, kind, value)))

    def with_tensor(self, name: bytes, **changes) -> "File":
        tensors = [
            replace(tensor, **changes) if tensor.name == name else tensor for tensor in self.tensors
        ]
        return replace(self, tensors=tuple(tensors))

    def written(self) -> bytes:
        """The bytes of the file."""
        counts = (
            len(self.tensors) if self.tensor_count is None else self.tensor_count,
            len(self.metadata) if self.metadata_count is None else self.metadata_count,
        )
        header = b"GGUF" + struct.pack("<IQQ", self.version, *counts)
        for key, kind, value in self.metadata:
            header += _string(key) + struct.pack("<I", kind) + _value(kind, value)
        described, data = self._tensors()
        return _padded(header + described, self.alignment) + data + self.tail

    def _tensors(self) -> tuple[bytes, bytes]:
        described, data = b"", b""
        for tensor in self.tensors:
            offset = len(data) if tensor.offset is None else tensor.offset
            count = len(tensor.dimensions)
            described += _string(tensor.name) + struct.pack("<I", count)
            described += struct.pack(f"<{count}QIQ", *tensor.dimensions, tensor.type, offset)
            data += _padded(b"\x01" * _size(tensor), self.alignment)
        return described, data


def _size(tensor: Tensor) -> int:
    if tensor.bytes is not None:
        return tensor.bytes
    values = 1
    for dimension in tensor.dimensions:
        values *= dimension
    return values * 4


def _padded(data: bytes, alignment: int) -> bytes:
    return data + b"\0" * (-len(data) % alignment)


def _string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _value(kind: int, value: object) -> bytes:
    if isinstance(value, Raw):
        return value.bytes
    if kind == STRING:
        return _string(value)
    if kind == ARRAY:
        element, items = value
        head = struct.pack("<IQ", element, len(items))
        return head + b"".join(_value(element, item) for item in items)
    return struct.pack(LAYOUTS[kind], value)


@dataclass(frozen=True)
class Raw:
    """Bytes written as they are in place of a value."""

    bytes: bytes


def sound(width: int = WIDTH) -> File:
    """A file with nothing wrong: one layer, eight tokens."""
    tokens = [f"t{number}".encode() for number in range(VOCABULARY)]
    types = [3, *([1] * (VOCABULARY - 1))]
    return File(
        metadata=(
            (b"general.architecture", STRING, b"llama"),
            (b"general.name", STRING, b"Sound"),
            (b"llama.block_count", U32, 1),
            (b"llama.context_length", U32, 64),
            (b"llama.embedding_length", U32, width),
            (b"llama.feed_forward_length", U32, width),
            (b"llama.attention.head_count", U32, 2),
            (b"llama.attention.head_count_kv", U32, 1),
            (b"llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
            (b"tokenizer.ggml.model", STRING, b"gpt2"),
            (b"tokenizer.ggml.pre", STRING, b"smollm"),
            (b"tokenizer.ggml.tokens", ARRAY, (STRING, tokens)),
            (b"tokenizer.ggml.token_type", ARRAY, (I32, types)),
            (b"tokenizer.ggml.merges", ARRAY, (STRING, [b"t 0"])),
            (b"tokenizer.ggml.eos_token_id", U32, 0),
        ),
        tensors=(
            Tensor(b"token_embd.weight", (width, VOCABULARY)),
            Tensor(b"output_norm.weight", (width,)),
            Tensor(b"blk.0.attn_norm.weight", (width,)),
            Tensor(b"blk.0.attn_q.weight", (width, width)),
            Tensor(b"blk.0.attn_k.weight", (width, width // 2)),
            Tensor(b"blk.0.attn_v.weight", (width, width // 2)),
            Tensor(b"blk.0.attn_output.weight", (width, width)),
            Tensor(b"blk.0.ffn_norm.weight", (width,)),
            Tensor(b"blk.0.ffn_gate.weight", (width, width)),
            Tensor(b"blk.0.ffn_up.weight", (width, width)),
            Tensor(b"blk.0.ffn_down.weight", (width, width)),
        ),
    )


YARN = {
    "rope.scaling.type": (STRING, b"yarn"),
    "rope.scaling.factor": (F32, 8.0),
    "rope.scaling.original_context_length": (U32, 32),
}
HEAD_NORMS = {"blk.0.attn_q_norm.weight": (16,), "blk.0.attn_k_norm.weight": (16,)}
POST_NORMS = {
    "blk.0.post_attention_norm.weight": (WIDTH,),
    "blk.0.post_ffw_norm.weight": (WIDTH,),
}
BERT = {
    **dict.fromkeys(
        (
            *("token_embd_norm.weight", "token_embd_norm.bias"),
            *("blk.0.attn_output_norm.weight", "blk.0.attn_output_norm.bias"),
            *("blk.0.layer_output_norm.weight", "blk.0.layer_output_norm.bias"),
        ),
        (WIDTH,),
    ),
    "position_embd.weight": (WIDTH, 64),
    "token_types.weight": (WIDTH, 2),
    "blk.0.ffn_up.bias": (WIDTH,),
}
# What each architecture has more than llama: metadata, tensors; and which tensors it has not.
MORE = {
    "bert": (
        {
            "attention.layer_norm_epsilon": (F32, 1e-12),
            "attention.causal": (BOOL, False),
            "pooling_type": (U32, 1),
        },
        BERT,
        ("output_norm.", "attn_norm.", "ffn_norm.", "ffn_gate."),
    ),
    "qwen2": ({}, {"blk.0.attn_q.bias": (WIDTH,)}, ()),
    "qwen3": (YARN, HEAD_NORMS, ()),
    "smollm3": ({}, {}, ()),
    "granite": (
        {
            "attention.scale": (F32, 0.1),
            "residual_scale": (F32, 0.2),
            "embedding_scale": (F32, 12.0),
            "logit_scale": (F32, 8.0),
            "rope.scaling.finetuned": (BOOL, True),
        },
        {},
        (),
    ),
    "phi3": (
        {
            "rope.scaling.attn_factor": (F32, 1.2),
            "rope.scaling.original_context_length": (U32, 32),
        },
        {
            "rope_factors_long.weight": (8,),
            "rope_factors_short.weight": (8,),
            "blk.0.attn_qkv.weight": (WIDTH, 2 * WIDTH),
            "blk.0.ffn_up.weight": (WIDTH, 2 * WIDTH),
        },
        ("attn_q.", "attn_k.", "attn_v.", "ffn_gate.", "ffn_up."),
    ),
    "olmo2": (
        {"attention.sliding_window": (U32, 20), **YARN},
        POST_NORMS | {"blk.0.attn_q_norm.weight": (WIDTH,), "blk.0.attn_k_norm.weight": (16,)},
        ("attn_norm.", "ffn_norm."),
    ),
    "gemma3": (
        {
            "attention.sliding_window": (U32, 20),
            "attention.sliding_window_pattern": (U32, 6),
            "rope.freq_base_swa": (F32, 1e4),
            "final_logit_softcapping": (F32, 0.0),
        },
        HEAD_NORMS | POST_NORMS,
        (),
    ),
}


def sound_of(architecture: str) -> File:
    """A file of that architecture with nothing wrong."""
    metadata, tensors, without = MORE[architecture]
    file = sound().with_value(b"general.architecture", STRING, architecture.encode())
    renamed = tuple(
        (key.replace(b"llama.", architecture.encode() + b"."), kind, value)
        for key, kind, value in file.metadata
    )
    added = tuple((f"{architecture}.{key}".encode(), *row) for key, row in metadata.items())
    kept = [row for row in file.tensors if not any(part.encode() in row.name for part in without)]
    more = [Tensor(name.encode(), shape) for name, shape in tensors.items()]
    return replace(file, metadata=renamed + added, tensors=(*kept, *more))


LAST = b"blk.0.ffn_down.weight"


def zip_file() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("model.gguf", sound().written())
    return packed.getvalue()


def sizes_that_wrap() -> File:
    """CVE-2025-53630: padded sizes of tensors whose sum passes 2^64 and comes out small."""
    huge = Tensor(b"huge", (1 << 61,), bytes=0)
    return replace(
        sound(), tensors=(*(replace(huge, name=b"%d" % n, offset=n << 63) for n in range(2)),)
    )


def count_that_wraps() -> File:
    """CVE-2026-27940: a number of tensors that times the size of a record passes 2^64."""
    return replace(sound(), tensor_count=(1 << 64) // 368 + 1)


def dimensions_that_wrap() -> File:
    """CVE-2026-33298: dimensions whose product of bytes is 2^64 + 128, "128 bytes"."""
    return sound().with_tensor(LAST, dimensions=(WIDTH, (1 << 57) + 1), bytes=128)


def tensor_beyond_the_file() -> File:
    """CVE-2026-7482: a tensor that claims more bytes than the file has."""
    return sound().with_tensor(LAST, dimensions=(WIDTH, 1 << 20), bytes=4096)


def _without(tensor: bytes) -> File:
    kept = tuple(row for row in sound().tensors if row.name != tensor)
    return replace(sound(), tensors=kept)


def _valued(key: str, kind: int, value: object) -> File:
    return sound().with_value(key.encode(), kind, value)


def _of(architecture: str, key: str, kind: int, value: object) -> Callable[[], File]:
    """A sound file of the architecture with one value that is not."""
    name = f"{architecture}.{key}".encode()
    return lambda: sound_of(architecture).with_value(name, kind, value)


def _doubled_metadata() -> File:
    return replace(sound(), metadata=(*sound().metadata, sound().metadata[1]))


def _extra_tensor(name: bytes) -> File:
    return replace(sound(), tensors=(*sound().tensors, Tensor(name, (WIDTH,))))


def _scalars(*kinds: tuple[int, object]) -> bytes:
    return b"".join(struct.pack(LAYOUTS[kind], value) for kind, value in kinds)


HOSTILE: dict[str, tuple[Callable[[], bytes | File], str]] = {
    "empty": (lambda: b"", "empty_file"),
    "zip": (zip_file, "not_gguf"),
    "html": (lambda: b"\n<!DOCTYPE html><html><body>404</body></html>", "not_gguf"),
    "text": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "not_gguf"),
    "noise": (lambda: bytes(range(256)), "not_gguf"),
    "magic only": (lambda: b"GGUF", "truncated"),
    "cut in the header": (lambda: sound().written()[:300], "truncated"),
    "cut in the data": (lambda: sound().written()[:-100], "truncated"),
    "version 1": (lambda: replace(sound(), version=1), "gguf_version"),
    "big endian": (lambda: replace(sound(), version=3 << 24), "gguf_version"),
    "sizes that wrap (CVE-2025-53630)": (sizes_that_wrap, "truncated"),
    "count that wraps (CVE-2026-27940)": (count_that_wraps, "broken_header"),
    "dimensions that wrap (CVE-2026-33298)": (dimensions_that_wrap, "truncated"),
    "tensor beyond the file (CVE-2026-7482)": (tensor_beyond_the_file, "truncated"),
    "metadata count": (lambda: replace(sound(), metadata_count=1 << 63), "broken_header"),
    "no tensors": (lambda: replace(sound(), tensors=()), "broken_header"),
    "string length": (
        lambda: _valued("a", STRING, Raw(b"\xff" * 8)),
        "broken_header",
    ),
    "key length": (lambda: _valued("a" * 300, U8, 1), "broken_header"),
    "key no text": (lambda: sound().with_value(b"\xff", U8, 1), "broken_header"),
    "value type": (lambda: _valued("a", 77, Raw(b"")), "broken_header"),
    "array count": (
        lambda: _valued("a", ARRAY, Raw(_scalars((U32, U8), (U64, 1 << 63)))),
        "broken_header",
    ),
    "array of strings count": (
        lambda: _valued("a", ARRAY, Raw(_scalars((U32, STRING), (U64, 1 << 61)))),
        "broken_header",
    ),
    "array in array": (
        lambda: _valued("a", ARRAY, Raw(_scalars((U32, ARRAY), (U64, 1), (U32, U8), (U64, 0)))),
        "broken_header",
    ),
    "truth of 2": (lambda: _valued("a", BOOL, Raw(b"\2")), "broken_header"),
    "key twice": (_doubled_metadata, "broken_header"),
    "tensor twice": (lambda: _extra_tensor(LAST), "broken_header"),
    "tensor without name": (lambda: _extra_tensor(b""), "broken_header"),
    "no dimensions": (lambda: sound().with_tensor(LAST, dimensions=(), bytes=0), "broken_header"),
    "nine dimensions": (
        lambda: sound().with_tensor(LAST, dimensions=(1,) * 9),
        "broken_header",
    ),
    "dimension of 0": (lambda: sound().with_tensor(LAST, dimensions=(WIDTH, 0)), "broken_header"),
    "half a block": (
        lambda: sound().with_tensor(LAST, dimensions=(33, 2), type=TYPE_Q4_0),
        "broken_header",
    ),
    "overlap": (lambda: sound().with_tensor(LAST, offset=0), "broken_header"),
    "gap": (lambda: sound().with_tensor(LAST, offset=1 << 20), "broken_header"),
    "offset beyond 2^63": (lambda: sound().with_tensor(LAST, offset=1 << 63), "broken_header"),
    "bytes behind the end": (lambda: replace(sound(), tail=b"x" * 99), "broken_header"),
    "alignment 0": (lambda: _valued("general.alignment", U32, 0), "broken_header"),
    "alignment 3": (lambda: _valued("general.alignment", U32, 3), "broken_header"),
    "alignment 2^31": (lambda: _valued("general.alignment", U32, 1 << 31), "broken_header"),
    "alignment a text": (lambda: _valued("general.alignment", STRING, b"32"), "broken_header"),
    "unknown architecture": (
        lambda: _valued("general.architecture", STRING, b"mamba"),
        "unknown_architecture",
    ),
    "architecture a path": (
        lambda: _valued("general.architecture", STRING, b"../plan"),
        "unknown_architecture",
    ),
    "architecture a number": (lambda: _valued("general.architecture", U32, 1), "broken_header"),
    "mixture of experts": (
        lambda: _valued("llama.expert_count", U32, 8),
        "unknown_architecture",
    ),
    "a type of nobody": (
        lambda: sound().with_tensor(LAST, type=TYPE_OF_NOBODY),
        "unknown_type",
    ),
    "a type without kernels": (
        lambda: sound(256).with_tensor(LAST, type=TYPE_IQ4_XS, bytes=136 * 256),
        "unknown_type",
    ),
    "tensor missing": (lambda: _without(b"blk.0.attn_k.weight"), "missing_tensor"),
    "embedding missing": (lambda: _without(b"token_embd.weight"), "missing_tensor"),
    "tensor too many": (lambda: _extra_tensor(b"blk.0.attn_q_norm.weight"), "unexpected_tensor"),
    "tensor misshapen": (
        lambda: sound().with_tensor(b"blk.0.attn_q.weight", dimensions=(WIDTH, 2 * WIDTH)),
        "wrong_shape",
    ),
    "norm misshapen": (
        lambda: sound().with_tensor(b"blk.0.attn_norm.weight", dimensions=(WIDTH // 2,)),
        "wrong_shape",
    ),
    "more layers than tensors": (lambda: _valued("llama.block_count", U32, 2), "missing_tensor"),
    "a billion layers": (lambda: _valued("llama.block_count", U32, 10**9), "broken_header"),
    "no heads": (lambda: _valued("llama.attention.head_count", U32, 0), "broken_header"),
    "heads that do not divide": (
        lambda: _valued("llama.attention.head_count_kv", U32, 3),
        "wrong_shape",
    ),
    "epsilon no number": (
        lambda: _valued("llama.attention.layer_norm_rms_epsilon", F32, float("nan")),
        "broken_header",
    ),
    "rope base endless": (
        lambda: _valued("llama.rope.freq_base", F32, float("inf")),
        "broken_header",
    ),
    "rope base 1": (lambda: _valued("llama.rope.freq_base", F32, 1.0), "broken_header"),
    "rope factor 0": (_of("qwen3", "rope.scaling.factor", F32, 0.0), "broken_header"),
    "rope factor no number": (
        _of("qwen3", "rope.scaling.factor", F32, float("nan")),
        "broken_header",
    ),
    "rope scaling of nobody": (
        _of("qwen3", "rope.scaling.type", STRING, b"spiral"),
        "unknown_architecture",
    ),
    "yarn from no context": (
        _of("qwen3", "rope.scaling.original_context_length", U32, 0),
        "broken_header",
    ),
    "yarn beta 0": (_of("qwen3", "rope.scaling.yarn_beta_slow", F32, 0.0), "broken_header"),
    "rope amplitude endless": (
        _of("phi3", "rope.scaling.attn_factor", F32, float("inf")),
        "broken_header",
    ),
    "long factors only": (
        lambda: replace(
            sound_of("phi3"),
            tensors=tuple(row for row in sound_of("phi3").tensors if b"short" not in row.name),
        ),
        "missing_tensor",
    ),
    "rope factors misshapen": (
        lambda: sound_of("phi3").with_tensor(b"rope_factors_short.weight", dimensions=(9,)),
        "wrong_shape",
    ),
    "window beyond any context": (
        _of("gemma3", "attention.sliding_window", U32, (1 << 32) - 1),
        "broken_header",
    ),
    "window pattern 0": (
        _of("gemma3", "attention.sliding_window_pattern", U32, 0),
        "broken_header",
    ),
    "capped logits": (
        _of("gemma3", "final_logit_softcapping", F32, 30.0),
        "unknown_architecture",
    ),
    "multiplier 0": (_of("granite", "logit_scale", F32, 0.0), "broken_header"),
    "multiplier no number": (
        _of("granite", "attention.scale", F32, float("nan")),
        "broken_header",
    ),
    "rope switch a number": (_of("granite", "rope.scaling.finetuned", U32, 1), "broken_header"),
    "head norm misshapen": (
        lambda: sound_of("qwen3").with_tensor(b"blk.0.attn_k_norm.weight", dimensions=(8,)),
        "wrong_shape",
    ),
    "post norm misshapen": (
        lambda: sound_of("gemma3").with_tensor(b"blk.0.post_ffw_norm.weight", dimensions=(8,)),
        "wrong_shape",
    ),
    "stacked gate misshapen": (
        lambda: sound_of("phi3").with_tensor(b"blk.0.ffn_up.weight", dimensions=(WIDTH, WIDTH)),
        "wrong_shape",
    ),
    "odd rope": (lambda: _valued("llama.rope.dimension_count", U32, 7), "wrong_shape"),
    "tokens of another number": (
        lambda: _valued("tokenizer.ggml.tokens", ARRAY, (STRING, [b"a"])),
        "wrong_shape",
    ),
    "tokens no texts": (
        lambda: _valued("tokenizer.ggml.tokens", ARRAY, (U32, [1] * VOCABULARY)),
        "broken_header",
    ),
    "special token no text": (
        lambda: _valued("tokenizer.ggml.tokens", ARRAY, (STRING, [b"\xff"] * VOCABULARY)),
        "broken_header",
    ),
    "end token out of range": (
        lambda: _valued("tokenizer.ggml.eos_token_id", U32, VOCABULARY),
        "broken_header",
    ),
    "unknown tokenizer": (
        lambda: _valued("tokenizer.ggml.model", STRING, b"rwkv"),
        "unknown_tokenizer",
    ),
    "endless template": (
        lambda: _valued("tokenizer.chat_template", STRING, b"x" * (1 << 20)),
        "broken_header",
    ),
}


def hostile_file(name: str) -> bytes:
    """The bytes of the wrong file of that name."""
    made = HOSTILE[name][0]()
    return made.written() if isinstance(made, File) else made
