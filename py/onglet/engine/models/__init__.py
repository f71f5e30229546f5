"""One file an architecture, named like `general.architecture` in a GGUF; found by that name.

All are imported at once: the start-up snapshot holds modules, but no files to import later.
"""

import importlib
import pkgutil

from onglet.engine.errors import Refused
from onglet.engine.gguf import Header
from onglet.engine.plan import Plan

ARCHITECTURES = {
    module.name: importlib.import_module(f"{__name__}.{module.name}")
    for module in pkgutil.iter_modules(__path__)
}


def plan_for(header: Header) -> Plan:
    """The plan of a model file. Raises Refused: unknown architecture, or not as the file says."""
    architecture = header.text("general.architecture", limit=64)
    if architecture not in ARCHITECTURES:
        raise Refused("unknown_architecture", architecture=architecture)
    plan = ARCHITECTURES[architecture].plan(header)
    plan.check()
    return plan
