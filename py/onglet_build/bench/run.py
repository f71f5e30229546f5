"""`build.py bench [--quick] [--only TEXT] [--publish]`: Onglet and its peers on the same files,
measured in one run, in turns, each in a fresh page or process; how fast the app starts; what the
machine can read.

Prints medians with their spread and writes bench.json, a list of rows (tests/bench/README.md says
what each key means). States figures and whether the bars hold; never fails because of a time.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from .. import site
from ..browser import chromium
from ..kept_site import keep
from ..places import ROOT
from . import chart, contenders, embeddings, machine, peers, report, starts
from .contenders import Contender
from .starts import Starts

RESULT = ROOT / "bench.json"
PROFILES = 3  # in which the app is started


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    site.build()
    if options.embeddings:
        return embeddings_alone(options)
    with tempfile.TemporaryDirectory() as folder:
        kept = keep(Path(folder))
        build = json.loads((kept / "files.json").read_text())["build"]
        chosen = choose(options, contenders.versions(build))
        server = peers.loopback(kept, Path(folder, "listings"), chosen)
        before = machine.load_average()
        print(machine.state("before"), flush=True)
        started = measure_starts(kept, options)
        limits, browser = measure(server, Path(folder, "listings"), chosen)
        alone = options.only or options.quick
        vectors = [] if alone else measure_embeddings(kept, build, options)
    report.report(chosen, limits, started)
    print("\n".join(embeddings.report(vectors)) if vectors else "")
    print(machine.state("after"))
    rows = [contender.row(prompt) for contender in chosen for prompt in contenders.PROMPTS]
    rows += [*limits, *vectors, *starts.rows(started, build), machine.row(before, browser)]
    RESULT.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"written to {RESULT.name}")
    if options.publish:
        chart.publish(rows)
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build.py bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one file, two threads, one round")
    parser.add_argument("--only", metavar="TEXT", help="only runs whose line has TEXT; no starts")
    parser.add_argument("--embeddings", action="store_true", help="only texts into vectors")
    parser.add_argument("--publish", action="store_true", help="draw the README's and app's chart")
    return parser.parse_args(arguments)


def embeddings_alone(options: argparse.Namespace) -> int:
    """Prints how fast texts become vectors; writes nothing."""
    print(machine.state("before"), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        kept = keep(Path(folder))
        rows = measure_embeddings(kept, "", options)
    print("\n".join(embeddings.report(rows)))
    print(machine.state("after"))
    return 0


def measure_embeddings(kept: Path, build: str, options: argparse.Namespace) -> list[dict]:
    rounds = 1 if options.quick else embeddings.ROUNDS
    with peers.loopback(kept, kept, []) as server, chromium() as browser:
        runs = embeddings.measure(server.origin, browser, rounds)
    return embeddings.rows(runs, {"onglet": build, **embeddings.versions()})


def choose(options: argparse.Namespace, versions: dict[str, str]) -> list[Contender]:
    chosen = contenders.quick(versions) if options.quick else contenders.full(versions)
    found = [contender for contender in chosen if (options.only or "") in contender.label]
    if not found:
        names = "\n".join(contender.label for contender in chosen)
        raise SystemExit(f"no run has {options.only!r} in its line:\n{names}")
    return found


def measure_starts(kept: Path, options: argparse.Namespace) -> Starts:
    if options.only:
        return {}
    return starts.measure_starts(kept, 1 if options.quick else PROFILES)


def measure(server, listings: Path, chosen: list[Contender]) -> tuple[list[dict], str]:
    """Runs everybody in turn; returns the read limits and the name of the browser."""
    with server, chromium() as browser:
        page = browser.new_page()
        page.goto(f"{server.origin}/bench/page.html")
        threads = sorted({contender.threads for contender in chosen})
        limits = [machine.measure_read_limit(page, count) for count in threads]
        page.close()
        stage = peers.stage(server, browser, listings)
        for contender in contenders.turns(chosen):
            stage.run(contender)
        return limits, f"Chromium {browser.version}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
