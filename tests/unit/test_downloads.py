"""The library's downloads (web/files/download.js and reach.js, as they are) from a host with every
fault: each ends in the file or in one code, keeps what is right, and goes on from there."""

import hashlib
import json
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from onglet_build.python_bundle import node
from tests.faulty_host import MIB, FaultyHost

PIECE = 4 * MIB
SIZE = 13 * MIB + 777
DATA = random.Random(4).randbytes(SIZE)
SUM = hashlib.sha256(DATA).hexdigest()
LARGE = random.Random(5).randbytes(9 * PIECE + 1)  # more than one request brings
KILLS = 200 if os.environ.get("ONGLET_FULL") else 8
LARGE_SUM = hashlib.sha256(LARGE).hexdigest()
KEY = "k" * 32
SCRIPT = Path(__file__).with_name("downloads_in_node.mjs")
BEGUN = [f"{KEY}.part", f"{KEY}.part.json"]
KEPT = sorted([SUM, f"{SUM}.json"])

COMES = {  # fault -> what must have come of it
    "none": 1,
    "weakens": 1,
    "late": 1,
    "whole": 1,
    "whole_breaks": 1,
    "breaks": 1,
    "busy_twice": 1,
}
FAILS = {  # fault -> its code
    "shrank": "changed_file",
    "changes": "changed_file",
    "grows": "changed_file",
    "stalls": "unreachable",
    "silent": "unreachable",
    "busy": "host_busy",
    "signed_in": "not_allowed",
    "early": "unreachable",
    "elsewhere": "host_answers",
    "in_parts": "host_answers",
    "page": "not_a_file",
    "leads": "host_led",
}
RESTS = ("stalls", "early", "changes")  # leave pieces that are right


def wanted(host: FaultyHost, fault: str, name: str = "model.gguf", **more) -> dict:
    told = {"name": name, "bytes": SIZE, "sha256": SUM, "etag": '"one"', "licence": None}
    return {"key": KEY, "urls": [host.url(fault, name)], **told, **more}


def large(host: FaultyHost, fault: str) -> dict:
    return wanted(host, fault, "large.gguf", bytes=len(LARGE), sha256=LARGE_SUM)


@pytest.fixture(scope="module")
def results(code, in_node, tmp_path_factory) -> dict[str, dict]:
    """case -> what its attempts came to (`attempts`), what it left for the next, and the host."""
    folder = tmp_path_factory.mktemp("downloads")
    files = {"model.gguf": DATA, "large.gguf": LARGE}
    with FaultyHost(files) as cdn, FaultyHost(files, elsewhere=f"http://{cdn.name}") as host:
        right = {"wanted": wanted(host, "none"), "allowed": [host.name]}

        def faulty(fault: str, **more) -> dict:
            return {"wanted": wanted(host, fault), "allowed": [host.name], **more}

        cases = {fault: [faulty(fault)] for fault in COMES}
        cases |= {fault: [faulty(fault), right] for fault in FAILS}
        cases["wrong_byte"] = [faulty("wrong_byte"), right]
        cases["unpromised"] = [right | {"wanted": wanted(host, "none", sha256=None, etag=None)}]
        cases["led_allowed"] = [faulty("leads"), faulty("leads", allowed=[host.name, cdn.name])]
        cases["no_room"] = [right | {"room": 9 * MIB}, right]
        cases["full_later"] = [right | {"full": PIECE + MIB}, right]
        cases["paused"] = [right | {"stop": 6 * MIB}, right]
        cases["another"] = [
            faulty("changes"),
            right | {"wanted": wanted(host, "none", etag='"two"')},
        ]
        cases["lines"] = [right | {"wanted": large(host, "none")}]
        cases["one_line"] = [right | {"wanted": large(host, "whole")}]
        cases["unasked"] = [right | {"allowed": []}]
        asked = [
            {"folder": str(folder / name), "attempts": attempts} for name, attempts in cases.items()
        ]
        done = in_node("downloads_in_node.mjs", {"code": code, "cases": asked})
        yield dict(zip(cases, done, strict=True)) | {"host": host, "folder": folder}


