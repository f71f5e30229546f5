"""Takes the two models that read text in pictures out of their package, and makes the one that
reads lines smaller: of its 18,708 characters 16,000 are ideographs and most others pictograms,
which cost 9 of 21 MB. What European texts are written with stays.
"""

from pathlib import Path

import numpy as np
from onnx import GraphProto, TensorProto, helper, load, numpy_helper

from . import vendor

PACKAGE = "rapidocr"
FINDER, READER = "PP-OCRv6_det_small", "PP-OCRv6_rec_small"
CHARACTERS = "characters.txt"
HEAD = ("linear_8.w_0", "linear_8.b_0")  # (120, classes) and (classes,)
KEPT = (
    (0x20, 0x17F),  # Latin
    (0x218, 0x21B),  # and its Romanian letters
    (0x391, 0x3C9),  # Greek
    (0x2010, 0x203A),  # punctuation
    (0x2070, 0x209C),  # raised and lowered digits
    (0x20A0, 0x20BF),  # currencies
    (0x2116, 0x2122),  # numero, trade mark
    (0x2190, 0x2195),  # arrows
    (0x2200, 0x22A5),  # mathematics
    (0x25A0, 0x25CF),  # bullets and boxes
    (0x2610, 0x2612),
    (0x2713, 0x2718),  # ticks
)


def source() -> Path:
    """The vendored models' folder."""
    return vendor.package(PACKAGE).folder / "rapidocr" / "models"


def build(into: Path) -> dict:
    """Writes both graphs, the same bytes at each build, and the characters (one after the other,
    the first has the number 1)."""
    (into / f"{FINDER}.onnx").write_bytes((source() / f"{FINDER}.onnx").read_bytes())
    model = load(source() / f"{READER}.onnx")
    (known,) = (row.value for row in model.metadata_props if row.key == "character")
    # The first class stands between characters, the last is a space.
    known = ["", *known.removesuffix("\n").split("\n"), " "]
    kept = [number for number, character in enumerate(known) if is_kept(character)]
    (into / CHARACTERS).write_text("".join(known[number] for number in kept))
    model.ClearField("metadata_props")
    narrow(model.graph, kept)
    likeliest(model.graph)
    (into / f"{READER}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    return {}


def is_kept(character: str) -> bool:
    return not character or any(first <= ord(character) <= last for first, last in KEPT)


def narrow(graph: GraphProto, kept: list[int]) -> None:
    """Leaves only some classes."""
    del graph.value_info[:]  # sizes from before
    for tensor in graph.initializer:
        if tensor.name in HEAD:
            whole = numpy_helper.to_array(tensor)
            part = np.ascontiguousarray(whole[..., kept])
            tensor.CopyFrom(numpy_helper.from_array(part, tensor.name))


def likeliest(graph: GraphProto) -> None:
    """Replaces the output (lines, places, classes) by the class that is likeliest at each place,
    `characters`, and how likely it is, `chances`: less to carry between workers."""
    (every,) = graph.output
    made = (("ArgMax", "characters", {"axis": 2}), ("ReduceMax", "chances", {"axes": [2]}))
    for operator, name, given in made:
        node = helper.make_node(operator, [every.name], [name], keepdims=0, **given)
        graph.node.append(node)
    del graph.output[:]
    kinds = {"characters": TensorProto.INT64, "chances": TensorProto.FLOAT}
    for name, kind in kinds.items():
        graph.output.append(helper.make_tensor_value_info(name, kind, ["lines", "places"]))


def facts(built: Path, folder: str) -> dict:
    """The rows of the table of graphs; `folder` is where the site has what was built."""
    rows = {}
    for name in (FINDER, READER):
        path = built / f"{name}.onnx"
        rows[name] = {"path": folder + path.name, "sha256": vendor.sha256_of(path)}
        rows[name] |= {"bytes": path.stat().st_size, "licence": vendor.package(PACKAGE).licence}
    rows[READER]["characters"] = folder + CHARACTERS
    return rows
