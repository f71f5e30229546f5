"""The words of a program, by name: what wasm_kernels/program.h says in C (a test compares them).

Every field is one 32-bit word. Knows nothing of how a program is made or run.
"""

FORMAT = 1
ROWS, BLOCK, TILE, SPLIT, PARTS = 8, 32, 4, 128, 3
OPERATION_WORDS = 32
RECENT_LIMIT = 4096

# Type: number in GGUF files, bytes of a packed block of 8 rows x 32 columns (blocks.h).
TYPES = {
    "F32": (0, 1024),
    "F16": (1, 512),
    "Q4_0": (2, 144),
    "Q4_1": (3, 160),
    "Q5_0": (6, 176),
    "Q5_1": (7, 192),
    "Q8_0": (8, 272),
    "Q2_K": (10, 112),
    "Q3_K": (11, 128),
    "Q4_K": (12, 160),
    "Q5_K": (13, 192),
    "Q6_K": (14, 224),
    "IQ4_NL": (20, 144),
    "BF16": (30, 512),
    "MXFP4": (39, 144),
}
ACTIVATIONS = {None: 0, "silu_gated": 1, "gelu_gated": 2, "gelu": 3}
POOLINGS = {"mean": 0, "first": 1}
PATTERNS = {"plain": 0, "gate": 1, "up": 2, "vector": 3}

# The structs of wasm_kernels/program.h, field by field: every field is one word.
PLACES = ("bytes", "pairs", "floats", "scales", "sums", "weighted", "extras")
HEADER = (
    *("format", "operations", "count", "position", "logits_rows"),
    *("logits_limit", "tokens", "logits"),
    *("vocabulary", "context", "chunk", "control", "sampler", "recent", "seen", "candidates"),
    *("own_stride", "own_values", "own_panel", "own_panel_scales", "own_queries", "own_scores"),
    "own_outputs",
    *(f"own.{place}" for place in PLACES),
    *(f"shared.{place}" for place in PLACES),
)
PART = ("weight", "type", "blocks")
NORM = ("weight", "bias", "epsilon", "centred")
_NORM = tuple(f"norm.{name}" for name in NORM)
OPERATIONS = {
    "embed": (
        1,
        (
            *("kind", "weight", "type", "columns", "output", "scale"),
            *("positions", "positions_type", "types", "types_type"),
        ),
    ),
    "angles": (2, ("kind", "pairs", "factors", "frequencies", "table", "amplitude")),
    "project": (
        3,
        (
            *("kind", "input", "columns", *_NORM, "parts"),
            *(f"part{number}.{name}" for number in range(PARTS) for name in PART),
            *("biases", "activation", "residual", "output", "width", "scale", "last_rows"),
            *("partials", "heads", "head_size", "window"),
        ),
    ),
    "attend": (
        4,
        (
            *("kind", "input", "output", "heads", "kv_heads", "head_size", "scale", "halves"),
            *("pairs", "angles", "keys", "values", "capacity", "window", "partials"),
            *("q_norm", "k_norm", "epsilon", "of_all_heads", "all"),
        ),
    ),
    "add": (5, ("kind", "input", *_NORM, "residual", "output", "columns")),
    "pool": (6, ("kind", "input", "output", "columns", "pooling")),
}
