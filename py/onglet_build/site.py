"""`build.py build`: runs the steps and lays their results out as the static site dist/
(docs/protocols.md section 7). Knows where everything goes, not how anything is made.

Names carry hashes, so that two versions of the site never share a file: everything of ours in
`web/` and `static/` becomes one folder a/<hash of the tree>/, which only index.html names.
"""

import functools
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import vendor
from .places import BUILD, DIST, PY, ROOT, STATIC, WEB
from .policy import CONTENT_SECURITY_POLICY, DOWNLOAD_POLICY, SANDBOX_POLICY, headers_file
from .steps import cached, files_under, one_build_at_a_time, timed

VENDOR_LIST = STATIC / "vendor.json"
OWN_LICENCE = "Apache-2.0"
TEMPLATES = ("index.html", "sw.js", "download.js", "manifest.webmanifest")
NOT_LISTED = ("files.json", "sw.js", "sw_off.js", "_headers", ".nojekyll")
LICENCE_ELSEWHERE = "The package holds no text of its licence; another one here has the same.\n"
BOOT_WORDS = ("error.title", "notice.app_failed", "notice.app_stopped", "notice.reload")
LINK_WORDS = tuple(f"link.{name}" for name in ("title", "meaning", "open", "cancel", "sealed"))
PYODIDE = "pyodide/314.0.3/"
HERE = PY / "onglet_build"
APP_STEP = ("snapshot.py", "python_bundle.py", "bytecode.py", "pyodide_node.mjs", "vendor.py")


@dataclass(frozen=True)
class Parts:
    """The results of the steps: a folder each, and what the steps told about them."""

    kernels: Path
    model_folder: Path
    model: dict
    app_folder: Path
    app: dict
    workshop: Path
    encoder: Path
    ocr: Path
    sandbox: Path
    asleep: dict
    figures: Path


def main(arguments: list[str]) -> int:
    if arguments:
        raise SystemExit("build.py build takes no arguments")
    build()
    return 0


def build() -> Path:
    """Brings dist/ up to date and returns it."""
    with one_build_at_a_time():
        parts = run_steps()
        with timed("site"):
            lay_out(parts)
    return DIST


def run_steps() -> Parts:
    with timed("vendor"):
        vendor.fetch(vendor.packages("site", "python", "workshop", "build"))
        model_file = vendor.model_file()
    from . import encoder, kernels, model, ocr, sandbox, snapshot, workshop

    kernel_folder, _ = cached(
        "kernels", [ROOT / "wasm_kernels", HERE / "kernels.py"], kernels.build
    )
    model_sources = [model_file, HERE / "model.py", PY / "onglet" / "engine"]
    model_folder, model_facts = cached("model", model_sources, model.build)
    app_sources = [PY / "onglet", VENDOR_LIST, *(HERE / name for name in APP_STEP)]
    app_folder, app = cached("app", app_sources, snapshot.build)
    names = ("workshop.py", *APP_STEP[1:])
    shop_sources = [*workshop.sources(), VENDOR_LIST, *(HERE / name for name in names)]
    shop_folder, _ = cached("workshop", shop_sources, workshop.build)
    encoder_sources = [*encoder.sources(), HERE / "encoder.py", PY / "onglet" / "engine"]
    encoder_folder, _ = cached("encoder", encoder_sources, encoder.build)
    ocr_folder, _ = cached("ocr", [ocr.source(), HERE / "ocr.py"], ocr.build)
    bytecode = [VENDOR_LIST, *(HERE / name for name in ("sandbox.py", *APP_STEP[1:]))]
    box_sources = [*sandbox.sources(), HERE / "snapshot.py", app_folder / app["stdlib"], *bytecode]
    stdlib = app_folder / app["stdlib"]
    box_folder, asleep = cached("sandbox", box_sources, lambda into: sandbox.build(into, stdlib))
    figures, _ = cached("figures", bytecode, sandbox.build_figures)
    folders = {"workshop": shop_folder, "encoder": encoder_folder, "sandbox": box_folder}
    folders |= {"figures": figures, "ocr": ocr_folder}
    made = (kernel_folder, model_folder, model_facts, app_folder, app)
    return Parts(*made, asleep=asleep, **folders)


def lay_out(parts: Parts) -> None:
    """Writes the whole site beside dist/ and then puts it in its place."""
    into = BUILD / "dist.new"
    shutil.rmtree(into, ignore_errors=True)
    licences = lay_vendored(into)
    app = lay_app(parts, into)
    app["bundle"] = lay_script(app, into, licences)
    lay_files(parts.model_folder, into / "models")
    code = lay_code(parts, into)
    site = {"code": code, "model": parts.model, "app": app, "words": boot_words()}
    stdlib = app["folder"] + app["stdlib"]
    site["workshop"] = lay_workshop(parts, into) | {"stdlib": stdlib}
    site["sandbox"] = lay_sandbox(parts, into) | {"stdlib": stdlib}
    licences |= {graph["path"]: graph["licence"] for graph in site["workshop"]["graphs"].values()}
    lay_documents(into, site, licences)
    old = BUILD / "dist.old"
    shutil.rmtree(old, ignore_errors=True)
    if DIST.exists():
        DIST.replace(old)
    into.replace(DIST)
    shutil.rmtree(old, ignore_errors=True)


