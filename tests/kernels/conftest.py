"""Fixtures: every machine the kernels run on, built once for each state of the sources."""

import os
from pathlib import Path

import machines
import pytest

from onglet_build import kernels, steps
from onglet_build.places import BUILD

# Random cases for each test on each machine; `build.py check --full` takes more.
CASES = 200 if os.environ.get("ONGLET_FULL") else 6
WASM = [f"wasm-{variant}" for variant in kernels.VARIANTS]
NATIVE = [f"native-{dot}" for dot in kernels.DOTS]


@pytest.fixture(scope="session")
def build_folder() -> Path:
    key = steps.key_of([kernels.SOURCES, Path(kernels.__file__)])
    folder = BUILD / "kernel_tests" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def start(name: str, folder: Path):
    """A machine with no memory yet; ended after the test, which sees what the sanitizers say."""
    kind, _, variant = name.partition("-")
    make = machines.wasm if kind == "wasm" else machines.native
    running = make(variant, folder)
    yield running
    running.close()


@pytest.fixture(params=WASM + NATIVE)
def machine(request, build_folder):
    yield from start(request.param, build_folder)


@pytest.fixture(params=WASM)
def wasm(request, build_folder):
    yield from start(request.param, build_folder)


@pytest.fixture(params=NATIVE)
def native(request, build_folder):
    yield from start(request.param, build_folder)


@pytest.fixture(params=[1, 2], ids=["1 thread", "2 threads"])
def threads(request) -> int:
    return request.param


@pytest.fixture(params=range(CASES))
def case(request) -> int:
    """The seed of a random case."""
    return request.param
