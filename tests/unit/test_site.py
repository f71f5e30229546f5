"""The built site as files: every byte is listed, no other host is named, any host can serve it."""

import json
import posixpath
import re

import pytest

from onglet_build import check, policy, vendor
from onglet_build.site import NOT_LISTED

LARGEST_FILE = 25 << 20  # what several static hosts take


@pytest.fixture
def files(site) -> list[dict]:
    return json.loads((site / "files.json").read_text())["files"]


def test_every_file_is_listed_with_its_hash(site):
    assert check.hashes(site) == []


def test_a_changed_byte_and_a_stray_file_are_seen(tmp_path):
    row = {"path": "index.html", "bytes": 1, "sha256": "0" * 64}
    gone = {"path": "gone.js", "bytes": 1, "sha256": "0" * 64}
    (tmp_path / "files.json").write_text(json.dumps({"build": "x", "files": [row, gone]}))
    (tmp_path / "index.html").write_text("x")
    (tmp_path / "stray.js").write_text("x")
    assert check.hashes(tmp_path) == [
        "index.html has another hash than files.json says",
        "stray.js is not in files.json",
        "gone.js is missing",
    ]


def test_no_other_host_is_named(site):
    assert check.addresses(site) == []


def test_a_foreign_address_is_seen(tmp_path):
    (tmp_path / "index.html").write_text('<script src="https://cdn.example/x.js"></script>')
    assert check.addresses(tmp_path) == ["index.html names https://cdn.example/x.js"]


def test_every_file_is_small_enough_for_any_static_host(files):
    assert [row["path"] for row in files if row["bytes"] > LARGEST_FILE] == []


def test_names_that_are_not_documents_carry_a_hash_or_a_version(files):
    hashed = r"(a|figures|ocr|python|sandbox|workshop)/[0-9a-f]{12}/|models/[0-9a-f]{64}/"
    named = re.compile(hashed + r"|(pyodide|pdfium|static|onnxruntime)/.*\d+\.\d+")
    stable = {row["path"] for row in files if not named.match(row["path"])}
    assert stable == {"index.html", "manifest.webmanifest", "download.js"}


def test_what_runs_offline_asks_for_no_module_that_only_people_read(site, files):
    group = {row["path"]: row["group"] for row in files}
    asked = re.compile(r"""(?:\bfrom |^import |new URL\()"(\.[^"?]+\.m?js)[?"]""", re.M)
    missing = []
    for place in group:
        ours = place.startswith("a/") and "/vendor/" not in place and place.endswith(".js")
        if ours and group[place] != "source":
            for name in asked.findall((site / place).read_text()):
                target = posixpath.normpath(posixpath.join(posixpath.dirname(place), name))
                if group.get(target, "source") == "source":
                    missing.append((place, name))
    assert missing == []


def test_every_address_in_the_document_is_relative(site):
    text = (site / "index.html").read_text()
    for address in re.findall(r'(?:href|src)="([^"]*)"', text):
        assert not address.startswith(("/", "http", "//")), address
        assert (site / address).is_file(), address


def test_no_placeholder_is_left(site):
    for name in ("index.html", "sw.js", "manifest.webmanifest"):
        assert not re.search(r"@[a-z]+@", (site / name).read_text()), name


def test_the_policy_of_the_document_is_the_one_of_the_headers(site):
    assert f'content="{policy.CONTENT_SECURITY_POLICY}"' in (site / "index.html").read_text()
    assert policy.CONTENT_SECURITY_POLICY in (site / "sw.js").read_text()
    assert (site / "_headers").read_text() == policy.headers_file()


def test_the_build_is_the_same_in_all_places(site):
    build = json.loads((site / "files.json").read_text())["build"]
    assert f'"build": "{build}"' in (site / "index.html").read_text()
    assert f'const BUILD = "{build}";' in (site / "sw.js").read_text()
    assert set(NOT_LISTED) <= {path.name for path in site.iterdir()}


def test_every_package_in_the_site_has_its_licence_with_it(site):
    (texts,) = site.glob("a/*/licences.txt")
    text = texts.read_text()
    for row in vendor.packages("site", "python", "workshop", "ocr", "model"):
        assert f"{row.package} {row.version} ({row.licence})\n\n" in text
    for words in ("Mozilla Public License", "Apache License", "Permission is hereby granted"):
        assert words in text