def lay_app(parts: Parts, into: Path) -> dict:
    """Lays the app's files, the snapshot apart: it alone differs between two builds."""
    snapshot = parts.app["snapshot"]
    names = tuple(part["file"] for part in snapshot["files"])
    tree = BUILD / "app"
    shutil.rmtree(tree, ignore_errors=True)
    lay_files(parts.app_folder, tree / "same", leave_out=names)
    for name in names:
        copy(parts.app_folder / name, tree / "snapshot" / name)
    folder = lay_tree(tree / "same", into, "python")
    apart = lay_tree(tree / "snapshot", into, "python")
    files = [
        {
            **part,
            "file": f"../../{apart}{part['file']}",
            "sha256": vendor.sha256_of(into / apart / part["file"]),
        }
        for part in snapshot["files"]
    ]
    facts = {**snapshot, "files": files}
    return {**parts.app, "folder": folder, "snapshot": facts, "pyodide": PYODIDE}


def lay_workshop(parts: Parts, into: Path) -> dict:
    from . import encoder, ocr, workshop

    graphs = ocr.facts(parts.ocr, lay_tree(parts.ocr, into, "ocr"))
    facts = workshop.facts(lay_tree(parts.workshop, into, "workshop"), graphs)
    places = encoder.facts(parts.encoder, lay_tree(parts.encoder, into, "workshop"))
    return {**facts, "encoder": places, "pyodide": PYODIDE}


def lay_sandbox(parts: Parts, into: Path) -> dict:
    """Lays what runs in the sandbox; returns what the page has to know (web/page/sandbox.js)."""
    from . import sandbox

    folder = lay_tree(parts.sandbox, into, "sandbox")
    figures = lay_tree(parts.figures, into, "figures")
    files = [{**part, "file": folder + part["file"]} for part in parts.asleep["files"]]
    return {
        "policy": SANDBOX_POLICY,
        "code": folder + sandbox.CODE,
        "wasm": f"{PYODIDE}pyodide.asm.wasm",
        "snapshot": {**parts.asleep, "files": files},
        "packages": {name: f"{figures}{name}.zip" for name in sandbox.PACKAGES},
    }


def lay_vendored(into: Path) -> dict[str, str]:
    """Copies the vendored files that the browser fetches; returns path -> licence."""
    licences = {}
    for row in vendor.packages("site", "python", "workshop"):
        for place, path in vendor.site_files(row):
            if not place.startswith("code:"):
                copy(path, into / place)
                licences[place] = row.licence
    return licences


def lay_script(app: dict, into: Path, licences: dict[str, str]) -> dict:
    """Lays the script that stands for the components' module; returns what the page has to know."""
    from . import bundles

    module = into / app["bundle"]
    sources = [module, HERE / "bundles.py"]
    folder, _ = cached("script", sources, lambda to: bundles.build_script(to, module))
    place = app["bundle"].replace(".bundle.js", ".script.js")
    copy(folder / bundles.SCRIPT, into / place)
    module.unlink()
    licences[place] = licences.pop(app["bundle"])
    return {"module": app["bundle"], "script": place, "name": bundles.SCRIPT_NAME}


@functools.cache
def workshop_places() -> set[str]:
    """What only the workshop fetches of the vendored packages."""
    rows = vendor.packages("workshop")
    return {place for row in rows for place, _ in vendor.site_files(row)}


def lay_code(parts: Parts, into: Path) -> str:
    """Lays web/, static/ and what the build adds to them as one tree; returns its folder."""
    from onglet.engine.messages import javascript_table

    from . import bundles

    tree = BUILD / "code"
    shutil.rmtree(tree, ignore_errors=True)
    at_root = ("sw.js", "sw_off.js", "download.js")
    elsewhere = ("tsconfig.json", "tsconfig.workers.json", "sandbox/inside.js")
    lay_files(WEB, tree, leave_out=(*at_root, *elsewhere))
    lay_files(STATIC, tree, leave_out=(*TEMPLATES, "vendor.json"))
    for variant in ("relaxed", "plain"):
        name = f"kernels-{variant}.wasm"
        copy(parts.kernels / name, tree / "engine" / name)
    (tree / "engine" / "messages.js").write_text(javascript_table())
    for row in vendor.packages("site"):
        for place, path in vendor.site_files(row):
            if place.startswith("code:"):
                copy(path, tree / place.removeprefix("code:"))
    (tree / "licences.txt").write_text(licence_texts())
    sources = [tree, VENDOR_LIST, HERE / "bundles.py"]
    bundled, _ = cached("bundles", sources, lambda into: bundles.build(into, tree))
    lay_files(bundled, tree)
    return lay_tree(tree, into, "a")


