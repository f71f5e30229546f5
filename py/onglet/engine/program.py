"""Lowers a plan to a program: the words that the C kernels walk, and the place of every byte.

Pure Python and deterministic: the same words run natively, under wasmtime and in the browser
(docs/protocols.md section 2). Knows no kernel's inside beyond the sizes of what it lays out.
"""

import struct
from dataclasses import dataclass, field

from onglet.engine.errors import Refused
from onglet.engine.plan import (
    GATED,
    Add,
    Attend,
    Embed,
    Logits,
    Norm,
    Plan,
    Pool,
    Project,
    of_all_heads,
)
from onglet.engine.program_table import (
    ACTIVATIONS,
    BLOCK,
    FORMAT,
    HEADER,
    OPERATION_WORDS,
    OPERATIONS,
    PATTERNS,
    PLACES,
    POOLINGS,
    RECENT_LIMIT,
    ROWS,
    SPLIT,
    TILE,
    TYPES,
)

CONTROL_BYTES = 4096
SAMPLER_BYTES = 64
STACK_BYTES = 64 * 1024
RING_BYTES = 16 * 1024 * 1024
WORDS_ADDRESS = 1024
MEMORY_LIMIT = 4 * 1024**3 - 64 * 1024
PAGE = 64 * 1024
LINE = 64  # every region begins on a cache line of its own, with an empty one before it


@dataclass(frozen=True)
class Program:
    memory_bytes: int
    context: int
    chunk: int
    vocabulary: int
    words_address: int
    words: tuple[int, ...]  # int32
    weights: tuple[dict, ...]  # sorted by source
    fields: dict[str, int]
    caches: tuple[dict, ...]  # of keys or values: address, heads, stride of a head, page_bytes
    regions: dict[str, tuple[int, int]] = field(repr=False)  # name -> address, bytes; for tests

    def to_dict(self) -> dict:
        """The program as JSON data, without the names of its regions."""
        return {
            "format": FORMAT,
            "memory_bytes": self.memory_bytes,
            "context": self.context,
            "chunk": self.chunk,
            "vocabulary": self.vocabulary,
            "words_address": self.words_address,
            "words": list(self.words),
            "weights": list(self.weights),
            "fields": self.fields,
            "caches": list(self.caches),
        }


class Layout:
    """Hands out linear memory from the bottom up."""

    def __init__(self):
        self.end = 0
        self.regions = {}

    def place(self, name: str, size: int) -> int:
        address = _rounded(self.end + LINE, LINE)
        self.regions[name] = (address, size)
        self.end = address + size
        return address


def lower(plan: Plan, tensors: dict, *, context: int, chunk: int, threads=8, logits_rows=1):
    """The program of a plan whose weights lie in a file as `tensors` (name -> gguf.Tensor) say.

    Raises Refused: too_big, unknown_type, wrong_shape.
    """
    return Lowering(plan, tensors, context, chunk, threads, logits_rows).program()


