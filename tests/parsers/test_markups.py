"""Two pages that print the same text give the same record, whatever their markup and charset.

Every project and KPI page of the fixtures is printed again in many other markups, from its lines and cells alone, and
must read as its golden says.
"""

import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.rendering import KPI_HEADINGS, PROJECT_HEADINGS

from parsers import facts_sha256, parse_page
from parsers.page import EMPTY_CELL, read_page

FIXTURES = Path(__file__).parents[2] / "fixtures_html"
PAGES = [
    page
    for page in sorted(FIXTURES.glob("*.html"))
    if json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["kind"] in ("project", "kpi")
]
HEADINGS = {*PROJECT_HEADINGS.values(), *KPI_HEADINGS.values()}
Block = str | list[list[str]]
"""A printed line, or the rows of a quarter table."""

_OF_THE_MARKUP = ("heading_glued", "cell_missing")
"""What is said where a page's lines and cells cannot be told for certain."""

NEEDS_CELLS = {"5004-903"}  # has a score but no result in a row: only cells can tell the two apart


def blocks_of(page: Path) -> list[Block]:
    """The page's lines, with its quarter tables as rows of cells."""
    lines = read_page(page.read_bytes()).lines
    blocks: list[Block] = []
    place = 0
    while place < len(lines):
        if lines[place].startswith("ไตรมาสที่") and "ผลประเมินตัวชี้วัด" in " ".join(lines[place : place + 6]):
            end = next(i for i in range(place, len(lines)) if "2.1 / 2.2" in lines[i])
            header = [line for line in lines[place : end + 1] if line != EMPTY_CELL]
            rows = [header]
            place = end + 1
            while place < len(lines) and re.fullmatch("[1-4]", lines[place]):
                end = next(i for i in range(place, len(lines)) if "/" in lines[i]) + 1
                rows.append([cell if cell != EMPTY_CELL else "" for cell in lines[place:end]])
                if len(rows[-1]) == 3:  # boxes instead of cells: the empty one is the score
                    rows[-1].insert(2, "")
                place = end
            blocks.append(rows)
        else:
            if lines[place] != EMPTY_CELL:
                blocks.append(lines[place])
            place += 1
    return blocks


def text(line: str) -> str:
    return html.escape(line, quote=False)


def each(blocks: list[Block], line: Callable[[str], str], rows: Callable[[list[list[str]]], str]) -> str:
    return "\n".join(line(block) if isinstance(block, str) else rows(block) for block in blocks)


