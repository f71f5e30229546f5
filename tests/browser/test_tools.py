"""A sample of the tools' cases on the embedded model; agents at work are in test_ten_tasks.py."""

from engine_driver import PAGE
from run_cases import opened, run

from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS


def test_a_sample_of_the_cases_on_the_real_engine(site, new_context):
    with Loopback({"/": PAGE, "/site/": site}, headers=HEADERS) as host:
        engine = opened(new_context(host).new_page(), host.url, site)
        right = [is_right for _, _, is_right in run(engine, every=6)]
    assert engine.written  # every call was parsed, or run would have raised
    assert sum(right) >= 0.8 * len(right)
