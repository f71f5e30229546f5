"""Compiles wasm_kernels/*.c: two WASM modules for the site, native programs for the tests.

Knows compilers and their switches, nothing of what the kernels compute.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from .places import ROOT

SOURCES = ROOT / "wasm_kernels"
FILES = ("run", "threads", "project", "matvec", "matmul", "attention", "elementwise", "repack")
FILES += ("sample", "unpack")
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# The same bits everywhere: no fused multiply-add. Layouts are read through differing types.
ARITHMETIC = ["-ffp-contract=off", "-fno-strict-aliasing"]
WASM = [
    *("-target", "wasm32-freestanding", "-O3", "-msimd128", "-matomics", "-mbulk-memory"),
    *("-mmutable-globals", "-fno-jump-tables", "-fno-stack-protector", "-fno-sanitize=all"),
    *(
        "-nostdlib",
        "-Wl,--no-entry",
        "-Wl,--import-memory",
        "-Wl,--shared-memory",
        "-Wl,--strip-all",
    ),
    *("-Wl,--max-memory=4294901760", "-Wl,--export=__stack_pointer"),
]
VARIANTS = {"relaxed": ["-mrelaxed-simd"], "plain": []}
DOTS = ("none", "signed", "unsigned", "saturating")
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def build(folder: Path) -> dict:
    """Writes kernels-relaxed.wasm and kernels-plain.wasm into the folder; returns their sizes."""
    return {variant: build_wasm(variant, folder) for variant in VARIANTS}


def build_wasm(variant: str, folder: Path) -> int:
    """Compiles one WASM variant; returns its bytes. Raises CalledProcessError."""
    path = folder / f"kernels-{variant}.wasm"
    switches = [*WASM, *VARIANTS[variant], *WARNINGS, *ARITHMETIC]
    _run([*_zig(), *switches, *_sources(), "-o", str(path)])
    if _has_data(path.read_bytes()):
        raise RuntimeError("static data in the kernels, whose instances share one memory")
    return path.stat().st_size


def build_native(folder: Path) -> Path:
    """Compiles the driver of the tests, under AddressSanitizer and UBSan where a system compiler
    exists, else under zig's UBSan. Its argument is the place in DOTS of the machine to be."""
    path = folder / "kernels-native"
    system = next(filter(None, map(shutil.which, ("gcc", "clang"))), None)
    compiler = [system, *SANITIZERS] if system else [*_zig(), "-fsanitize=undefined"]
    switches = ["-O1", "-g", "-pthread"]
    main = [str(SOURCES / "native_main.c"), "-o", str(path), "-lm"]
    _run([*compiler, *switches, *WARNINGS, *ARITHMETIC, *_sources(), *main])
    return path


def _sources() -> list[str]:
    return [str(SOURCES / f"{name}.c") for name in FILES]


def _zig() -> list[str]:
    return [sys.executable, "-m", "ziglang", "cc"]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def _has_data(module: bytes) -> bool:
    """Whether a WASM module has a data section (11)."""
    place = 8
    while place < len(module):
        kind, place = module[place], place + 1
        size, place = _leb128(module, place)
        if kind == 11:
            return True
        place += size
    return False


def _leb128(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, place = data[place], place + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


if __name__ == "__main__":
    build(Path(sys.argv[1]))