def licence_texts() -> str:
    """Returns Onglet's licence and those of everything that the site carries."""
    texts = [f"Onglet ({OWN_LICENCE})\n\n{(ROOT / 'LICENSE').read_text()}"]
    for row in vendor.packages("site", "python", "workshop", "ocr", "model"):
        found = [path for path in files_under(row.folder) if vendor.is_licence(path.name)]
        body = "\n".join(path.read_text(errors="replace") for path in found) or LICENCE_ELSEWHERE
        texts.append(f"{row.package} {row.version} ({row.licence})\n\n{body}")
    return ("\n" + "=" * 80 + "\n\n").join(texts)


def boot_words() -> dict[str, dict[str, str]]:
    """Returns the sentences that the page itself may have to say when Python cannot."""
    tables = sorted((PY / "onglet" / "words").glob("*.json"))
    return {
        path.stem: {key: json.loads(path.read_text())[key] for key in BOOT_WORDS + LINK_WORDS}
        for path in tables
    }


def lay_documents(into: Path, site: dict, licences: dict[str, str]) -> None:
    """Fills the three templates and writes files.json: the list that offline use goes by."""
    texts = {name: template(name).read_text() for name in TEMPLATES}
    listed = [row_of(path, into, licences) for path in files_under(into)]
    site["build"] = hashlib.sha256(json.dumps([listed, texts, site]).encode()).hexdigest()[:12]
    values = {
        "build": site["build"],
        "code": site["code"],
        "policy": CONTENT_SECURITY_POLICY,
        "download_policy": DOWNLOAD_POLICY,
        "preloads": preloads(site),
        "site": json.dumps(site, ensure_ascii=False).replace("</", "<\\/"),
    }
    for name, text in texts.items():
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        (into / name).write_text(text)
    listed = [row_of(path, into, licences) for path in files_under(into)]
    listed = [row for row in listed if row["path"] not in NOT_LISTED]
    files = {"build": site["build"], "files": listed}
    (into / "files.json").write_text(json.dumps(files, indent=0))
    (into / "_headers").write_text(headers_file())
    copy(WEB / "sw_off.js", into / "sw_off.js")
    (into / ".nojekyll").touch()


def preloads(site: dict) -> str:
    """Returns links that fetch what the page draws with while its first scripts are being read."""
    places = [site["code"] + "app/boot.js", site["code"] + "components/index.js"]
    links = [f'<link rel="modulepreload" href="{place}">' for place in places]
    scripts = [*site["app"]["scripts"], site["app"]["bundle"]["script"]]
    links += [f'<link rel="preload" as="script" href="{url}">' for url in scripts]
    return "\n".join(links)


def template(name: str) -> Path:
    return (WEB if name.endswith(".js") else STATIC) / name


def row_of(path: Path, root: Path, licences: dict[str, str]) -> dict:
    place = path.relative_to(root).as_posix()
    return {
        "path": place,
        "bytes": path.stat().st_size,
        "sha256": vendor.sha256_of(path),
        "group": group_of(place),
        "licence": licences.get(place, OWN_LICENCE),
    }


def group_of(place: str) -> str:
    """`app`, `model`, or what is fetched when it is first needed, not for offline: `workshop`,
    `ocr`, `sandbox`, `figures`; `source` is only for people to read."""
    from . import bundles

    if place.startswith("a/") and bundles.is_source(place.split("/", 2)[2]):
        return "source"
    if place.startswith(("ocr/", "sandbox/", "figures/")):
        return place.partition("/")[0]
    if place.startswith("workshop/") or place in workshop_places():
        return "workshop"
    return "model" if place.startswith("models/") else "app"


def lay_tree(tree: Path, into: Path, name: str) -> str:
    """Copies a tree to <name>/<hash of the tree>/ and returns that folder's path."""
    digest = hashlib.sha256()
    for path in files_under(tree):
        place = path.relative_to(tree).as_posix()
        digest.update(f"{place} {vendor.sha256_of(path)}\n".encode())
    folder = f"{name}/{digest.hexdigest()[:12]}/"
    lay_files(tree, into / folder)
    return folder


def lay_files(tree: Path, into: Path, leave_out: tuple[str, ...] = ()) -> None:
    for path in files_under(tree):
        if path.relative_to(tree).as_posix() not in leave_out and path.name != "README.md":
            copy(path, into / path.relative_to(tree))


def copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
