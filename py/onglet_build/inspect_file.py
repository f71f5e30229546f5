"""`build.py inspect FILE`: what a GGUF file says of itself, and whether Onglet runs it.

The verdict is that of the app: the same reading, the same refusals, the same sentences.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from onglet import words
from onglet.engine.errors import Incomplete, Refused
from onglet.engine.gguf import Header, read_header
from onglet.engine.prepare import BYTE_PAIRS, Prepared, prepare
from onglet.library.anatomy import kinds, plain, shown

from .places import WEB
from .python_bundle import node

FIRST_BYTES = 1 << 20


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="build.py inspect", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--context", type=int, help="tokens to plan for")
    options = parser.parse_args(arguments)
    if not options.file.is_file():
        print(f"There is no file {options.file}.", file=sys.stderr)
        return 2
    lines, runs = report(options.file, options.context)
    print("\n".join(lines))
    return 0 if runs else 1


def report(path: Path, context: int | None = None) -> tuple[list[str], bool]:
    """The lines to print, and whether the file runs."""
    try:
        header = start_of(path)
    except Refused as refused:
        return [f"{path.name}: {words.explain(refused.code, refused.values)}"], False
    verdict, runs = judge(path, header, context)
    return [
        f"{path.name}: {header.file_bytes:,} bytes, GGUF version {header.version}",
        verdict,
        "",
        f"Metadata ({len(header.metadata)})",
        *(f"  {key} = {shown(header, value)}" for key, value in header.metadata.items()),
        "",
        "Types",
        *types(header),
        "",
        f"Tensors ({len(header.tensors)})",
        *tensors(header),
    ], runs


def start_of(path: Path) -> Header:
    """The header, read from as many of the first bytes as it needs."""
    size, wanted = path.stat().st_size, FIRST_BYTES
    while True:
        with path.open("rb") as file:
            data = file.read(wanted)
        try:
            return read_header(data, size)
        except Incomplete as incomplete:
            wanted = incomplete.bytes_needed


def judge(path: Path, header: Header, context: int | None) -> tuple[str, bool]:
    """Whether the app would run it, as a sentence."""
    try:
        ready, encodes = prepared(header, {"context": context, "name": path.name})
        check_cuts(ready)
    except Refused as refused:
        return f"Does not run: {words.explain(refused.code, refused.values)}", False
    card, program = ready.card, ready.program
    parts = (
        f"Runs: {card['architecture']}{', an encoder' if encodes else ''}",
        f"{card['parameters']:,} parameters",
        f"{card['layers']} layers, {card['quantization']}",
        f"{program.memory_bytes:,} bytes of memory for {program.context:,} tokens "
        f"of {card['context_length']:,}",
    )
    return ", ".join(parts), True


def prepared(header: Header, options: dict) -> tuple[Prepared, bool]:
    """As the app prepares it, and whether it is an encoder. Raises Refused."""
    try:
        return prepare(header.data, header.file_bytes, **options), False
    except Refused as refused:
        if refused.code != "encoder_model":
            raise
        return prepare(header.data, header.file_bytes, **options, encoder=True), True


def check_cuts(ready: Prepared) -> None:
    """Raises Refused if the engine does not know how the vocabulary's family cuts text."""
    tables = ready.tokenizer
    if tables["model"] == BYTE_PAIRS and tables["pre"] not in known_cuts():
        raise Refused("unknown_tokenizer", tokenizer=tables["pre"])


def known_cuts() -> list[str]:
    """The names in web/engine/cuts.js, as JavaScript says them."""
    address = (WEB / "engine" / "cuts.js").as_uri()
    script = f"import {{ RULES }} from {json.dumps(address)};"
    script += "console.log(JSON.stringify([...RULES.keys()]))"
    command = [str(node()), "--no-warnings", "--input-type=module", "--eval", script]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def types(header: Header) -> Iterator[str]:
    for kind in kinds(list(header.tensors.values())):
        yield f"  {kind.type:7} {kind.tensors:5} tensors {kind.bytes:15,} bytes"


def tensors(header: Header) -> Iterator[str]:
    width = max(len(name) for name in header.tensors)
    for tensor in header.tensors.values():
        shape = f"{tensor.rows} x {tensor.columns}"
        name = plain(tensor.name)
        yield f"  {name:{width}} {tensor.type:7} {shape:>16} {tensor.bytes:13,} bytes"
