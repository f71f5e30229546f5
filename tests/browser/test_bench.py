"""The bench's own pages, once and short: our engine behind the two doors, and the read limit."""

import json

from onglet_build.bench import machine, peers
from onglet_build.bench.contenders import Contender
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS


def test_onglet_and_the_read_limit_are_measured(browser, site, tmp_path):
    folders = {
        "/bench/": machine.PAGES,
        "/site/": site,
        "/read_limit/": machine.read_limit_folder(),
    }
    with Loopback(folders, headers=HEADERS) as server:
        page = browser.new_page()
        page.goto(f"{server.origin}/bench/page.html")
        limit = machine.measure_read_limit(page, 2)
        page.close()
        prompts = json.loads((machine.PAGES / "prompts.json").read_text())
        contender = Contender("onglet", "1", "Q4_1", 2, prompts=("short",), answer_tokens=8)
        peers.Stage(server, browser, prompts, tmp_path).run(contender)
    assert contender.failure is None
    assert limit["gigabytes_per_second"] > 0
    (run,) = contender.runs["short"]
    assert (run["prompt_tokens"], run["answer_tokens"]) == (40, 8)
    assert contender.loads[0] > 0
    assert contender.rates("short", "decode")[0] > 0


def test_what_a_peer_cannot_do_is_its_failure(browser, tmp_path):
    with Loopback({"/bench/": machine.PAGES}, headers=HEADERS) as server:
        contender = Contender("wllama", "1", "Q4_1", 2)
        peers.Stage(server, browser, {}, tmp_path).run(contender)
    assert "wllama" in contender.failure
    assert contender.row("short")["decode_tokens_per_second"] is None
