"""The tests of the `onnx` package: a small graph for each way to use an operator, with inputs and
the outputs that the package's authors say are right."""

import functools
import importlib
import io
import pkgutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
from onnx import TensorProto
from onnx.backend.test.case import node
from onnx.backend.test.case.test_case import TestCase
from onnx.numpy_helper import to_array

PLAIN = "?bhilqBHILQefdOU"  # kinds of NumPy that travel; bfloat16 and the like are no NumPy

NOTHING = np.zeros(0, "V1")


def modules() -> list[str]:
    """Names of the files that hold the cases, about one an operator."""
    return sorted(found.name for found in pkgutil.iter_modules(node.__path__))


@functools.cache
def cases_of(name: str) -> list[TestCase]:
    """The cases of one file; importing it makes them, once."""
    first = len(node._NodeTestCases)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they overflow and divide by zero on purpose
        importlib.import_module(f"{node.__name__}.{name}")
    return node._NodeTestCases[first:]


def write(target: Path, wanted: list[str]) -> list[str]:
    """Writes the cases of these files to a ZIP: NAME.onnx, NAME.npz (`in 0.0`, `out 0.0`: data set
    and place; `near`: relative and absolute tolerance). Returns their names."""
    cases = [each for name in wanted for each in cases_of(name)]
    with zipfile.ZipFile(target, "w") as archive:
        for each in cases:
            archive.writestr(f"{each.name}.onnx", each.model.SerializeToString())
            archive.writestr(f"{each.name}.npz", stored(each))
    return [each.name for each in cases]


def stored(case: TestCase) -> bytes:
    arrays = {"near": np.array([case.rtol, case.atol])}
    for number, (given, wanted) in enumerate(case.data_sets):
        for kind, values in (("in", given), ("out", wanted)):
            for place, value in enumerate(values):
                arrays[f"{kind} {number}.{place}"] = plain(value)
    made = io.BytesIO()
    np.savez(made, **arrays)
    return made.getvalue()


def plain(value) -> np.ndarray:
    """A tensor; an empty one stands for what is none (a sequence, a type that NumPy lacks)."""
    if isinstance(value, (list, dict)) or value is None:
        return NOTHING
    array = to_array(value) if isinstance(value, TensorProto) else np.asarray(value)
    return array if array.dtype.char in PLAIN else NOTHING
