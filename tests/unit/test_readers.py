"""Readers of documents, on files made here, with the very libraries that the site carries."""

import asyncio
import contextlib
import io
import sys
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onglet.browser import workbench
from onglet.documents import readers
from onglet.documents.blocks import Block
from onglet.documents.passages import MOST, passages
from onglet.engine.errors import Refused
from onglet_build import vendor
from tests.native_pdfium import native


@pytest.fixture(scope="module", autouse=True)
def libraries():
    rows = [row for row in vendor.packages("workshop") if row.python]
    vendor.fetch(rows)
    folders = [str(row.folder) for row in rows]
    sys.path[:0] = folders
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workbench, "pdfium", native)
        yield
    for folder in folders:
        sys.path.remove(folder)


def zipped(**members: str | bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), data)
    return buffer.getvalue()


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def docx(body: str, head: str = "") -> bytes:
    rels = f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r" Target="word/document.xml" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", rels)
        document = f'{head}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
        archive.writestr("word/document.xml", document)
    return buffer.getvalue()


def odt(body: str, head: str = "") -> bytes:
    spaces = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "text", "table")
    )
    content = f"{head}<office:document-content{spaces}>{body}</office:document-content>"
    return zipped(content_xml=content)


def epub(*chapters: str) -> bytes:
    package = "".join(
        f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in reversed(range(len(chapters))))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="in/b.opf"/></rootfiles></container>',
        )
        archive.writestr(
            "in/b.opf",
            '<package xmlns="http://www.idpf.org/2007/opf">'
            f"<manifest>{package}</manifest><spine>{spine}</spine></package>",
        )
        for number, chapter in enumerate(chapters):
            archive.writestr(f"in/c{number}.xhtml", chapter)
    return buffer.getvalue()


def pdf(*pages: str) -> bytes:
    """A PDF whose pages run these text operators, in Helvetica without a space's width."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>"]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>")
    objects.append(
        "<</Type/Font/Subtype/TrueType/BaseFont/X/FirstChar 32/LastChar 122"
        f"/Widths[{' '.join(['564'] * 91)}]/Encoding/WinAnsiEncoding>>"
    )
    for number, page in enumerate(pages):
        content = f"BT /F 10 Tf 50 700 Td {page} ET"
        objects.append(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F 3 0 R>>>>"
            f"/Contents {5 + 2 * number} 0 R>>"
        )
        objects.append(f"<</Length {len(content)}>>\nstream\n{content}\nendstream")
    return file_of(objects)


def file_of(objects: list[str]) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    tail = f"xref\n0 {size}\n0000000000 65535 f \n{table}"
    tail += f"trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{len(out)}\n%%EOF"
    return out + tail.encode()


def texts(data: bytes | str, name: str) -> list[str]:
    data = data.encode() if isinstance(data, str) else data
    return [block.text for block in read(data, name)]


def read(data: bytes, name: str) -> list[Block]:
    return asyncio.run(readers.read(data, name))


def test_markdown():
    found = read(b"# One\n\nA *b* `c`\nd\n\n- x\n- y\n\n## Two\n```\ncode\n```\n", "a.md")
    assert found == [
        Block("One", 1), Block("A b c d"), Block("• x"), Block("• y"),
        Block("Two", 2), Block("code"),
    ]  # fmt: skip


def test_html_without_its_scripts():
    page = """<html><head><title>t</title></head><body>loose <b>bold</b><script>evil()</script>
    <div><h2>Head</h2><p>A <i>b</i></p><!-- no --><ul><li>x</li><li><p>in</p> tail</li></ul>
    <table><tr><th>k</th><th>v</th></tr><tr><td>1</td><td>2</td></tr></table></div><nav>menu</nav>"""
    assert texts(page, "a.html") == [
        "loose bold", "Head", "A b", "• x", "in", "tail", "k | v", "1 | 2",
    ]  # fmt: skip


def test_pdf_pages_and_narrow_gaps():
    found = read(pdf("[(Gaps)-230(between)-230(words)20(!)] TJ", "(Second) Tj"), "a.pdf")
    assert found == [Block("Gaps between words!", 0, 1), Block("Second", 0, 2)]


def test_a_pdf_is_known_by_its_bytes():
    assert texts(pdf("(Hello) Tj"), "letter.txt") == ["Hello"]


def test_docx():
    styled = '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Title</w:t></w:r></w:p>'
    runs = "<w:r><w:t>Some</w:t></w:r><w:r><w:t xml:space='preserve'> words</w:t></w:r>"
    plain = f"<w:p>{runs}</w:p>"
    assert texts(docx(styled + plain), "a.docx")[-1] == "Some words"
    assert "Title" in texts(docx(styled + plain), "a.docx")


def test_odt():
    body = """<text:h text:outline-level="2">Head</text:h>
    <text:p>a<text:s/>b <text:span>c</text:span> d</text:p>
    <text:list><text:list-item><text:p>x</text:p></text:list-item></text:list>
    <table:table-row><table:table-cell><text:p>1</text:p></table:table-cell>
    <table:table-cell><text:p>2</text:p></table:table-cell></table:table-row>"""
    assert read(odt(body), "a.odt") == [
        Block("Head", 2), Block("a b c d"), Block("• x"), Block("1 | 2"),
    ]  # fmt: skip


def test_epub_goes_by_the_spine():
    assert texts(epub("<p>first", "<h1>second"), "a.epub") == ["second", "first"]


@pytest.mark.parametrize("separator, name", [(",", "a.csv"), (";", "a.csv"), ("\t", "a.tsv")])
def test_tables_name_their_columns(separator, name):
    rows = [["name", "city"], ["Ada", "London"], ["Grace", ""]]
    data = "\n".join(separator.join(row) for row in rows)
    assert texts(data, name) == ["name | city", "name: Ada; city: London", "name: Grace"]


def test_mail():
    mail = (
        "Subject: =?utf-8?q?Caf=C3=A9?=\r\nFrom: a@b.c\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>H=C3=A9llo<script>x</script></p>"
    )
    assert texts(mail, "a.eml") == ["Café", "From: a@b.c", "Héllo"]


FRENCH = "L’été dernier, nous avons été très étonnés par les élèves de la forêt. " * 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(encoding):
    assert texts(FRENCH.encode(encoding), "a.txt") == [FRENCH.strip()]


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
HOSTILE = {
    "empty": (b"", "a.txt", "empty_file"),
    "no suffix": (b"\x7fELF", "a", "unknown_document"),
    "other suffix": (b"x", "a.xyz", "unknown_document"),
    "binary text": (b"\0\1\2\3" * 500, "a.txt", "broken_document"),
    "blank": (b" \n\t ", "a.txt", "no_text"),
    "cut pdf": (b"%PDF-1.4\n1 0 obj", "a.pdf", "broken_document"),
    "not a zip": (b"PK\3\4 and then nothing", "a.docx", "broken_document"),
    "another zip": (zipped(a="b"), "a.docx", "broken_document"),
    "bomb in docx": (zipped(word__document_xml=bytes(65 << 20)), "a.docx", "document_bomb"),
    "bomb in odt": (zipped(content_xml=bytes(65 << 20)), "a.odt", "document_bomb"),
    "entities in docx": (docx("", ENTITIES), "a.docx", "document_bomb"),
    "entities in odt": (odt("<text:p>&b;</text:p>", ENTITIES), "a.odt", "document_bomb"),
    "a file in odt": (odt("<text:p>&a;</text:p>", OUTSIDE), "a.odt", "document_bomb"),
    "odt that is no xml": (zipped(content_xml="<a><b></a>"), "a.odt", "broken_document"),
    "epub without a spine": (zipped(a="b"), "a.epub", "broken_document"),
}


@pytest.mark.parametrize("data, name, code", HOSTILE.values(), ids=HOSTILE)
def test_hostile_documents_are_refused(data, name, code):
    with pytest.raises(Refused) as refused:
        read(data, name)
    assert refused.value.code == code


def test_a_pdf_of_too_many_pages(monkeypatch):
    monkeypatch.setattr("onglet.documents.readers.pdf.MOST_PAGES", 2)
    with pytest.raises(Refused, match="document_pages"):
        read(pdf("(a) Tj", "(b) Tj", "(c) Tj"), "a.pdf")


def tree(count: str, *kids: str) -> bytes:
    """A PDF whose page tree has these branches, one after the other, and one page."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>"]
    objects += [f"<</Type/Pages{count}/Kids[{each}]>>" for each in kids]
    objects += ["<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"]
    return file_of(objects)