class Lowering:
    """One lowering on its way: the layout so far, the operations so far."""

    def __init__(self, plan, tensors, context, chunk, threads, logits_rows):
        self.plan, self.tensors = plan, tensors
        self.context, self.chunk = context, chunk
        self.threads, self.logits_rows = threads, logits_rows
        self.layout = Layout()
        self.header = dict.fromkeys(HEADER, 0)
        self.operations = []
        self.matrices = {}  # names of matrices side by side -> their parts
        self.weights = []
        self.caches = []
        self.tables = {}  # rope -> table of angles
        self.attended = {}  # buffer -> the Attend that leaves its parts there
        self.steps = list(plan.steps())

    def program(self) -> Program:
        self._place_words()
        self._place_shared()
        self._place_own()
        self.buffers = {
            name: self._floats(f"buffer {name}", self.chunk * self._buffer_width(name))
            for name in self.plan.buffers
            if name not in self._results()
        }
        self._place_partials()
        self._emit_angles()
        for number, (step, layer) in enumerate(self.steps):
            EMITTERS[type(step)](self, step, f"{number}", layer)
        ring = self.layout.place("ring", self._ring_bytes())
        memory_bytes = _rounded(self.layout.end + LINE, PAGE)
        if memory_bytes > MEMORY_LIMIT:
            raise Refused("too_big", need=memory_bytes, limit=MEMORY_LIMIT)
        fields = {
            name: WORDS_ADDRESS + 4 * HEADER.index(name)
            for name in ("count", "position", "logits_rows")
        }
        for name in ("tokens", "logits", "sampler", "recent"):
            fields[name] = self.header[name]
        fields |= {"ring": ring, "ring_bytes": self._ring_bytes()}
        fields |= {"stacks": self.layout.regions["stacks"][0], "stack_bytes": STACK_BYTES}
        return Program(
            memory_bytes=memory_bytes,
            context=self.context,
            chunk=self.chunk,
            vocabulary=self.plan.vocabulary,
            words_address=WORDS_ADDRESS,
            words=self._words(),
            weights=tuple(sorted(self.weights, key=lambda weight: weight["source"])),
            fields=fields,
            caches=tuple(self.caches),
            regions=self.layout.regions,
        )

    # ---- places ----

    def _floats(self, name: str, count: int) -> int:
        return self.layout.place(name, 4 * count)

    def _place_words(self) -> None:
        """The words come first, at a fixed address; their number is known before they are made."""
        attends = [step for step, _ in self.steps if isinstance(step, Attend)]
        self.ropes = {step.rope: None for step in attends if step.rope}
        count = len(HEADER) + OPERATION_WORDS * (len(self.steps) + len(self.ropes))
        self.frequencies = _rounded(WORDS_ADDRESS + 4 * count, 8)
        doubles = sum(rope.dimensions // 2 for rope in self.ropes)
        self.layout.end = WORDS_ADDRESS - LINE
        self.layout.place("words", self.frequencies + 8 * doubles - WORDS_ADDRESS)

    def _place_shared(self) -> None:
        plan, header, place = self.plan, self.header, self.layout.place
        header["format"] = FORMAT
        header["vocabulary"], header["context"], header["chunk"] = (
            plan.vocabulary,
            self.context,
            self.chunk,
        )
        header["control"] = place("control", CONTROL_BYTES)
        header["sampler"] = place("sampler", SAMPLER_BYTES)
        header["recent"] = place("recent", 4 * RECENT_LIMIT)
        header["seen"] = place("seen", plan.vocabulary // 8 + 1)
        header["candidates"] = place("candidates", 8 * plan.vocabulary)
        header["tokens"] = place("tokens", 4 * self.chunk)
        stride = _rounded(max([plan.vocabulary, *self._results().values()]), ROWS)
        header["logits_limit"] = max(1, self.logits_rows)
        header["logits"] = self._floats("logits", header["logits_limit"] * stride)
        place("stacks", STACK_BYTES * self.threads)
        tiles = _rounded(self.chunk, TILE) // TILE
        self._place_activation("shared", tiles * TILE * self._most_columns(), tiles)

    def _place_activation(self, prefix: str, values: int, tiles: int) -> None:
        """Room for `values` activations in so many tiles, and a second plane of each."""
        slots = 2 * values // BLOCK
        extras = tiles * (1 + self._most_columns() // BLOCK)
        sizes = (2 * values, 4 * values, 4 * values, 4 * slots, 4 * slots, 4 * slots, 4 * extras)
        for name, size in zip(PLACES, sizes, strict=True):
            self.header[f"{prefix}.{name}"] = self.layout.place(f"{prefix}.{name}", size)

    def _place_own(self) -> None:
        """Thread 0's scratch by name; the other threads' lie behind it at equal distances."""
        columns = self._most_columns()
        attends = [step for step, _ in self.steps if isinstance(step, Attend)]
        head = max((step.head_size for step in attends), default=0)
        begin, known = self.layout.end, set(self.layout.regions)
        sizes = {
            "own_values": 4 * TILE * columns,
            "own_panel": 2 * ROWS * columns,
            "own_panel_scales": 2 * 2 * 4 * ROWS * columns // BLOCK,
            "own_queries": 4 * TILE * head,
            "own_scores": 4 * TILE * SPLIT,
            "own_outputs": 2 * 4 * TILE * head,
        }
        for name, size in sizes.items():
            self.header[name] = self.layout.place(name, size)
        self._place_activation("own", columns, 1)
        stride = self.header["own_stride"] = _rounded(self.layout.end - begin + LINE, LINE)
        own = [name for name in self.layout.regions if name not in known]
        for thread in range(1, self.threads):
            for name in own:
                address, size = self.layout.regions[name]
                self.layout.regions[f"{name} {thread}"] = (address + thread * stride, size)
        self.layout.end = begin + self.threads * stride

    def _place_partials(self) -> None:
        splits = _rounded(self.context, SPLIT) // SPLIT
        sizes = [
            splits * step.heads * (step.head_size + 4)
            for step, _ in self.steps
            if isinstance(step, Attend)
        ]
        self.partials = self._floats("partials", max(sizes, default=0))

    def _most_columns(self) -> int:
        """Of what a thread prepares for itself: the input of a matrix, a norm, a row added."""
        readers = [step for step, _ in self.steps if isinstance(step, (Project, Logits, Add))]
        names = [step.input for step in readers]
        names += [step.output for step, _ in self.steps if isinstance(step, Embed)]
        return _rounded(max((self.plan.buffers[name] for name in names), default=BLOCK), BLOCK)

    def _results(self) -> dict[str, int]:
        """Buffers that whoever asked for the step reads, and their widths."""
        steps = [step for step, _ in self.steps if isinstance(step, (Logits, Pool))]
        return {step.output: self.plan.buffers[step.output] for step in steps}

    def _buffer_width(self, name: str) -> int:
        return self.plan.buffers[name]

    def _ring_bytes(self) -> int:
        """Room for at least four blocks of rows of the widest tensor."""
        row = max(weight["bytes"] // weight["rows"] for weight in self.weights)
        return max(RING_BYTES, _rounded(4 * ROWS * row, PAGE))

    # ---- weights ----

    def _vector(self, name: str | None) -> int:
        if name is None:
            return 0
        return self._matrix((name,), ("vector",))[0]["weight"]

    def _matrix(self, names: tuple[str, ...], patterns: tuple[str, ...]) -> list[dict]:
        """Places matrices side by side; those of one type in a row become one part."""
        if (names, patterns) not in self.matrices:
            self.matrices[names, patterns] = self._place_parts(names, patterns)
        return self.matrices[names, patterns]

    def _place_parts(self, names: tuple[str, ...], patterns: tuple[str, ...]) -> list[dict]:
        parts = []
        for tensor, pattern in self._parts_of(names, patterns):
            name = tensor.name
            code, block_bytes = self._kind(tensor, pattern)
            if pattern == "up":  # shares the blocks of its gate
                if parts[-1]["type"] != code:
                    raise Refused("unknown_type", type=tensor.type, tensor=name)
                self._add_weight(tensor, code, pattern, parts[-1]["weight"])
                continue
            blocks, size = _packed_size(tensor, pattern, block_bytes)
            address = self._beside(parts, code, name, size)
            self._add_weight(tensor, code, pattern, address)
            if parts and parts[-1]["type"] == code:
                parts[-1]["blocks"] += blocks
            else:
                parts.append({"weight": address, "type": code, "blocks": blocks})
        return parts

    def _parts_of(self, names: tuple[str, ...], patterns: tuple[str, ...]) -> list[tuple]:
        """The tensors with their patterns; gate and up stacked in one tensor are two."""
        tensors = [self.tensors[name] for name in names]
        if patterns == ("stacked",):
            half = tensors[0].rows // 2
            tensors = [tensors[0].part(0, half), tensors[0].part(half, half)]
            patterns = ("gate", "up")
        return list(zip(tensors, patterns, strict=True))

    def _beside(self, parts: list[dict], code: int, name: str, size: int) -> int:
        """Directly behind the last matrix when it has the same type, else anywhere."""
        if parts and parts[-1]["type"] == code:
            address = self.layout.end
            self.layout.regions[name] = (address, size)
            self.layout.end += size
            return address
        return self.layout.place(name, size)

    def _kind(self, tensor, pattern: str) -> tuple[int, int]:
        if tensor.type not in TYPES:
            raise Refused("unknown_type", type=tensor.type, tensor=tensor.name)
        if pattern == "vector":
            if tensor.type not in ("F32", "F16", "BF16") or tensor.rows != 1:
                raise Refused("unknown_type", type=tensor.type, tensor=tensor.name)
        elif tensor.columns % BLOCK:
            raise Refused("wrong_shape", tensor=tensor.name)
        return TYPES[tensor.type]

    def _add_weight(self, tensor, code: int, pattern: str, target: int) -> None:
        self.weights.append(
            {
                "name": tensor.name,
                "source": tensor.source,
                "bytes": tensor.bytes,
                "type": code,
                "rows": tensor.rows,
                "columns": tensor.columns,
                "target": target,
                "pattern": PATTERNS[pattern],
            }
        )

    # ---- operations ----

    def _emit(self, kind: str, **values) -> None:
        code, names = OPERATIONS[kind]
        values["kind"] = code
        unknown = set(values) - set(names)
        if unknown:
            raise KeyError(f"{kind} has no {unknown}")
        self.operations.append([values.get(name, 0) for name in names])

    def _emit_angles(self) -> None:
        frequencies = self.frequencies
        for number, rope in enumerate(self.ropes):
            pairs = rope.dimensions // 2
            table = self._floats(f"angles {number}", 2 * pairs * self.chunk)
            self.tables[rope] = table
            self._emit(
                "angles",
                pairs=pairs,
                factors=self._vector(rope.factors_in(self.context)),
                frequencies=frequencies,
                table=table,
                amplitude=_float_bits(rope.amplitude),
            )
            frequencies += 8 * pairs

    def _emit_embed(self, step: Embed, name: str, layer) -> None:
        (part,) = self._matrix((step.weight,), ("plain",))
        self._emit(
            "embed",
            weight=part["weight"],
            type=part["type"],
            columns=self.plan.buffers[step.output],
            output=self.buffers[step.output],
            scale=_float_bits(step.scale),
            **self._row_matrix("positions", step.positions),
            **self._row_matrix("types", step.types),
        )

    def _row_matrix(self, field: str, name: str | None) -> dict:
        """A matrix of which single rows are added."""
        if name is None:
            return {}
        (part,) = self._matrix((name,), ("plain",))
        return {field: part["weight"], f"{field}_type": part["type"]}

    def _emit_project(self, step: Project, name: str, layer) -> None:
        gated = step.activation in GATED
        if step.input == step.output:
            raise ValueError("a projection cannot write the buffer it reads")
        patterns = ("gate", "up") if gated else ("plain",) * len(step.weights)
        if gated and len(step.weights) == 1:
            patterns = ("stacked",)
        for weight in step.weights:
            if self.tensors[weight].rows % (ROWS // 2 if len(patterns) > 1 and gated else ROWS):
                raise Refused("wrong_shape", tensor=weight)
        self._emit(
            "project",
            **self._input(step),
            **self._parts(step.weights, patterns),
            biases=self._biases(step, gated, name),
            activation=ACTIVATIONS[step.activation],
            residual=self.buffers[step.residual] if step.residual else 0,
            output=self.buffers[step.output],
            width=self.plan.buffers[step.output],
            scale=_float_bits(step.scale),
        )

    def _emit_add(self, step: Add, name: str, layer) -> None:
        self._emit(
            "add",
            input=self.buffers[step.input],
            **self._norm(step.norm),
            residual=self.buffers[step.residual] if step.residual else 0,
            output=self.buffers[step.output],
            columns=self.plan.buffers[step.input],
        )

    def _emit_logits(self, step: Logits, name: str, layer) -> None:
        self._emit(
            "project",
            **self._input(step),
            **self._parts((step.weight,), ("plain",)),
            output=self.header["logits"],
            width=_rounded(self.plan.vocabulary, ROWS),
            scale=_float_bits(step.scale),
            last_rows=1,
        )

    def _emit_pool(self, step: Pool, name: str, layer) -> None:
        self._emit(
            "pool",
            input=self.buffers[step.input],
            output=self.header["logits"],
            columns=self.plan.buffers[step.input],
            pooling=POOLINGS[step.kind],
        )

    def _norm(self, norm: Norm | None) -> dict:
        if norm is None:
            return {}
        return {
            "norm.weight": self._vector(norm.weight),
            "norm.bias": self._vector(norm.bias),
            "norm.epsilon": _float_bits(norm.epsilon),
            "norm.centred": int(norm.kind == "layer"),
        }

    def _input(self, step) -> dict:
        values = {
            "input": self.buffers[step.input],
            "columns": self.plan.buffers[step.input],
            **self._norm(step.norm),
        }
        attend = self.attended.get(step.input)
        if attend:
            values |= {"partials": self.partials, "window": attend.window or 0}
            values |= {"heads": attend.heads, "head_size": attend.head_size}
        return values

    def _parts(self, names: tuple[str, ...], patterns: tuple[str, ...]) -> dict:
        parts = self._matrix(names, patterns)
        values = {"parts": len(parts)}
        for number, part in enumerate(parts):
            values |= {f"part{number}.{name}": value for name, value in part.items()}
        return values

    def _biases(self, step: Project, gated: bool, name: str) -> int:
        """The biases side by side; where a weight has none, memory stays zero."""
        if not step.biases:
            return 0
        if gated:
            raise Refused("wrong_shape", tensor=next(bias for bias in step.biases if bias))
        rows = [self.tensors[weight].rows for weight in step.weights]
        address = target = self._floats(f"biases {name}", sum(rows))
        for bias, count in zip(step.biases, rows, strict=True):
            if bias:
                code, _ = self._kind(self.tensors[bias], "vector")
                self._add_weight(self.tensors[bias], code, "vector", target)
            target += 4 * count
        return address

    def _emit_attend(self, step: Attend, name: str, layer) -> None:
        if step.head_size % ROWS:
            raise Refused("wrong_shape", tensor=step.input)
        self.attended = {step.output: step}
        capacity = _rounded(self.context, SPLIT)
        size = 2 * step.kv_heads * capacity * step.head_size
        self._emit(
            "attend",
            input=self.buffers[step.input],
            output=self.buffers[step.output],
            heads=step.heads,
            kv_heads=step.kv_heads,
            head_size=step.head_size,
            scale=_float_bits(step.scale),
            halves=int(step.rope is not None and step.rope.pairing == "halves"),
            pairs=step.rope.dimensions // 2 if step.rope else 0,
            angles=self.tables[step.rope] if step.rope else 0,
            keys=self._place_cache(f"keys {name}", size, step),
            values=self._place_cache(f"values {name}", size, step),
            capacity=capacity,
            window=step.window or 0,
            partials=self.partials,
            **self._head_norms(step),
            all=int(not step.causal),
        )

    def _place_cache(self, name: str, size: int, step: Attend) -> int:
        """Keys and values alike lie head after head, each in pages of SPLIT positions."""
        address = self.layout.place(name, size)
        page_bytes = 2 * SPLIT * step.head_size
        cache = {"address": address, "heads": step.kv_heads, "stride": size // step.kv_heads}
        self.caches.append({**cache, "page_bytes": page_bytes})
        return address

    def _head_norms(self, step: Attend) -> dict:
        norms = [norm for norm in (step.q_norm, step.k_norm) if norm]
        return {
            "q_norm": self._vector(step.q_norm and step.q_norm.weight),
            "k_norm": self._vector(step.k_norm and step.k_norm.weight),
            "epsilon": _float_bits(norms[0].epsilon if norms else 0.0),
            "of_all_heads": int(of_all_heads(self.plan, step)),
        }

    def _words(self) -> tuple[int, ...]:
        self.header["operations"] = len(self.operations)
        words = [self.header[name] for name in HEADER]
        for operation in self.operations:
            words += operation + [0] * (OPERATION_WORDS - len(operation))
        words += [0] * ((self.frequencies - WORDS_ADDRESS) // 4 - len(words))
        for rope in self.ropes:
            doubles = rope.frequencies()
            packed = struct.pack(f"<{len(doubles)}d", *doubles)
            words += struct.unpack(f"<{2 * len(doubles)}i", packed)
        return tuple(word - (1 << 32) if word >= 1 << 31 else word for word in words)


EMITTERS = {
    Embed: Lowering._emit_embed,
    Project: Lowering._emit_project,
    Attend: Lowering._emit_attend,
    Add: Lowering._emit_add,
    Logits: Lowering._emit_logits,
    Pool: Lowering._emit_pool,
}


def _packed_size(tensor, pattern: str, block_bytes: int) -> tuple[int, int]:
    """Blocks of 8 rows (a gate is counted with its up), bytes."""
    if pattern == "vector":
        return 0, 4 * tensor.columns
    lanes = ROWS // 2 if pattern == "gate" else ROWS
    blocks = -(-tensor.rows // lanes)
    return blocks, blocks * (tensor.columns // BLOCK) * block_bytes


def _rounded(value: int, step: int) -> int:
    return -(-value // step) * step


def _float_bits(value: float) -> int:
    return struct.unpack("<i", struct.pack("<f", value))[0]
