"""Addresses of models, and what a hub says of a repository (the protocol of Hugging Face:
`resolve`, and the `tree` API, which gives the sha256 of each large file).

Asks nobody: texts in, checked values out. Everything that a hub answers is hostile until here.
"""

import json
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from onglet.engine.errors import Refused

HUB = "huggingface.co"
LEADS = {HUB: ["huggingface.co", "hf.co"]}  # a hub -> where it keeps large files
OWN_MACHINE = ("127.0.0.1", "localhost", "::1")
NAME = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}")
SHORT = re.compile(r"([A-Za-z0-9][\w.\-]{0,95})/([A-Za-z0-9][\w.\-]{0,95})(?:@([\w.\-]{1,100}))?")
QUANTIZATION = re.compile(
    r"(?:^|[.\-_])((?:UD-)?(?:I?Q\d\w*|MXFP4\w*|BF16|F(?:P)?(?:16|32)))(?=[.\-_]|$)", re.I
)
SHA256 = re.compile(r"[0-9a-f]{64}")
PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.I)
LONGEST = 2_000  # characters of an address
MOST_FILES = 2_000
MOST_FOUND = 20  # repositories of one search
LONGEST_QUERY = 100  # characters
MOST_BYTES = 1 << 43


@dataclass(frozen=True)
class Address:
    """A repository (`path` empty), a file of one, or any file (`repository` empty)."""

    url: str
    host: str
    base: str
    repository: str = ""
    revision: str = "main"
    path: str = ""

    @property
    def is_repository(self) -> bool:
        return bool(self.repository and not self.path)

    @property
    def tree(self) -> str:
        """The address that lists the repository's files."""
        revision = quote(self.revision, safe="")
        return f"{self.base}/api/models/{self.repository}/tree/{revision}?recursive=true"

    def file(self, path: str) -> "Address":
        """The address of a file of this repository."""
        url = f"{self.base}/{self.repository}/resolve/{quote(self.revision, safe='')}/{quote(path)}"
        return Address(url, self.host, self.base, self.repository, self.revision, path)

    @property
    def name(self) -> str:
        return unquote(urlsplit(self.url).path).rpartition("/")[2] or self.host

    @property
    def leads(self) -> list[str]:
        return LEADS.get(self.host, [])


@dataclass(frozen=True)
class File:
    """A model file of a repository, as the hub describes it."""

    path: str
    bytes: int
    sha256: str | None
    quantization: str


@dataclass(frozen=True)
class Repository:
    """One that a search found."""

    name: str  # owner/name
    downloads: int | None
    gated: bool  # given only to people who signed in


def search(base: str, query: str) -> str:
    """The address that lists repositories of GGUF files for a few words, the most used first.

    Raises Refused no_query.
    """
    words = " ".join(query.split())[:LONGEST_QUERY]
    if not words:
        raise Refused("no_query")
    how = f"filter=gguf&sort=downloads&direction=-1&limit={MOST_FOUND}"
    return f"{base}/api/models?search={quote(words, safe='')}&{how}"


def repositories(answer: str) -> list[Repository]:
    """What a hub found. Raises Refused bad_hub_answer, none_found."""
    found = {one.name: one for row in _rows(answer) if (one := _repository_row(row))}
    if not found:
        raise Refused("none_found")
    return list(found.values())[:MOST_FOUND]


def _repository_row(row: object) -> Repository | None:
    name = row.get("id") if isinstance(row, dict) else None
    if not isinstance(name, str) or not SHORT.fullmatch(name) or "@" in name:
        return None
    downloads = row.get("downloads")
    known = type(downloads) is int and 0 <= downloads < MOST_BYTES
    return Repository(name, downloads if known else None, row.get("gated") not in (None, False))


def _rows(answer: str) -> list:
    try:
        rows = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise Refused("bad_hub_answer") from error
    if not isinstance(rows, list):
        raise Refused("bad_hub_answer")
    return rows[:MOST_FILES]


def read_address(text: str) -> Address:
    """What a person pasted: `org/name`, `org/name@branch`, a page of a hub, or any file's address.

    Raises Refused bad_address.
    """
    text = text.strip()
    if short := SHORT.fullmatch(text):
        owner, name, revision = short.groups()
        return _repository(f"https://{HUB}", HUB, f"{owner}/{name}", revision or "main")
    try:
        parts = urlsplit(text if len(text) <= LONGEST else "")
        host, name = parts.netloc, parts.hostname or ""
    except ValueError as error:
        raise Refused("bad_address") from error
    local = parts.scheme == "http" and name in OWN_MACHINE
    if not (parts.scheme == "https" or local) or not name or "@" in host:
        raise Refused("bad_address")
    return _web_address(text, parts, f"{parts.scheme}://{host}", host)


def _web_address(text: str, parts, base: str, host: str) -> Address:
    steps = [unquote(step) for step in parts.path.split("/") if step]
    named = len(steps) >= 2 and all(NAME.fullmatch(step) for step in steps[:2])
    repository = "/".join(steps[:2])
    if named and len(steps) == 2 and not steps[1].lower().endswith(".gguf"):
        return _repository(base, host, repository, "main")
    if named and len(steps) == 4 and steps[2] == "tree":
        return _repository(base, host, repository, steps[3])
    if named and len(steps) >= 5 and steps[2] in ("resolve", "blob"):
        return _repository(base, host, repository, steps[3]).file("/".join(steps[4:]))
    if not steps:
        raise Refused("bad_address")
    return Address(text.partition("#")[0], host, base)


def _repository(base: str, host: str, repository: str, revision: str) -> Address:
    return Address(f"{base}/{repository}", host, base, repository, revision)


def model_files(tree: str) -> list[File]:
    """The GGUF files in a hub's answer, smallest first. Raises Refused bad_hub_answer, no_gguf."""
    files = [file for row in _rows(tree) if (file := _file(row))]
    if not files:
        raise Refused("no_gguf")
    return sorted(files, key=lambda file: (file.bytes, file.path))


def _file(row: object) -> File | None:
    """A row of the tree, None when it is not a whole model file or not as it should be."""
    if not isinstance(row, dict) or row.get("type") != "file":
        return None
    path, lfs = row.get("path"), row.get("lfs")
    lfs = lfs if isinstance(lfs, dict) else {}
    bytes_, sha256 = lfs.get("size", row.get("size")), lfs.get("oid")
    if not isinstance(path, str) or not path.lower().endswith(".gguf") or PART.search(path):
        return None
    plain = path.isprintable() and ".." not in path.split("/") and len(path) <= 300
    if not plain or type(bytes_) is not int or not 0 < bytes_ < MOST_BYTES:
        return None
    known = isinstance(sha256, str) and SHA256.fullmatch(sha256)
    return File(path, bytes_, sha256 if known else None, quantization_of(path))


def quantization_of(path: str) -> str:
    """What the file's name says: `Q4_K_M`; '' when it says nothing."""
    found = QUANTIZATION.findall(path.rpartition("/")[2].removesuffix(".gguf"))
    return found[-1].upper() if found else ""
