"""Records to the portal's printed page, and the printed page to HTML in any of many markups.

`print_project`, `print_kpi`, `print_result_list` and `print_yii` say what the portal prints, line by line; nothing of
HTML is in them. `Markup` says how a page is written: which elements its lines and cells stand in, how a label and its
value stand apart, how letters are written, what stands around it. Every printed page can be written in every markup.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from parsers.pages import kpi, project
from parsers.values import BUDDHIST_OFFSET

PROJECT_HEADINGS = {section.key: section.heading for section in project.SECTIONS}
KPI_HEADINGS = {section.key: section.heading for section in kpi.SECTIONS}

Row = dict[str, Any]
Tables = dict[str, list[Row]]

_LABEL_WORD = re.compile(
    r"[*(:\[-]|[ก-๙/]+(?:ฯ|โครงการ|เหตุผล|งาน)$|[0-9๐-๙]+$|ขั้นตอน|เริ่มต้น|สิ้นสุด|รหัส|ไตรมาส|Back|Home|พิมพ์|ด้านที่|มิติ|หน่วยนับ|เป้าหมาย|ผลงาน"
)
"""What a quoted label begins or ends with: officers' texts break elsewhere, or nobody could tell a text from a label."""
_THAI_DIGITS = str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")
_CITY_TEXTS = {
    "1.นิยาม หรือความหมายของตัวชี้วัด": "definition",
    "2.วิธีการคำนวณ หรือ เกณฑ์การประเมิน": "method",
    "3.แหล่งข้อมูล/เจ้าของข้อมูล": "source",
}
_LEVELS = {"output": "ตัวชี้วัดระดับผลผลิต (output)", "outcome": "ตัวชี้วัดระดับผลลัพธ์ (outcome)"}


