"""Names that Bokeh and Panel import but that a chat page never computes with: the types of NumPy,
`PIL.Image.Image`, and Panel's own Pyodide bridge, whose work `document.py` does.

They let Panel start without one binary package, which is what makes a snapshot possible. They
calculate nothing. There is no placeholder of pandas: Panel looks for it in sys.modules and would
then ask for its DataFrame.
"""

import sys
from types import ModuleType

SCALARS = {
    "generic": "object",
    "number": "generic",
    "integer": "number",
    "signedinteger": "integer",
    "unsignedinteger": "integer",
    "floating": "number",
    "complexfloating": "number",
    "bool_": "generic",
    "datetime64": "generic",
    "timedelta64": "signedinteger",
    **{f"int{bits}": "signedinteger" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": "unsignedinteger" for bits in (8, 16, 32, 64)},
    **{f"float{bits}": "floating" for bits in (16, 32, 64)},
    **{f"complex{bits}": "complexfloating" for bits in (64, 128)},
}


class Dtype:
    """Stands for numpy.dtype: dtypes of one type are equal, as Bokeh's tables of them expect."""

    def __init__(self, kind: object) -> None:
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dtype) and self.kind == other.kind

    def __hash__(self) -> int:
        return hash(self.kind)


def scalar_type(name: str, parent: type) -> type:
    """A scalar may be made (Bokeh makes constants of some) but holds nothing."""
    return type(name, (parent,), {"__module__": "numpy", "__init__": lambda self, *_: None})


def numpy_types() -> dict[str, object]:
    types: dict[str, object] = {"object": object}
    for name, parent in SCALARS.items():
        types[name] = scalar_type(name, types[parent])
    del types["object"]
    return types | {
        "dtype": Dtype,
        "ndarray": type("ndarray", (), {"__module__": "numpy"}),
        "ufunc": type("ufunc", (), {"__module__": "numpy"}),
        "nan": float("nan"),
        "inf": float("inf"),
        "issubdtype": lambda kind, parent: isinstance(kind, type) and issubclass(kind, parent),
        "isscalar": lambda value: isinstance(value, (int, float, complex, str, bytes)),
    }


def panel_bridge() -> dict[str, object]:
    """What the rest of Panel imports from panel.io.pyodide."""

    def serve(*_: object, **__: object) -> None:
        raise RuntimeError("A page in a browser tab serves nobody.")

    return {"serve": serve, "_IN_WORKER": True, "_IN_PYSCRIPT_WORKER": False}


def add_module(name: str, contents: dict[str, object]) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(contents)
    sys.modules[name] = module
    return module


def install() -> None:
    """Puts the placeholders into sys.modules; call it before Bokeh or Panel are imported."""
    numpy = add_module("numpy", numpy_types() | {"__version__": "2.4.3", "__path__": []})
    numpy.ma = add_module("numpy.ma", {"MaskedArray": type("MaskedArray", (numpy.ndarray,), {})})
    pillow = add_module("PIL", {"__path__": []})
    image = type("Image", (), {"__module__": "PIL.Image"})
    pillow.Image = add_module("PIL.Image", {"Image": image})
    add_module("panel.io.pyodide", panel_bridge())
