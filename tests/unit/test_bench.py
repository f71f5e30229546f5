"""The bench's own arithmetic: what becomes a row, a ratio, a share of the read limit."""

import argparse
import json

import pytest

from onglet_build.bench import chart, contenders, machine, report, run, starts
from onglet_build.bench.contenders import KEYS, Contender, Weights

VERSIONS = dict.fromkeys(("onglet", *contenders.PEER_PACKAGES), "1")
WEIGHTS = Weights(bytes=100_000_000, multiply_adds=130_000_000, head_multiply_adds=30_000_000)


@pytest.fixture(autouse=True)
def weights(monkeypatch):
    monkeypatch.setattr(contenders, "weights_of", lambda model: WEIGHTS)


def measured(system: str, decode: list[float], prefill: float = 100, **options) -> Contender:
    """A contender whose rounds of the short prompt had these rates."""
    found = Contender(system, "1", "Q4_1", 2, **options)
    for rate in decode:
        answer = {"answer_tokens": 48, "decode_seconds": 48 / rate}
        found.runs["short"].append({"prompt_tokens": 40, "prefill_seconds": 40 / prefill, **answer})
        found.loads.append(rate / 100)
        found.peaks.append(round(rate) * 10**6)
    return found


def test_a_row_has_the_keys_that_were_agreed_and_medians():
    row = measured("onglet", [90, 300, 100]).row("short")
    assert list(row)[: len(KEYS)] == list(KEYS)
    assert row["file"] == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert row["decode_tokens_per_second"] == pytest.approx(100)
    assert row["decode_spread"] == [90, 300]
    assert row["prefill_tokens_per_second"] == pytest.approx(100)
    assert row["load_seconds"] == pytest.approx(1)
    assert row["peak_bytes"] == 300_000_000


def test_rates_are_said_in_bytes_and_multiply_adds():
    row = measured("onglet", [100], prefill=200).row("short")
    assert row["gigabytes_per_second"] == pytest.approx(10)
    assert row["decode_multiply_adds_per_second"] == pytest.approx(13e9)
    assert row["prefill_multiply_adds_per_second"] == pytest.approx(20e9)  # without the head


def test_what_was_not_measured_is_null_with_a_reason():
    failed = Contender("wllama", "1", "Q6_K", 2, failure="does not load")
    row = failed.row("long")
    assert row["reason"] == "does not load"
    assert all(row[key] is None for key in KEYS[4:])
    short_only = measured("onglet", [1], prompts=("short",), not_asked="too long")
    assert short_only.row("long")["reason"] == "too long"
    assert "reason" not in short_only.row("short")


def test_ratios_name_their_bar():
    lines = report.ratio_lines([measured("onglet", [150]), measured("wllama", [10], prefill=50)])
    assert lines == [
        "onglet / wllama, Q4_1, 2 thr: decode short 15.00x (bar 14x: holds), prefill short 2.00x"
    ]


def test_nobody_is_compared_with_what_was_not_measured():
    silent = Contender("wllama", "1", "Q4_1", 2, failure="no")
    assert report.ratio_lines([measured("onglet", [150]), silent]) == []


def test_share_of_the_read_limit():
    limits = [{"threads": 2, "gigabytes_per_second": 20.0}]
    lines = report.limit_lines([measured("onglet", [100])], limits)
    assert lines[1].endswith("decode reads 50% of the read limit (bar 85%: missed)")


def test_turns_are_interleaved():
    order = contenders.turns([measured("a", [], rounds=3), measured("b", [], rounds=1)])
    assert [one.system for one in order] == ["a", "b", "a", "a"]


def test_every_row_of_the_issue_takes_part():
    found = {(one.system, one.model, one.threads) for one in contenders.full(VERSIONS)}
    assert {system for system, _, _ in found} > set(contenders.PEER_PACKAGES)
    for model in ("Q4_0", "Q8_0", "Q4_K_M", "Q6_K", "0.5B-Q4_0", "1.5B-Q4_0"):
        assert {("onglet", model, 2), ("wllama", model, 2), ("llama.cpp native", model, 2)} <= found
    assert {(one.model, one.threads) for one in contenders.quick(VERSIONS)} == {("Q4_1", 2)}


def test_only_takes_the_named_runs():
    options = argparse.Namespace(quick=True, only="native")
    assert [one.system for one in run.choose(options, VERSIONS)] == ["llama.cpp native"]
    with pytest.raises(SystemExit, match="no run has 'nobody'"):
        run.choose(argparse.Namespace(quick=True, only="nobody"), VERSIONS)


def test_start_rows_are_medians_in_seconds():
    timelines = [dict.fromkeys(starts.MOMENTS, value) for value in (900, 1000, 5000)]
    (row,) = starts.rows({"warm": timelines}, "1")
    assert row["system"] == "onglet start-up warm"
    assert row["live_seconds"] == 1
    assert row["decode_tokens_per_second"] is None


def test_the_machine_is_named():
    row = machine.row([0.5, 1, 1], "Chromium 1")
    assert row["processor"] and row["cores"] >= 1 and row["browser"] == "Chromium 1"
    assert not machine.is_busy(None)
    assert machine.is_busy([99.0, 0, 0])
    json.dumps(row)


def test_the_chart_shows_each_system_once_with_its_machine():
    rows = [machine.row(None, "Chromium 1")]
    for system, rate in (("onglet", 100), ("wllama", 10), ("llama.cpp native", 50)):
        rows += [measured(system, [rate]).row(prompt) for prompt in contenders.PROMPTS]
    rows.append(Contender("transformers.js", "1", "Q4_1", 2, failure="no").row("short"))
    found = chart.summary(rows)
    assert [bar["name"] for bar in found["bars"]] == ["Onglet", "llama.cpp native", "wllama"]
    assert [bar["in_tab"] for bar in found["bars"]] == [True, False, True]
    assert found["machine"]["browser"] == "Chromium 1"
    assert "Reading a prompt" in chart.svg(
        found | {"bars": [b | {"prefill": 1} for b in found["bars"]]}
    )