# --- what is printed -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One printed line: `label`, `joint` and `value` follow each other; a markup may set them apart.

    links: addresses that begin in the line; role: what the line is on the page (`heading`, `title`; `text` and
        `free` where its label or its value is free text)
    """

    label: str
    joint: str = ""
    value: str = ""
    role: str = ""
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quarters:
    """A quarter table: its unit and its rows of four cells (quarter, result, score, the pair)."""

    unit: str
    rows: tuple[tuple[str, str, str, str], ...]


Printed = list[Line | Quarters]


@dataclass(frozen=True)
class Printing:
    """The portal's ways of printing the same facts: number formats, stamps, words for none, typed dates.

    decimals: of numbers, None for as few as needed; turn: which of several spellings comes first
    """

    decimals: int | None = None
    milliseconds: bool = False
    evaluation_quarter: int = 2
    turn: int = 0

    def number(self, value: float | None, *, commas: bool = False) -> str:
        if value is None:
            return ""
        if self.decimals is None:
            return f"{int(value):,}" if commas and value == int(value) else f"{value:.2f}".rstrip("0").rstrip(".")
        return f"{value:,.{self.decimals}f}" if commas else f"{value:.{self.decimals}f}"

    def stamp(self, day: str | None) -> str:
        return f"{day} 00:00:00{'.000' if self.milliseconds else ''}" if day else ""

    def one_of(self, *spellings: str, at: int = 0) -> str:
        return spellings[(self.turn + at) % len(spellings)]

    def typed_day(self, day: str, at: int) -> str:
        found = date.fromisoformat(day)
        year = found.year + BUDDHIST_OFFSET
        typed = self.one_of(f"{found.day}/{found.month}/{year}", f"{found.day:02}/{found.month:02}/{year}", at=at)
        return typed.translate(_THAI_DIGITS) if (self.turn + at) % 5 == 4 else typed


def _heading(text: str) -> Line:
    return Line(text, role="heading")


def print_project(tables: Tables, how: Printing) -> Printed:
    """A project page, line by line, as portal.md lists it."""
    project = tables["projects"][0]
    code = project["project_code"]
    progress = how.number(project["progress_percent"])
    page: Printed = [Line("ความคืบหน้าโครงการ/กิจกรรม", role="title")]
    page += [Line("Back Home")] if how.turn % 2 else [Line("Back"), Line("Home")]
    page += [
        Line("FusionCharts will render here"),
        Line(project["name"], " : ", code, role="title"),
        Line(how.one_of("", "", "** ") + project["agency_name"], " : ", f"({project['fiscal_year_be']})", role="title"),
        Line(progress),
        Line("ความคืบหน้าโครงการ ร้อยละ", " ", progress),
    ]
    page += [Line(row["contact"]) for row in tables["contacts"]]
    page += [
        Line("ดูโครงการแผนปีฯ", " : ", "พิมพ์ข้อมูล", links=("printplan.php", "printdata.php")),
        Line(
            "*** สยป. ประเมินโครงการ",
            " : ",
            f"ไตรมาสที่ {how.evaluation_quarter} {how.number(project['evaluation_score'])}".strip(),
        ),
        _heading(PROJECT_HEADINGS["rationale"]),
    ]
    page += _text(project["rationale"])
    page.append(Line(f"{project['unit_code']}/{project['unit_code_second']}"))
    page += [_heading(PROJECT_HEADINGS["objectives"]), *_text(project["objectives"])]
    page += [_heading(PROJECT_HEADINGS["targets"]), *_text(project["targets"])]
    page += [_heading(PROJECT_HEADINGS["strategies"]), *_strategies(tables["project_strategies"], how)]
    page += [_heading(PROJECT_HEADINGS["reports"])]
    for row in reversed(tables["progress_reports"]):
        page += _report(row, how)
    page += [_heading(PROJECT_HEADINGS["plan"])]
    for row in tables["plan_steps"]:
        page += _step(row, how)
    page += [
        Line("(ทดสอบ) แสดงขั้นตอนการดำเนินงานโครงการ", " : ", code, links=(f"mystep.php?pid={code}",)),
        Line("(คลิก) ขั้นตอนการปฏิบัติงานของโครงการ", " : ", code, links=(f"step.php?pid={code}",)),
        _heading(PROJECT_HEADINGS["kpis"]),
    ]
    for row in tables["project_kpis"]:
        kpi_code = row["kpi_code"]
        quarters = [quarter for quarter in tables["project_kpi_quarters"] if quarter["kpi_code"] == kpi_code]
        page += [
            Line("รายละเอียดเกี่ยวกับตัวชี้วัด", " : ", kpi_code, links=(f"mykpi.php?pid={kpi_code}",)),
            Line("ตัวชี้วัด", " : ", row["name"]),
            *_measures(row, how),
            Line(_LEVELS[row["kpi_level"]]),
            _quarters(row["unit"], quarters, how),
        ]
    return [*page, _heading(PROJECT_HEADINGS["evaluations"])]


def _text(text: str | None) -> list[Line]:
    return [Line(text, role="text")] if text else []


def _strategies(rows: list[Row], how: Printing) -> Iterator[Line]:
    for row in rows:
        code = row["strategy_code"].translate(_THAI_DIGITS)
        name = row["name"] + ("%" if row["level"] == 3 else "")
        if row["level_label"]:
            english = f" : {row['name_en']}" if row["name_en"] else ""
            yield Line(f"{row['level_label']} {code}", how.one_of(" – ", " –"), name + english)
        else:
            yield Line(code, how.one_of(" - ", " ", at=row["level"]), name)


def _report(row: Row, how: Printing) -> list[Line]:
    index = row["report_index"]
    percent = how.number(row["progress_percent"])
    heading = Line(
        f"({row['report_no']}) ความคืบหน้าโครงการฯ ร้อยละ", " ", f"{percent} ({row['reported_on_date']})", role="report"
    )
    lines = [heading, Line(percent)]
    if row["note_date"]:
        joint = how.one_of(" : ", " :", ": ", at=index)
        lines.append(Line(how.typed_day(row["note_date"], index), joint, row["note"] or "", role="free"))
    elif row["note"]:
        lines.append(Line(row["note"], role="text"))
    elif how.turn % 2:
        lines.append(Line(":"))
    return [
        *lines,
        Line("** ปัญหาของโครงการ", " :", row["problems"] or how.one_of("ไม่มี", "-", "", at=index), role="free"),
        Line("** อุปสรรคของโครงการ", " :", row["obstacles"] or how.one_of("-", "", "ไม่มี", at=index), role="free"),
        Line("------------------&&&--------------------", role="rule"),
    ]


def _step(row: Row, how: Printing) -> list[Line]:
    return [
        Line("ขั้นตอน", " ", str(row["step_no"]), role="step"),
        Line("", ":", row["description"] or "", role="free"),
        Line("", ":", f"{how.number(row['weight_percent'])}%"),
        Line("เริ่มต้น", " :", how.stamp(row["start_date"])),
        Line("สิ้นสุด", " :", how.stamp(row["end_date"])),
    ]


def _measures(row: Row, how: Printing) -> list[Line]:
    return [
        Line(f"ค่าเป้าหมาย {row['unit']}", " : ", how.number(row["target_value"])),
        Line(f"ผลงานที่ทำได้ {row['unit']}", " : ", how.number(row["achieved_value"])),
        Line("ประเภทตัวชี้วัด", " : ", row["kpi_type"] or ""),
    ]


def _quarters(unit: str, rows: list[Row], how: Printing) -> Quarters:
    def number(value: float | None) -> str:
        return how.number(value)

    def cells(row: Row) -> tuple[str, str, str, str]:
        result = "" if row["result_value"] is None else f"{row['result_value']:,.2f}"
        pair = f"{number(row['evaluation_2_1'])} / {number(row['evaluation_2_2'])}"
        return str(row["quarter"]), result, number(row["score"]), pair

    return Quarters(unit, tuple(cells(row) for row in rows))


def print_kpi(tables: Tables, how: Printing) -> Printed:
    """A KPI page, line by line."""
    kpi = tables["kpis"][0]
    narratives = {row["quarter"]: row["narrative"] for row in tables["kpi_quarters"]}
    measured = [row for row in tables["kpi_quarters"] if row["evaluation_2_1"] is not None]
    score = how.number(kpi["evaluation_score"])
    page: Printed = [
        Line("รายละเอียดตัวชี้วัด", role="title"),
        Line("Back Home"),
        Line(kpi["name"], " : ", kpi["kpi_code"], role="title"),
        *_measures(kpi, how),
        Line(f"({_LEVELS[kpi['kpi_level']]})"),
        Line("0"),
        Line("รายละเอียดตัวชี้วัดฯ", " : ", "พิมพ์ข้อมูล"),
        Line(
            "*** สยป. ตรวจประเมินตัวชี้วัด",
            how.one_of(" : ", ": "),
            f"ไตรมาสที่ {how.evaluation_quarter}{how.one_of(' : ', ': ')}{score}".strip(),
        ),
        _heading(KPI_HEADINGS["quarters"]),
        _quarters(kpi["unit"], measured, how),
    ]
    for quarter in range(1, 5):
        page += [_heading(KPI_HEADINGS[f"narrative_{quarter}"]), *_text(narratives.get(quarter))]
    page += [_heading(KPI_HEADINGS["summary"]), *_text(kpi["summary"])]
    return [*page, _heading(KPI_HEADINGS["definition"]), *_text(kpi["definition"])]


def print_result_list(tables: Tables, how: Printing) -> Printed:
    """A result list, line by line, under either of its two titles."""
    items = tables["result_list_items"]
    agency, dimension = items[0]["agency_code"], items[0]["dimension_no"]
    levels: str | None = None
    title = how.one_of("ผลการปฏิบัติราชการประจำปีของหน่วยงาน", "ผลการปฏิบัติราชการประจำปี : ของหน่วยงาน")
    page: Printed = [Line(title, " : ", agency, role="title")]
    if how.turn % 3:
        page.insert(how.turn % 3 - 1, Line("Home Home SED"))
    if items[0]["dimension_name"]:
        page.append(Line(f"มิติที่ {dimension}", " ", items[0]["dimension_name"], role="title"))
    for item in items:
        if not item["dimension_name"] and item["strategy"] != levels:  # a list by strategy
            levels = item["strategy"]
            page += [Line(level) for level in re.split(" (?=มิติที่)", levels)]
        number = item["item_no"]
        linked = [row for row in tables["result_list_links"] if row["item_no"] == number]
        paths = [f"my{row['linked_kind']}.php?pid={row['linked_code']}" for row in linked]
        page.append(Line(f"({number})", " ", item["name"], role="item", links=tuple(paths[:1])))
        page.append(Line(f"[{item['heading']}]"))
        page += _text(item["strategy"] if item["dimension_name"] else None)
        page += [
            Line(item["name"], links=tuple(paths[1:])),
            Line("หน่วยนับ", " :", item["unit"]),
            Line("เป้าหมาย", " :", how.number(item["target_value"])),
            Line("ผลงาน", " :", how.number(item["achieved_value"])),
        ]
        rows = [row for row in tables["result_list_quarters"] if row["item_no"] == number]
        page += [Line(KPI_HEADINGS["quarters"])] if how.turn % 2 else []
        page.append(_quarters(item["unit"], rows, how))
        page += _text(item["report"])
        if any(row["narrative"] for row in rows):
            for row in rows:
                page += [Line(f"รายงานผลฯ ไตรมาสที่ {row['quarter']}"), *_text(row["narrative"])]
    return page


def print_yii(tables: Tables, how: Printing) -> Printed:
    """The newer front end's project page: labels and values without a joint."""
    project = tables["projects"][0]
    kpis = tables["project_kpis"]
    not_set = how.one_of("(ไม่ได้ตั้ง)", "(not set)", "")
    rows = {
        "รหัสโครงการ": project["project_code"],
        **({"ชื่อโครงการ": project["name"]} if project["name"] else {}),
        "ปี": str(project["fiscal_year_be"] or ""),
        "งบฯ ที่ได้รับ (บาท)": how.number(project["budget_received_baht"], commas=True),
        "งบฯ ที่ใช้ไป (บาท)": how.number(project["budget_spent_baht"], commas=True),
        "คืบหน้าล่าสุด": how.number(project["progress_percent"]),
        "หน่วยงาน": project["agency_name"] or "",
        "Start Date": f"{project['start_date']} 00:00:00.000" if project["start_date"] else "",
        "Finish Date": f"{project['finish_date']} 00:00:00.000" if project["finish_date"] else "",
        "Kpi ID": kpis[0]["kpi_code"] if kpis else "(ไม่ได้ตั้ง)",
        "Policy ID": project.get("policy_id") or "",
        "Branch ID": project.get("branch_id") or "",
        "หลักการและเหตุผล": project["rationale"] or "",
    }
    page: Printed = [Line(label, "", value or not_set) for label, value in rows.items()]
    if how.turn % 3 == 0:
        return page
    progress = f"คืบหน้าล่าสุด : ร้อยละ {how.number(project['progress_percent'])}".strip()
    above = [f"รายละเอียดโครงการ/กิจกรรม: {project['project_code']}", progress, "ข้อมูลโครงการ/กิจกรรม พิมพ์ PDF"]
    return [*map(Line, above), *page]