def table(rows: list[list[str]]) -> str:
    head = "".join(f"<th>{text(cell)}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def grid(rows: list[list[str]]) -> str:
    return "".join('<div class="row">' + "".join(f"<div>{text(cell)}</div>" for cell in row) + "</div>" for row in rows)


def inline_rows(rows: list[list[str]]) -> str:
    return "".join("<p>" + " ".join(f"<span>{text(cell)}</span>" for cell in row if cell) + "</p>" for row in rows)


def divs(blocks: list[Block]) -> str:
    return each(blocks, lambda line: f"<div class=x>{text(line)}</div>", table)


def breaks(blocks: list[Block]) -> str:
    return "<p>" + each(blocks, lambda line: f"{text(line)}<br>", table) + "</p>"


def grids(blocks: list[Block]) -> str:
    return each(blocks, lambda line: f"<section><h4>{text(line)}</h4></section>", grid)


def spans_in_rows(blocks: list[Block]) -> str:
    return each(blocks, lambda line: f"<li>{text(line)}", inline_rows)


def nineties(blocks: list[Block]) -> str:
    def rows(cells: list[list[str]]) -> str:
        return (
            "<TR><TD><TABLE BORDER=1>"
            + "".join("<TR>" + "".join(f"<TD>{text(c)}" for c in row) for row in cells)
            + "</TABLE>"
        )

    content = each(blocks, lambda line: f"<TR VALIGN=TOP><TD COLSPAN=2><FONT SIZE=2>{text(line)}</FONT>", rows)
    return f"<HTML><BODY BGCOLOR=WHITE><CENTER><TABLE>{content}</TABLE></CENTER></BODY></HTML>"


def labels_in_cells(blocks: list[Block]) -> str:
    """Label and value in separate cells, the colon with the label."""

    def line(printed: str) -> str:
        label, colon, value = printed.partition(" :")
        known = "เริ่มต้น|สิ้นสุด|ค่าเป้าหมาย|ผลงานที่ทำได้|ประเภทตัวชี้วัด|ตัวชี้วัด|\\*\\* ปัญหา|\\*\\* อุปสรรค|รายละเอียดเกี่ยวกับ"
        if colon and value and re.match(known, label):
            return f"<tr><td>{text(label)} :</td><td>{text(value)}</td></tr>"
        if step := re.fullmatch(r"(ขั้นตอน) (\d+)", printed):
            return f"<tr><td>{step[1]}</td><td>{step[2]}</td></tr>"
        return f"<tr><td colspan=2>{text(printed)}</td></tr>"

    return "<table>" + each(blocks, line, lambda rows: f"<tr><td colspan=2>{table(rows)}</td></tr>") + "</table>"


def definition_lists(blocks: list[Block]) -> str:
    def line(printed: str) -> str:
        label, colon, value = printed.partition(" :")
        if colon and value and label.startswith(("** ปัญหา", "** อุปสรรค", "เริ่มต้น", "สิ้นสุด")):
            return f"<dt>{text(label)}</dt><dd>:{text(value)}</dd>"
        return f"<dd>{text(printed)}</dd>"

    return "<dl>" + each(blocks, line, lambda rows: f"<dd>{table(rows)}</dd>") + "</dl>"


def split_words(blocks: list[Block]) -> str:
    """Inline elements, comments and empty elements inside words."""

    def line(printed: str) -> str:
        pieces = [text(printed[i : i + 7]) for i in range(0, len(printed), 7)]
        joints = [
            "<!-- x -->",
            "<b></b>",
            "<wbr>",
            "</span><span class=c>",
            "<i><!----></i>",
            "<o:p></o:p>",
            "<x-y></x-y>",
        ]
        return (
            "<div><span>" + "".join(piece + joints[i % len(joints)] for i, piece in enumerate(pieces)) + "</span></div>"
        )

    return each(blocks, line, table)


def entities(blocks: list[Block]) -> str:
    def code(line: str) -> str:
        return "".join(f"&#x{ord(c):X};" if i % 2 else f"&#{ord(c)};" for i, c in enumerate(line))

    def rows(cells: list[list[str]]) -> str:
        return table([[code(cell) for cell in row] for row in cells]).replace("&amp;", "&")

    return each(blocks, lambda line: f"<p>{code(line)}</p>", rows)


def preformatted(blocks: list[Block]) -> str:
    parts = [f"<pre>{text(block)}\n</pre>" if isinstance(block, str) else table(block) for block in blocks]
    return "".join(parts).replace("\n</pre><pre>", "\n")


def styled(blocks: list[Block]) -> str:
    return each(blocks, lambda line: f'<span style="color:red; DISPLAY: block">{text(line)}</span>', table)


def wrapped_source(blocks: list[Block]) -> str:
    """Source lines broken and indented within the text."""

    def line(printed: str) -> str:
        return "<div>\n\t   " + text(printed).replace(" ", "\n      ") + "\r\n   </div>"

    return each(blocks, line, table)


def furnished(blocks: list[Block]) -> str:
    """Between scripts, hidden decoys and menus that print nothing."""
    decoy = "<div>** ปัญหาของโครงการ :ปลอม</div><p>แผนการดำเนินงานฯ</p><p>ขั้นตอน 1</p>"
    hidden = (
        f'<script>document.write("{decoy}")</script><style>p {{}}</style><template>{decoy}</template><noscript>{decoy}</noscript>'
        f'<div hidden>{decoy}</div><div style="display:none">{decoy}</div><select><option>แผนการดำเนินงานฯ</select>'
        f"<!-- {decoy} --><input type=hidden value='ขั้นตอน 1'>"
    )
    return each(blocks, lambda line: f"{hidden}<div>{text(line)}</div>", table)


def glued_headings(blocks: list[Block]) -> str:
    """A section's heading and its text in one line."""
    parts: list[str] = []
    for number, block in enumerate(blocks):
        following = blocks[number + 1] if number + 1 < len(blocks) else None
        heads = isinstance(block, str) and block in HEADINGS
        if heads and isinstance(following, str) and following not in HEADINGS:
            parts.append(f"<b>{text(str(block))}</b>")
        else:
            parts.append(f"{text(block)}<br>" if isinstance(block, str) else table(block))
    return "".join(parts)


MARKUPS = [
    *(divs, breaks, grids, spans_in_rows, nineties, labels_in_cells, definition_lists, split_words, entities),
    *(preformatted, styled, wrapped_source, furnished, glued_headings),
]


@pytest.mark.parametrize("markup", MARKUPS, ids=lambda markup: markup.__name__)
def test_any_markup_reads_the_same(markup: Callable[[list[Block]], str]) -> None:
    for page in PAGES:
        if markup in (grids, spans_in_rows) and page.stem in NEEDS_CELLS:
            continue
        golden = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
        parsed = parse_page(markup(blocks_of(page)).encode())
        assert parsed.tables == golden["tables"], f"{page.name} as {markup.__name__}"
        assert (parsed.kind, parsed.verdict, parsed.unclaimed) == (golden["kind"], golden["verdict"], []), page.name
        noted = [finding for finding in parsed.findings if finding["rule"] not in _OF_THE_MARKUP]
        assert noted == golden["findings"], page.name


CHARSETS = {
    "utf-8, declared": ("utf-8", '<meta charset="utf-8">', "text/html; charset=utf-8"),
    "utf-8, undeclared": ("utf-8", "", None),
    "utf-8 with its mark": ("utf-8-sig", "", None),
    "utf-8 under a Thai label": ("utf-8", '<meta charset="tis-620">', "text/html; charset=tis-620"),
    "windows-874 in the header": ("cp874", "", "text/html; charset=windows-874"),
    "tis-620 in the page": ("tis-620", "<meta http-equiv=Content-Type content='text/html; charset=TIS-620'>", None),
    "Thai bytes, undeclared": ("cp874", "", None),
    "Thai bytes under utf-8": ("cp874", '<meta charset="utf-8">', "text/html; charset=UTF-8"),
    "Thai bytes under iso-8859-1": ("cp874", "", "text/html; charset=ISO-8859-1"),
    "utf-16 with its mark": ("utf-16", "", None),
}


@pytest.mark.parametrize("charset", CHARSETS)
def test_any_charset_reads_the_same(charset: str) -> None:
    codec, meta, content_type = CHARSETS[charset]
    for page in PAGES:
        source = f"<html><head>{meta}</head><body>{divs(blocks_of(page))}</body></html>"
        try:
            body = source.encode(codec)
        except UnicodeEncodeError:
            continue  # letters that the one-byte charset does not have
        golden = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
        parsed = parse_page(body, content_type=content_type)
        assert parsed.tables == golden["tables"], page.name
        assert parsed.verdict == "ok"


def test_number_formats_are_no_facts() -> None:
    for page in PAGES:
        blocks = blocks_of(page)

        def more_decimals(printed: str) -> str:
            return re.sub(r"(?<![\d/.:-])(\d{1,3})\.(\d\d)(?![\d/.%])", r"\1.\g<2>00", printed)

        again = [
            more_decimals(block)
            if isinstance(block, str)
            and re.match(r"\(\d+\) ความคืบหน้า|[\d.]+$|ความคืบหน้าโครงการ ร้อยละ|ค่าเป้า|ผลงานที่", block)
            else block
            for block in blocks
        ]
        assert facts_sha256(parse_page(divs(again).encode()).tables) == facts_sha256(
            parse_page(divs(blocks).encode()).tables
        )


def test_a_foreign_line_is_never_lost() -> None:
    foreign = "บรรทัดแปลกปลอมที่ไม่มีใครรู้จัก"
    for page in PAGES[::4]:
        blocks = blocks_of(page)
        for place in range(len(blocks) + 1):
            parsed = parse_page(divs([*blocks[:place], foreign, *blocks[place:]]).encode())
            told = json.dumps([parsed.tables, parsed.unclaimed, parsed.findings], ensure_ascii=False)
            assert foreign in told, f"{page.name}, line {place}"


def test_a_page_cut_off_anywhere_is_ok_only_with_all_its_rows() -> None:
    for page in PAGES[::3]:
        body = page.read_bytes()
        whole = parse_page(body)
        for end in range(0, len(body), max(1, len(body) // 150)):
            cut = parse_page(body[:end])
            if cut.verdict == "ok":
                assert cut.tables == whole.tables, f"{page.name} cut at {end}"


def test_the_printed_text_alone_reads_the_same() -> None:
    for page in PAGES:
        golden = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
        parsed = parse_page(page.with_suffix(".txt").read_bytes(), content_type="text/plain; charset=utf-8")
        expected = golden["tables"]
        if golden["kind"] == "result_list":  # the codes are in links only, and a text has none
            expected = {"result_list_quarters": expected["result_list_quarters"]}
        assert {table: parsed.tables[table] for table in expected} == expected, page.name
        assert (parsed.kind, parsed.verdict, parsed.unclaimed) == (golden["kind"], "ok", [])
