"""How much work one answer token is: what a model's speed on a machine follows from.

Each token multiplies every weight once, and a weight costs what its packed type costs to unpack
and to read (docs/measurements.md, "Quantisation types", one token). Knows no machine.
"""

from onglet.engine.program_table import TYPES

COSTS = {  # of one weight, in weights of Q4_1
    "Q4_0": 0.8,
    "Q4_1": 1.0,
    "Q4_K": 1.0,
    "Q5_0": 1.1,
    "Q5_1": 1.2,
    "Q5_K": 1.2,
    "Q8_0": 1.5,
    "Q2_K": 1.5,
    "Q3_K": 1.2,
    "Q6_K": 1.5,
    "IQ4_NL": 1.4,
    "MXFP4": 1.2,
    "F16": 3.0,
    "BF16": 3.0,
    "F32": 6.0,
}
NAMES = {number: name for name, (number, _) in TYPES.items()}
EMBEDDING, HEAD = "token_embd.weight", "output.weight"


def work(weights: list[dict]) -> float:
    """Weights of Q4_1 that one token is worth. `weights`: rows of a program (name, type, rows,
    columns). A table of embeddings that is not the head too is looked up, not multiplied."""
    untied = any(weight["name"] == HEAD for weight in weights)
    return sum(
        weight["rows"] * weight["columns"] * COSTS[NAMES[weight["type"]]]
        for weight in weights
        if not (untied and weight["name"] == EMBEDDING)
    )