def print_city_indicator(tables: Tables, how: Printing) -> Printed:
    """The page of an indicator of the city's development plan, line by line."""
    row = tables["city_indicators"][0]
    number = row["printed_no"]
    page: Printed = [
        Line("โครงการจัดทำฐานข้อมูลตัวชี้วัดการพัฒนาเมือง (2562-2563)", role="title"),
        Line("Back Home"),
        Line(
            f"{how.one_of(number, number.translate(_THAI_DIGITS))}. {row['name']}",
            " : ",
            row["indicator_no"],
            role="title",
        ),
        Line(f"ค่าเป้าหมาย {row['unit']}", " : ", row["target"]),
        Line("ลักษณะข้อมูล", " : ", row["data_kind"]),
        _heading(PROJECT_HEADINGS["strategies"]),
    ]
    for strategy in tables["city_indicator_strategies"]:
        label = f"{strategy['level_label'] or ''} {strategy['strategy_code'].translate(_THAI_DIGITS)}".strip()
        joint = " " if strategy["level"] == 3 else " - "
        page.append(Line("", ":", f"{label}{joint}{strategy['name']}{'%' if strategy['level'] == 3 else ''}"))
    for heading, column in _CITY_TEXTS.items():
        page += [_heading(heading), *_text(row[column])]
    return page


# --- how letters are written ---------------------------------------------------------------------------------------

Writer = Callable[[str], str]


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _code_points(text: str) -> str:
    return "".join(f"&#x{ord(c):X};" if i % 2 else f"&#{ord(c)};" for i, c in enumerate(text))


def _no_break_blanks(text: str) -> str:
    return "&nbsp;&nbsp;" + _escaped(text).replace(" ", "&nbsp;") + "&nbsp;"


def _wrapped(text: str) -> str:
    return "\r\n\t\t   " + _escaped(text).replace(" ", " \n      ") + "\n   "


def _split_words(text: str) -> str:
    joints = (
        "<!-- x -->",
        "<b></b>",
        "<wbr>",
        "</span><span class=c>",
        "<i><!----></i>",
        "<o:p></o:p>",
        "</span><span>",
    )
    pieces = [_escaped(text[i : i + 5]) for i in range(0, len(text), 5)]
    return "<span>" + "".join(p + joints[i % len(joints)] for i, p in enumerate(pieces)) + "</span>"


def _fonts(text: str) -> str:
    return f'<font face="MS Sans Serif" size=2 color=#000080><b>{_escaped(text)}</b></font>'


def _coloured_halves(text: str) -> str:
    half = len(text) // 2
    return f'<FONT COLOR="red">{_escaped(text[:half])}</FONT><em>{_escaped(text[half:])}</em>'


def _word_processor(text: str) -> str:
    """Letters as word processors leave them: sara am in pieces, doubled sara e, zero-width blanks, soft hyphens."""
    odd = text.replace("ำ", "\u0e4d\u0e32").replace("แ", "เเ").replace(" ", "\u200b\u00a0 ")
    return _escaped(odd[:3] + "\u200b" + odd[3:] if len(odd) > 6 else odd)