BRANCHES = {
    "100,000 pages": ("3 0 R " * 100_000,),
    "ten to the ninth": tuple(f"{number} 0 R " * 10 for number in range(3, 12)),
    "a circle": ("3 0 R", "2 0 R 2 0 R"),
}
ENDLESS = {
    f"{name}, {counted or 'not counted'}": (tree(count, *kids), counted)
    for name, kids in BRANCHES.items()
    for count, counted in (("", ""), ("/Count 1", "one"), ("/Count 100000", "100,000"))
}


@pytest.mark.parametrize("data, counted", ENDLESS.values(), ids=ENDLESS)
def test_a_pdf_without_end_is_refused_at_once(data, counted):
    codes = {"100,000": "document_pages", "one": "no_text", "": "document_pages|no_text|broken_doc"}
    with pytest.raises(Refused, match=codes[counted]):
        read(data, "a.pdf")


@settings(deadline=None)  # the first example imports the libraries
@given(st.binary(max_size=400), st.sampled_from(["txt", "md", "html", "csv", "eml", "pdf", "odt"]))
def test_any_bytes_end_in_text_or_a_refusal(data, suffix):
    with contextlib.suppress(Refused):
        assert read(data, f"a.{suffix}")


BLOCKS = st.builds(
    Block,
    st.text(st.sampled_from("ab .!é"), min_size=1, max_size=3000).map(str.strip).filter(bool),
    st.integers(0, 6),
    st.none() | st.integers(1, 3),
)


@given(st.lists(BLOCKS, max_size=20))
def test_passages_hold_all_the_text_and_stay_on_their_page(blocks):
    found = list(passages(blocks))
    assert "".join("".join(p.text for p in found).split()) == "".join(
        "".join(block.text for block in blocks).split()
    )
    assert all(0 < len(p.text) <= MOST + 200 for p in found)
    assert [p.page for p in found if p.page] == [
        p.page for p in found if p.page and p.page in {block.page for block in blocks}
    ]


def test_passages_know_their_headings():
    first = [Block("One", 1), Block("a" * 300), Block("Two", 2), Block("b" * 300)]
    blocks = [*first, Block("Three", 1)]
    found = list(passages(blocks))
    assert [p.headings for p in found] == ["One", "One › Two", "Three"]
    assert found[1].with_headings.startswith("One › Two\nTwo\nbbb")
