"""What Onglet promises: the key of each sentence (`privacy.promise.<key>`) and the test that proves
it. The privacy page shows both; tests/unit/test_promises.py looks for each test."""

PROMISES = {
    "silent": "tests/browser/test_silence.py::test_a_conversation_asks_nobody_else",
    "refused": "tests/browser/test_silence.py"
    "::test_forbidden_acts_violate_the_policy_in_page_and_workers",
    "sealed": "tests/browser/test_seal.py::test_nothing_leaves_a_sealed_site",
    "links": "tests/browser/test_links.py::test_a_link_shows_its_address_before_it_opens",
    "proposes": "tests/browser/test_agents.py"
    "::test_hostile_links_are_refused_and_nothing_else_happens",
    "asked": "tests/unit/test_injection.py::test_no_document_has_anything_written_without_a_yes",
    "words": "tests/browser/test_hostile_output.py::test_hostile_output_is_only_text",
    "files": "tests/faults/test_hostile_files.py",
    "bytes": "tests/browser/test_service_worker.py::test_a_wrong_byte_is_never_stored",
    "offline": "tests/browser/test_offline.py::test_reload_and_answer_without_the_host",
    "builds": "tests/browser/test_service_worker.py::test_two_builds_never_mix_while_tabs_are_open",
    "engine": "tests/faults/test_engine_dies.py"
    "::test_a_worker_is_killed_while_answering_and_while_resting",
    "deleted": "tests/browser/test_privacy.py::test_delete_everything_leaves_nothing",
}