def _copied_from_pdf(text: str) -> str:
    """Sara am as PDF leaves it, and tone marks where typists put them."""
    odd = text.replace("ำ", "ำ\u0e32")
    return _escaped(odd.replace("\u0e49ำ\u0e32", "\u0e4d\u0e49\u0e32", 1))


def _unclosed_font(text: str) -> str:
    return f"<font face=Tahoma size=2><b>{_escaped(text)}"


def _misnested(text: str) -> str:
    half = text.find(" ") + 1
    return f"<b><i>{_escaped(text[:half])}</b>{_escaped(text[half:])}</i></span>"


def _named_entities(text: str) -> str:
    named = _escaped(text).replace(" ", "&ensp;").replace('"', "&quot;").replace("–", "&ndash;")
    return f"&zwnj;{named}&#8203;".replace("“", "&ldquo;").replace("”", "&rdquo;")


def _linked(text: str) -> str:
    return f'<a href="#" onclick="return false">{_escaped(text)}</a>'


WRITERS: dict[str, Writer] = {
    "plain": _escaped,
    "code points": _code_points,
    "no-break blanks": _no_break_blanks,
    "wrapped source": _wrapped,
    "split words": _split_words,
    "fonts": _fonts,
    "coloured halves": _coloured_halves,
    "word processor": _word_processor,
    "copied from pdf": _copied_from_pdf,
    "unclosed font": _unclosed_font,
    "misnested": _misnested,
    "named entities": _named_entities,
    "linked": _linked,
}


# --- how lines stand in elements -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """A line whose letters are written: one to three cells, or a whole quarter table (`table`)."""

    cells: tuple[str, ...]
    role: str = ""
    table: bool = False


Layout = Callable[[list[Written]], str]


def _sections(lines: list[Written]) -> Iterator[tuple[Written | None, list[Written]]]:
    """Headings with what stands below each; what stands above the first has none."""
    heading: Written | None = None
    below: list[Written] = []
    for line in lines:
        if line.role == "heading":
            yield heading, below
            heading, below = line, []
        else:
            below.append(line)
    yield heading, below


def _each(box: str, between: str = "") -> Layout:
    """Each cell in the same element; `{}` is its place in `box`."""

    def layout(lines: list[Written]) -> str:
        return between.join(c if line.table else box.format(c) for line in lines for c in line.cells)

    return layout


def _breaks(lines: list[Written]) -> str:
    return "<p>" + "".join("<br>".join(line.cells) + "<br />\n" for line in lines) + "</p>"


def _double_breaks(lines: list[Written]) -> str:
    return "<div align=left>" + "".join(f"{'<br>'.join(line.cells)}<br><br>\n" for line in lines) + "</div>"


def _table(lines: list[Written]) -> str:
    def row(line: Written) -> str:
        if len(line.cells) == 1:
            return f"<tr><td colspan=3>{line.cells[0]}</td></tr>\n"
        return "<tr>" + "".join(f"<td>{cell}</td>" for cell in line.cells) + "</tr>\n"

    return f'<table width="100%" border="0" cellspacing="0" cellpadding="0">{"".join(map(row, lines))}</table>'


def _heads(lines: list[Written]) -> str:
    def row(line: Written) -> str:
        head, *rest = line.cells
        return f'<tr><th scope="row" nowrap>{head}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"

    return f"<table class='table table-bordered'><tbody>{''.join(map(row, lines))}</tbody></table>"


def _nineties(lines: list[Written]) -> str:
    rows = "".join("<TR VALIGN=TOP>" + "".join(f"<TD NOWRAP><FONT SIZE=2>{c}" for c in x.cells) for x in lines)
    return f"<CENTER><TABLE BORDER=0 CELLPADDING=2>{rows}</TABLE></CENTER>"


def _spaced(lines: list[Written]) -> str:
    """Spacer images, spacer cells and spacer rows, as layout programs made them."""
    gap = '<td width="10"><img src="images/spacer.gif" width="10" height="1" alt=""></td>'
    row_gap = '<tr><td colspan="5" height="4"></td></tr>'

    def row(line: Written) -> str:
        return f"<tr>{gap}{''.join(f'<td>{c}</td><td>&nbsp;</td>' for c in line.cells)}{gap}</tr>\n{row_gap}"

    return f'<table border="0">{"".join(map(row, lines))}</table>'


def _label_above(lines: list[Written]) -> str:
    rows = "".join(f"<tr><td bgcolor=#eeeeee>{cell}</td></tr>" for line in lines for cell in line.cells)
    return f"<table>{rows}</table>"


def _nested(lines: list[Written]) -> str:
    parts = []
    for heading, below in _sections(lines):
        head = f"<tr><td><strong>{heading.cells[0]}</strong></td></tr>" if heading else ""
        inner = _table(below) if below else ""
        parts.append(f"<table>{head}<tr><td><table><tr><td>{inner}</td></tr></table></td></tr></table>")
    return "".join(parts)


def _row_spans(lines: list[Written]) -> str:
    parts = []
    for heading, below in _sections(lines):
        cells = "".join(f"<td>{line.cells[0]}</td>" for line in below[:1])
        more = "".join(f"<tr><td>{'</td><td>'.join(line.cells)}</td></tr>" for line in below[1:])
        rest = "".join(f"<tr><td>{cell}</td></tr>" for line in below[:1] for cell in line.cells[1:])
        head = f'<td rowspan="{max(len(below), 1)}">{heading.cells[0]}</td>' if heading else ""
        parts.append(f"<tr>{head}{cells}</tr>{rest}{more}")
    return f"<table border=1>{''.join(parts)}</table>"


def _definitions(lines: list[Written]) -> str:
    def item(line: Written) -> str:
        head, *rest = line.cells
        return f"<dt>{head}</dt>" + "".join(f"<dd>{cell}</dd>" for cell in rest) if rest else f"<dd>{head}</dd>"

    return f'<dl class="dl-horizontal">{"".join(map(item, lines))}</dl>'


def _list_items(lines: list[Written]) -> str:
    def item(line: Written) -> str:
        head, *rest = line.cells
        return f"<li class=list-group-item><label>{head}</label>" + "".join(f"<p>{cell}</p>" for cell in rest)

    return f'<ul data-role="listview">{"".join(map(item, lines))}</ul>'


