"""The list of vendored packages, and what happens when bytes are not the listed ones."""

import dataclasses
import io
import json
import tarfile
import zipfile

import pytest

from onglet_build import vendor

GROUPS = {"site", "python", "model", "test", "check", "bench", "workshop", "ocr", "build"}


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setattr(vendor, "ARCHIVES", tmp_path / "archives")
    monkeypatch.setattr(vendor, "UNPACKED", tmp_path / "unpacked")
    (tmp_path / "archives").mkdir()
    return tmp_path


def row_of(path, registry, **fields) -> vendor.Package:
    digest = vendor.sha256_of(path)
    return vendor.Package("thing", registry, "1.0", "MIT", "site", digest, **fields)


def wheel(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/") + ".py", text)


def test_every_row_has_hash_licence_and_known_group():
    for row in vendor.packages():
        assert len(row.sha256) == 64, row.package
        assert row.licence and row.group in GROUPS, row.package
        assert row.registry == "pypi" or row.integrity.startswith("sha512-"), row.package


def test_no_two_rows_share_a_package():
    names = [row.package for row in vendor.packages()]
    assert len(set(names)) == len(names)


def test_a_member_is_python_unless_taken_away():
    row = vendor.Package("p", "pypi", "1", "MIT", "python", "0", python=("*.py",), without=("t/*",))
    assert row.wants_as_python("a/b.py")
    assert not row.wants_as_python("t/b.py")
    assert not row.wants_as_python("a/b.so")


def test_licences_are_always_kept():
    row = vendor.Package("p", "pypi", "1", "MIT", "python", "0")
    assert row.wants("p-1.dist-info/licenses/LICENSE.txt")
    assert not row.wants("p/code.py")


@pytest.mark.parametrize(
    ("pattern", "fixed"),
    [("a/b/*.css", "a/b/"), ("a/b.js", "a/"), ("b.js", ""), ("a/*/c", "a/")],
)
def test_fixed_folder_of_a_pattern(pattern, fixed):
    assert vendor.fixed_folder(pattern) == fixed


def test_unpacks_only_what_is_wanted(shelf):
    source = shelf / "made.whl"
    wheel(source, a__wanted="x = 1", b__other="x = 2")
    row = row_of(source, "pypi", keep=("a/*",))
    source.replace(row.archive)
    vendor.fetch([row])
    assert (row.folder / "a/wanted.py").read_text() == "x = 1"
    assert not (row.folder / "b").exists()


def test_npm_archives_lose_their_outer_folder_and_cannot_climb(shelf):
    source = shelf / "made.tgz"
    with tarfile.open(source, "w:gz") as archive:
        for name in ("package/a.js", "package/../../evil.js"):
            entry = tarfile.TarInfo(name)
            entry.size = 2
            archive.addfile(entry, io.BytesIO(b"ok"))
    row = row_of(source, "npm", keep=("*.js",))
    source.replace(row.archive)
    vendor.fetch([row])
    assert [path.name for path in row.folder.rglob("*.js")] == ["a.js"]


def test_a_changed_row_is_unpacked_again(shelf):
    source = shelf / "made.whl"
    wheel(source, a__one="1", a__two="2")
    row = row_of(source, "pypi", keep=("a/one.py",))
    source.replace(row.archive)
    vendor.fetch([row])
    vendor.fetch([dataclasses.replace(row, keep=("a/*",))])
    assert sorted(path.name for path in row.folder.rglob("*.py")) == ["one.py", "two.py"]


def test_a_damaged_archive_is_refused_and_removed(shelf):
    source = shelf / "made.whl"
    wheel(source, a__one="1")
    row = row_of(source, "pypi", keep=("a/*",))
    row.archive.write_bytes(source.read_bytes() + b"!")
    with pytest.raises(vendor.VendorError, match="damaged"):
        vendor.fetch([row])
    assert not row.archive.exists()


def test_a_download_with_another_hash_is_refused(shelf, monkeypatch):
    source = shelf / "made.whl"
    wheel(source, a__one="1")
    row = dataclasses.replace(row_of(source, "pypi"), sha256="0" * 64)
    monkeypatch.setattr(vendor, "pip_command", lambda rows, platform: ["cp", str(source), "."])
    with pytest.raises(vendor.VendorError, match="no downloaded file has sha256"):
        vendor.fetch([row])


def test_a_client_that_fails_is_quoted(shelf, monkeypatch):
    row = vendor.Package("thing", "pypi", "1.0", "MIT", "site", "0" * 64)
    command = ["sh", "-c", "echo no such package; exit 1"]
    monkeypatch.setattr(vendor, "pip_command", lambda rows, platform: command)
    with pytest.raises(vendor.VendorError, match="no such package"):
        vendor.fetch([row])


def test_a_mend_needs_its_fault_exactly_once(shelf):
    source = shelf / "made.whl"
    wheel(source, a__one="x = 1", a__two="x = 1 + 1")
    row = row_of(source, "pypi", keep=("a/*",), mends={"a/one.py": ("1", "0")})
    source.replace(row.archive)
    vendor.fetch([row])
    assert (row.folder / "a/one.py").read_text() == "x = 0"
    with pytest.raises(vendor.VendorError, match="exactly once"):
        vendor.fetch([dataclasses.replace(row, mends={"a/two.py": ("1", "0")})])


def test_the_carried_wheels_are_those_of_pyodide():
    (row,) = (row for row in vendor.packages("workshop") if row.carries)
    vendor.fetch([row])
    lock = json.loads((vendor.package("pyodide").folder / "pyodide-lock.json").read_text())
    listed = {each["file_name"]: each["sha256"] for each in lock["packages"].values()}
    for name in row.carries:
        wheel = row.folder / name
        assert vendor.sha256_of(wheel) == listed[wheel.name]
        project = "-".join(wheel.name.split("-")[:2])
        licences = row.folder.glob(f"{project}.dist-info/**/*")
        assert any(vendor.is_licence(path.name) for path in licences), project