@pytest.mark.parametrize("fault", COMES)
def test_the_file_comes_in_spite_of(fault, results):
    (only,) = results[fault]
    assert only["sha256"] == SUM
    assert only["files"] == KEPT
    stored = results["folder"] / fault / "onglet-models" / SUM
    assert stored.read_bytes() == DATA


@pytest.mark.parametrize("fault", FAILS)
def test_one_code_and_then_it_goes_on(fault, results):
    first, then = results[fault]
    assert first["code"] == FAILS[fault]
    assert first["files"] == BEGUN
    assert first["values"]["host"]
    assert then["sha256"] == SUM
    if fault in RESTS:
        assert then["first"] >= PIECE  # believed, not fetched again


def test_a_wrong_byte_leaves_nothing(results):
    first, then = results["wrong_byte"]
    assert (first["code"], first["files"]) == ("wrong_hash", [])
    assert then["sha256"] == SUM


def test_without_a_promise_the_hash_is_what_came(results):
    assert results["unpromised"][0]["sha256"] == SUM


def test_a_host_that_it_was_led_to_is_asked_for(results):
    first, then = results["led_allowed"]
    assert first["values"]["from"] == results["host"].name
    assert then["sha256"] == SUM


@pytest.mark.parametrize("case", ["lines", "one_line"])
def test_several_requests_at_a_time(case, results):
    assert results[case][0]["sha256"] == LARGE_SUM


def test_nobody_is_asked_without_a_yes(results):
    assert results["unasked"][0]["code"] == "host_unasked"


@pytest.mark.parametrize("case", ["no_room", "full_later"])
def test_a_full_disk(case, results):
    first, then = results[case]
    assert first["code"] == "no_room"
    assert then["sha256"] == SUM
    assert then["first"] >= (PIECE if case == "full_later" else 0)
    assert not [name for name in first["files"] if name not in BEGUN]


def test_a_pause_keeps_whole_pieces(results):
    first, then = results["paused"]
    assert first["code"] == "AbortError"
    assert first["files"] == BEGUN
    assert then["sha256"] == SUM


def test_another_file_begins_anew(results):
    """Its mark differs: what is here of the first one is not mixed with it."""
    _, then = results["another"]
    assert then["first"] == 0
    assert then["code"] == "changed_file"  # this host says "one" all the time


def believed(folder: Path) -> set[int]:
    """The pieces that a journal says are there."""
    journal = folder / f"{KEY}.part.json"
    kept = json.loads(journal.read_text())["pieces"] if journal.exists() else {}
    return {int(piece) for piece in kept}


def test_kills_leave_nothing_wrong_and_lose_nothing(code, tmp_path):
    """The process that downloads is killed at any moment, again and again: what is ready is right,
    and no piece that was written down is asked for twice."""
    chance = random.Random(7)
    ready = 0
    with FaultyHost({"large.gguf": LARGE}) as host:
        place, number = tmp_path / "0", 0
        for kill in range(KILLS):
            models = place / "onglet-models"
            known, wanted = believed(models), large(host, "slow")
            wanted["urls"] = [host.url("slow", f"{kill}/large.gguf")]
            attempt = {"wanted": wanted, "allowed": [host.name]}
            case = {"code": code, "cases": [{"folder": str(place), "attempts": [attempt]}]}
            process = subprocess.Popen(
                [str(node()), str(SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                text=True,
            )
            process.stdin.write(json.dumps(case))
            process.stdin.close()
            time.sleep(chance.uniform(0.1, 1.0))
            process.kill()
            process.wait()
            mine = [(first, end) for path, first, end in host.asked if f"/{kill}/" in path]
            for first, end in mine:
                assert not known & set(range(first // PIECE, -(-end // PIECE)))
            if (models / LARGE_SUM).exists():
                assert (models / LARGE_SUM).read_bytes() == LARGE
                ready, number = ready + 1, number + 1
                place = tmp_path / str(number)
        assert not [file for file in tmp_path.glob("*/onglet-models/*") if is_ready_and_wrong(file)]
    assert ready or KILLS < 20


def is_ready_and_wrong(file: Path) -> bool:
    return len(file.name) == 64 and hashlib.sha256(file.read_bytes()).hexdigest() != file.name