def _grid(lines: list[Written]) -> str:
    def row(line: Written) -> str:
        wide = 12 // len(line.cells)
        return f'<div class="row">{"".join(f"<div class=col-md-{wide}>{c}</div>" for c in line.cells)}</div>\n'

    return f'<div class="container-fluid">{"".join(map(row, lines))}</div>'


def _field_sets(lines: list[Written]) -> str:
    parts = []
    for heading, below in _sections(lines):
        legend = f"<legend>{heading.cells[0]}</legend>" if heading else ""
        parts.append(f"<fieldset>{legend}{_each('<p>{}</p>')(below)}</fieldset>")
    return f'<form name="form1" method="post" action="">{"".join(parts)}</form>'


def _panels(lines: list[Written]) -> str:
    parts = []
    for heading, below in _sections(lines):
        title = f'<div class="panel-heading"><h3 class="panel-title">{heading.cells[0]}</h3></div>' if heading else ""
        parts.append(f'<div class="panel panel-info">{title}<div class="panel-body">{_grid(below)}</div></div>')
    return "".join(parts)


def _collapsible(lines: list[Written]) -> str:
    parts = []
    for heading, below in _sections(lines):
        title = f"<h3>{heading.cells[0]}</h3>" if heading else ""
        parts.append(f'<div data-role="collapsible" data-collapsed="false">{title}{_breaks(below)}</div>')
    return f'<div data-role="page"><div role="main" class="ui-content">{"".join(parts)}</div></div>'


def _details(lines: list[Written]) -> str:
    parts = []
    for heading, below in _sections(lines):
        title = f"<summary>{heading.cells[0]}</summary>" if heading else ""
        parts.append(f"<details open>{title}{_list_items(below)}</details>")
    return "<main>" + "".join(parts) + "</main>"


def _preformatted(lines: list[Written]) -> str:
    return "".join(f"{x.cells[0]}" if x.table else "<pre>" + "\n".join(x.cells) + "\n</pre>" for x in lines)


def _text_areas(lines: list[Written]) -> str:
    def item(line: Written) -> str:
        if line.role == "text" and "<" not in line.cells[0]:
            return f'<p><textarea name="t" rows="5" cols="60" readonly>{line.cells[0]}</textarea></p>'
        return "".join(cell if line.table else f"<p>{cell}</p>" for cell in line.cells)

    return "<form>" + "".join(map(item, lines)) + "</form>"


def _inputs(lines: list[Written]) -> str:
    """A form that shows the record: labels before text fields."""

    def item(line: Written) -> str:
        head, *rest = line.cells
        if line.table or not rest or "<" in "".join(rest):
            return "".join(cell if line.table else f"<div>{cell}</div>" for cell in line.cells)
        fields = " ".join(f'<input type="text" size="40" readonly value="{_quoted(cell)}">' for cell in rest)
        return f'<div class="form-group"><label>{head}</label> {fields}</div>'

    return f'<form class="form-horizontal">{"".join(map(item, lines))}</form>'


def _quoted(written: str) -> str:
    return written.replace('"', "&quot;")


def _list_view(lines: list[Written]) -> str:
    parts = []
    for heading, below in _sections(lines):
        divider = f'<li data-role="list-divider">{heading.cells[0]}</li>' if heading else ""
        items = "".join(f"<li>{''.join(f'<h2>{c}</h2>' for c in line.cells)}</li>" for line in below)
        parts.append(f'<ul data-role="listview" data-inset="true">{divider}{items}</ul>')
    return "".join(parts)


def _one_big_cell(lines: list[Written]) -> str:
    """All of the page in one cell, lines ended by `<br>`, tables in between; forms and rows wrongly nested."""
    inner = "".join(c if line.table else f"{c}<br>" for line in lines for c in line.cells)
    return f"<table><form><tr><td valign=top></font>{inner}</td></p></form></tr></table>"


def _paired_columns(lines: list[Written]) -> str:
    """Two lines beside each other in a row."""
    flat = [cell for line in lines for cell in line.cells]
    rows = [flat[at : at + 2] for at in range(0, len(flat), 2)]
    return "<table>" + "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in rows) + "</table>"


def _figures(lines: list[Written]) -> str:
    parts = []
    for heading, below in _sections(lines):
        caption = f"<figcaption>{heading.cells[0]}</figcaption>" if heading else ""
        parts.append(f"<article><figure>{caption}{_each('<center><tt>{}</tt></center>')(below)}</figure></article>")
    return "<section>" + "".join(parts) + "</section>"


def _captions(lines: list[Written]) -> str:
    parts = []
    for heading, below in _sections(lines):
        caption = f"<caption>{heading.cells[0]}</caption>" if heading else ""
        rows = "".join(f"<tr><td>{'</td><td>'.join(line.cells)}</td></tr>" for line in below)
        parts.append(f"<table>{caption}<tbody>{rows}</tbody></table>")
    return "".join(parts)


def _side_by_side(box: str, part: str, end: str = "</div>") -> Layout:
    """Label and value stand apart by their styles alone."""

    def write(lines: list[Written]) -> str:
        return "\n".join(box + "".join(part.format(cell) for cell in line.cells) + end for line in lines)

    return write


LAYOUTS: dict[str, Layout] = {
    "divs": _each("<div class=x>{}</div>"),
    "paragraphs": _each("<p>{}\n"),
    "headings": _each("<h4><small>{}</small></h4>", "\n"),
    "spans in sections": _each("<section><span><label>{}</label></span></section>"),
    "block spans": _each('<span style="width: 90%; DISPLAY: block">{}</span>'),
    "inline-block": _each('<div><div style="display:inline-block"><span>{}</span></div></div>'),
    "centred": _each("<center>{}</center>"),
    "quotes": _each("<blockquote><address>{}</address></blockquote>"),
    "one table each": _each("<table><tr><td>{}</td></tr></table>"),
    "bars": _each('<div class="progress"><div class="progress-bar" style="width: 60%;">{}</div></div>'),
    "rules": _each("<div>{}</div>", "<hr>"),
    "boxes in cells": _each("<table><tr><td><div><p>{}</p></div></td></tr></table>"),
    "flex": _side_by_side('<div style="display:flex">', "<span>{}</span>"),
    "floats": _side_by_side("<div>", '<b style="float:left">{}</b>', '<br style="clear:both"></div>'),
    "columns": _side_by_side("<div>", '<span style="display:inline-block; width:45%">{}</span>'),
    "buttons": _each('<div><button type="button" class="btn">{}</button></div>'),
    "breaks": _breaks,
    "double breaks": _double_breaks,
    "table": _table,
    "row heads": _heads,
    "nineties": _nineties,
    "spacers": _spaced,
    "label above value": _label_above,
    "nested tables": _nested,
    "row spans": _row_spans,
    "definitions": _definitions,
    "list items": _list_items,
    "grid": _grid,
    "field sets": _field_sets,
    "panels": _panels,
    "collapsible": _collapsible,
    "details": _details,
    "preformatted": _preformatted,
    "text areas": _text_areas,
    "inputs": _inputs,
    "list view": _list_view,
    "one big cell": _one_big_cell,
    "paired columns": _paired_columns,
    "figures": _figures,
    "captions": _captions,
}


# --- how a quarter table is written ----------------------------------------------------------------------------------

QuarterLayout = Callable[[Quarters, Writer], str]
_HEADER = (("ไตรมาสที่", "(1 - 4)"), ("*ผลงาน*", "({})"), ("*ผลประเมินตัวชี้วัด*", "(* 2.1 / 2.2 *)"))


def _header_cells(table: Quarters, write: Writer, joint: str) -> list[str]:
    return [joint.join(write(part.replace("{}", table.unit)) for part in pair) for pair in _HEADER]


def _quarter_table(table: Quarters, write: Writer) -> str:
    head = "".join(f"<th>{cell}</th>" for cell in _header_cells(table, write, "<br>"))
    rows = "".join("<tr>" + "".join(f"<td>{write(c) if c else ''}</td>" for c in row) + "</tr>" for row in table.rows)
    return f"<table class=myborder><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _quarter_table_wide(table: Quarters, write: Writer) -> str:
    first, second, third = _header_cells(table, write, " ")
    head = f"<td align=center>{first}</td><td>{second}</td><td colspan=2>{third}</td>"
    empty = "<td>&nbsp;</td>"
    rows = "".join(
        "<tr>" + "".join(f"<td align=right>{write(c)}</td>" if c else empty for c in row) + "</tr>\n"
        for row in table.rows
    )
    return f'<table border="1" cellpadding="2"><tr bgcolor="#ccc">{head}</tr>\n{rows}</table>'


def _quarter_table_nineties(table: Quarters, write: Writer) -> str:
    head = "".join(f"<TH>{cell}" for cell in _header_cells(table, write, "<BR>"))
    rows = "".join("<TR>" + "".join(f"<TD>{write(c) if c else ''}" for c in row) for row in table.rows)
    return f"<TABLE BORDER=1><TR>{head}{rows}</TABLE>"


def _quarter_table_four_heads(table: Quarters, write: Writer) -> str:
    first, second, third = _header_cells(table, write, "<br/>")
    head = f"<th>{first}</th><th>{second}</th><th></th><th>{third}</th>"
    rows = "".join(
        "<tr>" + "".join(f"<td><center><font>{write(c) if c else '<br>'}</font></center></td>" for c in row) + "</tr>"
        for row in table.rows
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def _quarter_grid(table: Quarters, write: Writer) -> str:
    head = "".join(f'<div class="col-xs-3">{cell}</div>' for cell in _header_cells(table, write, " "))
    rows = "".join(
        '<div class="row">' + "".join(f'<div class="col-xs-3">{write(c) if c else ""}</div>' for c in row) + "</div>"
        for row in table.rows
    )
    return f'<div class="row">{head}</div>{rows}'


def _quarter_boxes(table: Quarters, write: Writer) -> str:
    """A table in a table's cell, each value in a box of its own."""
    head = "".join(f"<td><div>{cell}</div></td>" for cell in _header_cells(table, write, "</div><div>"))
    rows = "".join(
        "<tr>" + "".join(f"<td><div><p>{write(c) if c else '<!-- none -->'}</p></div></td>" for c in row) + "</tr>"
        for row in table.rows
    )
    return f"<table><tr><td><table>{'<tr>' + head + '</tr>'}{rows}</table></td></tr></table>"


def _quarter_table_two_heads(table: Quarters, write: Writer) -> str:
    """A header of two rows: what is in parentheses stands below; a last column without a head."""
    heads = [[pair[place].replace("{}", table.unit) for pair in _HEADER] for place in (0, 1)]
    head = "".join(f"<tr>{''.join(f'<th>{write(part)}</th>' for part in parts)}<th></th></tr>" for parts in heads)
    rows = "".join("<tr>" + "".join(f"<td>{write(c) if c else ''}</td>" for c in row) + "</tr>" for row in table.rows)
    return f"<table>{head}{rows}</table>"


def _quarter_table_spanning_head(table: Quarters, write: Writer) -> str:
    """A header of two rows, the quarter's over both."""
    (quarter, numbers), (result, unit), (evaluation, pair) = _HEADER
    head = f"<tr><td rowspan=2>{write(f'{quarter} {numbers}')}</td><td>{write(result)}</td>"
    head += f"<td colspan=2>{write(evaluation)}</td></tr><tr><td>{write(unit.replace('{}', table.unit))}</td>"
    rows = "".join("<tr>" + "".join(f"<td>{write(c) if c else ''}</td>" for c in row) + "</tr>" for row in table.rows)
    return f"<table>{head}<td colspan=2>{write(pair)}</td></tr>{rows}</table>"


def _quarter_table_spaced(table: Quarters, write: Writer) -> str:
    """Spacer cells between all columns, and the pair in three cells."""
    gap = "<td width=4>&nbsp;</td>"
    head = gap.join(f"<td>{cell}</td>" for cell in _header_cells(table, write, "<br>"))
    rows = ""
    for quarter, result, score, pair in table.rows:
        cells = (quarter, result, score, *re.split(" (?=/)|(?<=/) ", pair))
        rows += "<tr>" + gap.join(f"<td>{write(c) if c else ''}</td>" for c in cells[:4])
        rows += "".join(f"<td>{write(c)}</td>" for c in cells[4:]) + "</tr>"
    return f"<table><tr>{head}</tr>{rows}</table>"


def _quarter_styled(table: Quarters, write: Writer) -> str:
    """A table made of boxes by their styles."""

    def row(cells: list[str]) -> str:
        boxes = "".join(f'<span style="display:table-cell; width:5em">{cell}</span>' for cell in cells)
        return f'<div style="display: table-row">{boxes}</div>'

    rows = "".join(row([write(c) if c else "" for c in cells]) for cells in table.rows)
    return f'<div style="display:table">{row(_header_cells(table, write, "<br>"))}{rows}</div>'


def _quarter_flexible(table: Quarters, write: Writer) -> str:
    """A flexible box for each row: what stands side by side in it are boxes, though their elements are inline."""

    def row(cells: list[str]) -> str:
        boxes = "".join(f"<span>{cell}</span>" for cell in cells)
        return f'<div style="display: flex; gap: 1em">{boxes}</div>'

    rows = "".join(row([write(c) if c else "" for c in cells]) for cells in table.rows)
    return row(_header_cells(table, write, "<br>")) + rows


def _quarter_in_css_grid(table: Quarters, write: Writer) -> str:
    heads = [f"<b>{cell}</b>" for cell in _header_cells(table, write, "<br>")]
    boxes = [f"<span>{write(c) if c else ''}</span>" for cells in table.rows for c in cells]
    return f'<section style="display:grid;grid-template-columns:repeat(4,1fr)">{"".join(heads + boxes)}</section>'


def _quarter_rows(table: Quarters, write: Writer) -> str:
    """Each row in one line, its values in inline elements; only where no cell must be counted."""
    head = " ".join(_header_cells(table, write, " "))
    rows = "".join(f"<p>{' '.join(f'<span>{write(c)}</span>' for c in row if c)}</p>" for row in table.rows)
    return f"<p>{head}</p>{rows}"


QUARTER_LAYOUTS: dict[str, QuarterLayout] = {
    "table": _quarter_table,
    "wide table": _quarter_table_wide,
    "nineties": _quarter_table_nineties,
    "four heads": _quarter_table_four_heads,
    "boxes": _quarter_boxes,
    "two heads": _quarter_table_two_heads,
    "spanning head": _quarter_table_spanning_head,
    "grid": _quarter_grid,
    "spacer cells": _quarter_table_spaced,
    "styled": _quarter_styled,
    "flexible": _quarter_flexible,
    "css grid": _quarter_in_css_grid,
    "rows": _quarter_rows,
}
_CELLS_UNCLEAR = ("grid", "rows", "spacer cells")
_BOXES_BY_STYLE = ("flexible", "css grid")
_REACHING_ON = ("unclosed font", "misnested")
"""Writers whose elements go on around what is beside them: browsers then show all of it as one box."""


# --- what stands around a page ---------------------------------------------------------------------------------------

_DECOY = "<div>** ปัญหาของโครงการ :ปลอม</div><p>แผนการดำเนินงานฯ</p><p>ขั้นตอน 1</p><table><tr><td>1</td></tr></table>"
NOT_SHOWN = (
    f'<script type="text/javascript">document.write("{_DECOY}")</script>',
    "<style>td { font-family: Tahoma } /* แผนการดำเนินงานฯ */</style>",
    f"<template>{_DECOY}</template>",
    f"<noscript>{_DECOY}</noscript>",
    f"<div hidden>{_DECOY}</div>",
    f'<div class=modal style="display:none">{_DECOY}</div>',
    f'<div style="visibility: hidden; color: red">{_DECOY}</div>',
    f"<!-- {_DECOY} -->",
    "<select name=dep><option>แผนการดำเนินงานฯ<option>ขั้นตอน 1</select>",
    "<input type=hidden name=pid value='ขั้นตอน 1'>",
    '<img src="images/bullet.gif" alt="ขั้นตอน 1" title="แผนการดำเนินงานฯ">',
    '<iframe src="about:blank">ขั้นตอน 1</iframe>',
    '<progress value="60" max="100">60%</progress>',
    '<div class="progress"><div class="progress-bar" style="width:60%"></div></div>',
    '<a name="top"></a><hr><br clear=all><div class="clearfix"></div>',
    "<svg><text>ขั้นตอน 1</text></svg><canvas>ขั้นตอน 1</canvas>",
    '<i class="glyphicon glyphicon-ok"></i><span></span><p>&nbsp;</p>',
)
"""What browsers do not show, or show without a letter."""
PRINTED_EVERYWHERE = (
    '<nav><ul><li><a href="index.php">Back</a></li><li><a href="/">Home</a></li></ul></nav>',
    '<div data-role="header"><a href="#" data-rel="back">Back Home</a></div>',
)
"""What the portal prints above any page; it says nothing of the record."""

WRAPPERS = (
    "{}",
    "<!DOCTYPE html><html lang=th><head><meta charset=utf-8><title>ขั้นตอน 1</title></head><body>{}</body></html>",
    '<HTML><HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html"></HEAD><BODY BGCOLOR=#FFF>{}</BODY></HTML>',
    '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><div id="w"><div>{}</div></div></body></html>',
    "<body><table width=780 align=center><tr><td>{}</td></tr></table></body>",
    "<html><body onload='init()'><form><center>{}</center></form>",
    '<div class=wrap><div class="container">{}</div></div>',
    "<table><tr><td>" * 12 + "{}" + "</td></tr></table>" * 12,
    "<div>" * 90 + "{}" + "</div>" * 90,
    "\ufeff<html><body>{}</body></html>\n<!-- 0.12 s -->\n",
)


# --- which lines stand in one -----------------------------------------------------------------------------------------


def _joined(lines: Sequence[Line], joint: str = " ") -> Line:
    links = tuple(link for line in lines for link in line.links)
    return Line(joint.join(f"{line.label}{line.joint}{line.value}" for line in lines), links=links)


def _with_headings(page: Printed) -> Printed:
    """A heading and the text below it."""
    glued: Printed = []
    for line in page:
        above = glued[-1] if glued else None
        is_text = isinstance(line, Line) and line.role == "text"
        if is_text and isinstance(above, Line) and above.role == "heading":
            glued[-1] = _joined([above, line])
        else:
            glued.append(line)
    return glued


def _in_steps(page: Printed, sizes: tuple[int, ...]) -> Printed:
    """The five lines of a step, so many of them in each line."""
    glued: Printed = []
    place = 0
    while place < len(page):
        line = page[place]
        if isinstance(line, Line) and line.role == "step":
            for size in sizes:
                glued.append(_joined([part for part in page[place : place + size] if isinstance(part, Line)]))
                place += size
        else:
            glued.append(line)
            place += 1
    return glued


GLUES: dict[str, Callable[[Printed], Printed]] = {
    "none": lambda page: page,
    "headings": _with_headings,
    "steps": lambda page: _in_steps(page, (2, 1, 1, 1)),
}


# --- how links are written -------------------------------------------------------------------------------------------

LINKS: dict[str, Callable[[str, str], str]] = {
    "relative": lambda target, text: f'<a href="{target}">{text}</a>',
    "absolute": lambda target, text: f"<A HREF='http://monitor.bangkok.go.th/mobile/{target}' target=_blank>{text}</A>",
    "more parameters": lambda target, text: f'<a href="{target}&amp;year=2563#top" class="ui-btn">{text}</a>',
    "parameters before": lambda target, text: f'<a href="{target.replace("?", "?y=2563&")}">{text}</a>',
    "scripted": lambda target, text: f"""<a href="#" onclick="window.open('{target}')">{text}</a>""",
    "javascript": lambda target, text: f"""<a href="javascript:window.open('{target}','w','width=800')">{text}</a>""",
    "function": lambda target, text: f"""<a href="javascript:popup(800,'{target}')">{text}</a>""",
    "code alone": lambda target, text: f"""<a onclick="show('{target.rpartition("=")[2]}');return false">{text}</a>""",
    "escaped": lambda target, text: f"""<a href="javascript:void%20window.open(%27{target}%27)">{text}</a>""",
    "data": lambda target, text: f"""<span class="link" data-href="{target}">{text}</span>""",
    "on click": lambda target, text: f"""<span onclick="location.href='{target}'">{text}</span>""",
}


# --- a markup --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Markup:
    """One way to write a page.

    layout, quarters, writer: keys of `LAYOUTS`, `QUARTER_LAYOUTS`, `WRITERS`
    apart: where label, joint and value of a line stand: `whole`, or in cells of their own with the joint at the
        `label`, at the `value` or `alone`
    wrapper: index into `WRAPPERS`; boilerplate: (place, HTML) pairs; thai_bytes: in windows-874
    """

    layout: str = "divs"
    quarters: str = "table"
    writer: str = "plain"
    apart: str = "whole"
    wrapper: int = 0
    boilerplate: tuple[tuple[int, str], ...] = ()
    minified: bool = False
    thai_bytes: bool = False
    broken: int = 0
    links: str = "relative"
    glued: str = "none"

    def write(self, page: Printed) -> bytes:
        """The page's bytes."""
        lines = [self._written(line) for line in GLUES[self.glued](page)]
        for place, element in self.boilerplate:
            lines.insert(place % (len(lines) + 1), Written((element,), table=True))
        source = WRAPPERS[self.wrapper].replace("{}", LAYOUTS[self.layout](lines))
        if self.minified:
            source = source.replace("\n", " ") if "<pre>" not in source else source
        if self.thai_bytes:
            return source.encode("cp874", "xmlcharrefreplace")
        return source.encode()

    def _written(self, line: Line | Quarters) -> Written:
        literal = self.layout in (
            "preformatted",
            "text areas",
        )  # there a break in the source is a break on the page
        write = WRITERS["plain" if literal and self.writer == "wrapped source" else self.writer]
        if isinstance(line, Quarters):
            layout = self.quarters
            if layout in _CELLS_UNCLEAR and any(score and not result for _, result, score, _ in line.rows):
                layout = "table"
            if layout in _BOXES_BY_STYLE and self.writer in _REACHING_ON:
                layout = "styled"
            return Written((QUARTER_LAYOUTS[layout](line, write),), "quarters", table=True)
        cells = tuple(self._letters(cell.strip(), write) for cell in self._cells(line))
        if line.links:
            link = LINKS[self.links]
            if self.writer == "linked":  # no link in a link
                cells = tuple(map(_escaped, self._cells(line)))
            icons = "".join(link(target, '<i class="icon"></i>') for target in line.links[1:])
            cells = (link(line.links[0], cells[0]), *cells[1:])
            cells = (*cells[:-1], cells[-1] + icons)
        return Written(cells, line.role)

    def _letters(self, text: str, write: Writer) -> str:
        return "<br>".join(write(part) if part else "" for part in text.split("\n"))

    def _with_breaks(self, text: str) -> str:
        lines: list[list[str]] = [[]]
        for word in text.split(" "):
            if len(lines[-1]) >= self.broken and not _LABEL_WORD.match(word) and not _LABEL_WORD.match(lines[-1][-1]):
                lines.append([])
            lines[-1].append(word)
        return "\n".join(map(" ".join, lines))

    def _cells(self, line: Line) -> tuple[str, ...]:
        if self.broken and line.role == "text":
            line = replace(line, label=self._with_breaks(line.label))
        if self.broken and line.role == "free":
            line = replace(line, value=self._with_breaks(line.value))
        if self.apart == "whole" or not (line.joint or line.value):
            return (line.label + line.joint + line.value,)
        if not line.joint.strip(" ") or self.apart == "label":
            return (line.label + line.joint, line.value)
        if self.apart == "value":
            return (line.label, line.joint + line.value) if line.label else (line.joint + line.value,)
        return (line.label, line.joint, line.value) if line.label else (line.joint, line.value)


def with_boilerplate(markup: Markup, boilerplate: tuple[tuple[int, str], ...], wrapper: int) -> Markup:
    """The same markup among other things that say nothing."""
    return replace(markup, boilerplate=boilerplate, wrapper=wrapper)
