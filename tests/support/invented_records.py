"""Hypothesis strategies for records as the portal could hold them, each as the tables that its page must read as.

Everything here is invented. The free text is nasty on purpose: it quotes the portal's own labels, holds colons, dates,
Thai digits and markup.
"""

import re
from datetime import date, timedelta
from operator import itemgetter
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from parsers.thai import clean
from parsers.values import BUDDHIST_OFFSET

Row = dict[str, Any]
Tables = dict[str, list[Row]]

PHRASES = (
    *("ดำเนินการแล้วเสร็จ", "จัดอบรมรุ่นที่ 1 - 4", "อยู่ระหว่างขออนุมัติเงินงวด", "น้ำท่วมขังในพื้นที่", "ประชาชนได้รับบริการ 2,280 คน"),
    *(
        "ร้อยละ 80.50",
        "(ระยะที่ 2)",
        "ปี ๒๕๖๓",
        "ครั้งที่ ๑/๒๕๖๓",
        "โควิด-19",
        "สำนักงานเขตบางรัก",
        "“สภาประชาชน”",
        "ฯลฯ",
        "ผู้นำชุมชน",
    ),
    *(
        "2.1 เพื่อให้ความรู้ 2.2 เพื่อพัฒนา",
        "เบิกจ่าย 1,407.52 บาท",
        "Bangkok Smart City",
        "แบบสอบถาม 40 ชุด",
        "ก",
        "0",
        "5/10",
        "A & B",
    ),
    *(
        "ระหว่างวันที่ 29/8/2563 ถึง 30/8/2563",
        "ภายใน 31 มี.ค. 63",
        "เมื่อวันที่ ๑๕/๖/๒๕๖๓",
        "<b>ด่วน</b>",
        "x < 5",
        "&nbsp;",
        '"อ้างอิง"',
    ),
)
QUOTED = (
    *("ขั้นตอน 1", "ขั้นตอน 2 :จัดประชุม", ":5%", "เริ่มต้น :2019-10-01 00:00:00", "สิ้นสุด :2019-10-01 00:00:00", "ตัวชี้วัด : ร้อยละ"),
    *(
        "** ปัญหาของโครงการ :ไม่มี",
        "** อุปสรรคของโครงการ :-",
        "(1) ความคืบหน้าโครงการฯ ร้อยละ 50.00 (2020-01-29)",
        "เป้าหมาย :100",
    ),
    *(
        "------------------&&&--------------------",
        "ค่าเป้าหมาย ร้อยละ : 100",
        "ผลงานที่ทำได้ แห่ง : 5",
        "หน่วยนับ :แห่ง",
        "[มิติที่ 1]",
    ),
    *("ประเภทตัวชี้วัด : ตัวชี้วัดตามภารกิจ", "ตัวชี้วัดระดับผลผลิต (output)", "ไตรมาสที่ (1 - 4)", "รายงานผลฯ ไตรมาสที่ 2", "ผลงาน :5"),
    *(
        "วัตถุประสงค์ของโครงการ",
        "เป้าหมายของโครงการ",
        "หลักการและเหตุผล",
        "ผลการดำเนินงาน",
        "แผนการดำเนินงานฯ",
        " : ",
        "50150000-1873",
    ),
    *(
        "24030000/24030000",
        "ความคืบหน้าโครงการ ร้อยละ 100",
        "*** สยป. ประเมินโครงการ : ไตรมาสที่ 2 100",
        "Back Home",
        "พิมพ์ข้อมูล",
    ),
    *(
        "สนับสนุนตัวชี้วัดตามแผนฯ",
        "** สรุปผลการดำเนินงาน **",
        "ด้านที่ ๑ – มหานครปลอดภัย",
        "รหัสโครงการ50460000-3697",
        "ปี2566",
        "หน่วยงาน",
    ),
)
PLACEHOLDER = "ตามที่สำนักงาน ก.ก./สยป. กำหนด"
UNITS = (
    *("ร้อยละ", "คะแนน", "ระดับคะแนน", "ขั้นตอน", "แห่ง", "5 ระดับ", "ลดลงร้อยละ", "ร้อยละ (ลดลง)", ">ร้อยละ", "เขตละ...เส้นทาง"),
    *("ครั้ง/ปี", "ตัน", "คน : วัน"),
)
KPI_TYPES = (None, "ตัวชี้วัดเชิงยุทธศาสตร์", "ตัวชี้วัดตามภารกิจ", "ตัวชี้วัดเจรจา")
AGENCIES = (
    *("สำนักพัฒนาสังคม", "สำนักงานเขตหนองจอก", "สำนักงานเลขานุการ สำนักปลัดกรุงเทพมหานคร", "สำนักการแพทย์"),
    "สำนักงานคณะกรรมการข้าราชการกรุงเทพมหานคร (สำนักงาน ก.ก.)",
)
_NAMES = ("นายสมมติ ใจดี", "นางปลอมจิต รักสงบ", "นางสาวตัวอย่าง ณ บางกอก", "น.ส.ลองดู มีสุข", "คุณทดลอง", "ว่าที่ ร.ต. เสมือน จริงใจ")
_JOBS = ("", " นักพัฒนาสังคมชำนาญการ", " หัวหน้าฝ่ายโยธา", " นายช่าง 6")
_PHONES = (
    *(
        "7033",
        "6541",
        "5636-5638",
        "5884,5885",
        "0 2643 3159",
        "022257612 ต่อ 111",
        "0-2245-2458",
        "๖๕๗๓",
        "5636 - 5638",
        "5884, 5885",
    ),
    *("5884, 5885", "0 2221 2141 ต่อ 1503-5", "081 234 5678", "6541/2"),
)
_BEFORE_PHONE = (
    " โทร. {}",
    " โทร.{}",
    " โทร {}",
    "(โทร.{})",
    " (โทร.{})",
    " ({})",
    "({})",
    " {}",
    " / โทร.{}",
    " โทร : {}",
    " โทรศัพท์ {}",
)
_PLANS = {
    "ด้านที่": (
        ("มหานครปลอดภัย", "Bangkok as a Safe City"),
        ("มหานครสำหรับทุกคน", "Bangkok as an Inclusive City"),
        ("มหานครสีเขียว สะดวกสบาย", "Bangkok as a Green & Convenient City"),
    ),
    "ยุทธศาสตร์ที่": (("การเชื่อมโยงเมืองที่มีความคล่องตัว", None), ("การสร้างเมืองปลอดภัย", None)),
}


def texts(*, most: int = 5) -> st.SearchStrategy[str]:
    """One line of free text, cleaned, that may quote anything but is no label as a whole."""
    quoting = st.lists(st.sampled_from(PHRASES + QUOTED), min_size=1, max_size=most)
    plain = st.lists(st.sampled_from(PHRASES), min_size=1, max_size=most)
    return st.one_of(plain, quoting).map(_joined)


def _joined(pieces: list[str]) -> str:
    text = clean(" ".join(pieces))
    return f"งาน {text} แล้ว" if text.startswith((":", *QUOTED)) else text


def long_texts() -> st.SearchStrategy[str | None]:
    return st.one_of(texts(most=9), st.just(PLACEHOLDER), st.none())


def percents() -> st.SearchStrategy[float]:
    return st.one_of(st.sampled_from((0.0, 100.0, 22.5)), st.integers(0, 10_000).map(lambda cents: cents / 100))


def values() -> st.SearchStrategy[float]:
    return st.one_of(st.sampled_from((0.0, 5.0, 100.0, 1407.52)), st.integers(0, 20_000_000).map(lambda n: n / 100))


@st.composite
def contacts(draw: st.DrawFn, code: str) -> list[Row]:
    """No contact, or one with its name and telephone in one of the shapes that officers type."""
    shape = draw(st.sampled_from(("name", "both", "both", "both", "two", "unit", "phone", "none")))
    name: str | None = draw(st.sampled_from(_NAMES)) + draw(st.sampled_from(_JOBS))
    phone: str | None = draw(st.sampled_from(_PHONES))
    if shape == "none":
        return []
    if shape == "two":
        name = f"{name} และ {draw(st.sampled_from(_NAMES))}"
    if shape == "unit":
        name = draw(st.sampled_from(("ฝ่ายโยธา", "ฝ่ายสิ่งแวดล้อมและสุขาภิบาล", "กลุ่มงานแผนงาน 2")))
    if shape in ("name", "unit"):
        phone = None
    if shape == "phone":
        name = None
    before = draw(st.sampled_from(_BEFORE_PHONE))
    if name and name[-1].isdigit() and before == " {}":  # nobody could tell where the number begins
        before = " โทร. {}"
    line = (name or "") + (before.format(phone) if phone else "")
    return [{"project_code": code, "contact": line.strip(), "contact_name": name, "contact_phone": phone}]


@st.composite
def strategies(draw: st.DrawFn, code: str) -> list[Row]:
    label = draw(st.sampled_from(tuple(_PLANS)))
    first, english = draw(st.sampled_from(_PLANS[label]))
    numbers = draw(st.lists(st.integers(1, 12), min_size=4, max_size=4))
    rows = []
    for level in range(1, draw(st.sampled_from((4, 4, 4, 0, 1, 3))) + 1):
        name = first if level == 1 else draw(texts(most=3)).removesuffix("%").strip(" -–")
        rows.append(
            {
                "project_code": code,
                "position": level,
                "level": level,
                "level_label": label if level == 1 else None,
                "strategy_code": ".".join(map(str, numbers[:level])),
                "name": name,
                "name_en": english if level == 1 else None,
            }
        )
    return rows


_CITY_TARGETS = (
    ("แห่ง", "1"),
    ("ร้อยละ 2", "ร้อยละ 2"),
    ("≥1", "แห่ง"),
    ("ตร.ม.", "12.25 ตร.ม."),
    ("ร้อยละ", "20 ของประชาชนที่ทำการสำรวจ"),
)
_CITY_LEVELS = (("ด้านที่", "มหานครสำหรับทุกคน"), ("มิติที่", "เมืองที่เป็นมิตร"), ("เป้าหมายที่", "ผู้สูงอายุได้รับการดูแล"))
_STRATEGY_LINES = ("ด้านที่ ๓ – มหานครสำหรับทุกคน : Bangkok as an Inclusive City", None)
_LEVELS_ABOVE = (
    "ด้านที่ ๑ – มหานครปลอดภัย มิติที่ ๑.๑ - ปลอดมลพิษ",
    "ด้านที่ ๒ – มหานครสีเขียว สะดวกสบาย มิติที่ ๒.๓ - พื้นที่สีเขียว",
)
_HEADS_AN_ENTRY = re.compile(r"/[0-9๐-๙]+ *:")


@st.composite
def notes(draw: st.DrawFn, day: date) -> tuple[str | None, str | None]:
    """The day an officer typed before a note, and the note; a date that is none, or one of several, stays in the note."""
    shape = draw(st.sampled_from(("dated", "dated", "dated", "date only", "none", "impossible", "several", "nothing")))
    text = draw(texts())
    other = f"{day.day}/{day.month}/{day.year + BUDDHIST_OFFSET}"
    if shape == "dated":
        assume(not _HEADS_AN_ENTRY.search(text))  # that would be one of several
        return draw(st.sampled_from((day, day + timedelta(1)))).isoformat(), text
    if shape == "date only":
        return day.isoformat(), None
    if shape == "nothing":
        return None, None
    if shape == "impossible":
        typed = draw(st.sampled_from(("1/31/2021", "31/02/2563", "29/02/2566", "30/6/63", "๓๑/๔/๒๕๖๓", "0/1/2563")))
        return None, f"{typed} : {text}"
    if shape == "several":
        return None, f"{other} : ประชุม {draw(st.sampled_from((other, '๒๖/๒/๒๕๖๓')))} : {text}"
    return None, f"ได้{text}"


@st.composite
def reports(draw: st.DrawFn, code: str, year_ce: int) -> list[Row]:
    count = draw(st.sampled_from((0, 1, 2, 3, 5)))
    progress = sorted(draw(st.lists(percents(), min_size=count, max_size=count)))
    days = sorted(draw(st.lists(st.integers(0, 364), min_size=count, max_size=count)))
    rows = []
    for index in range(count):
        day = date(year_ce - 1, 10, 1) + timedelta(days[index])
        note_date, note = draw(notes(day))
        rows.append(
            {
                "project_code": code,
                "report_index": index + 1,
                "report_no": count - index,
                "progress_percent": progress[index],
                "reported_on_date": day.isoformat(),
                "note_date": note_date,
                "note": note,
                "problems": draw(st.one_of(st.none(), texts())),
                "obstacles": draw(st.one_of(st.none(), texts())),
            }
        )
    return rows


@st.composite
def steps(draw: st.DrawFn, code: str, year_ce: int) -> list[Row]:
    count = draw(st.sampled_from((0, 1, 2, 4, 11)))
    cuts = sorted(draw(st.lists(st.integers(0, 200), min_size=max(count - 1, 0), max_size=max(count - 1, 0))))
    rows = []
    for number, (low, high) in enumerate(zip([0, *cuts], [*cuts, 200], strict=True) if count else (), 1):
        start = date(year_ce - 1, 10, 1) + timedelta(draw(st.integers(0, 364)))
        end = start + timedelta(draw(st.sampled_from((0, 0, 30))))
        rows.append(
            {
                "project_code": code,
                "step_no": number,
                "description": draw(st.one_of(texts(most=3), texts(most=3), st.none())),
                "weight_percent": (high - low) / 2,
                "start_date": start.isoformat(),
                "end_date": end.isoformat(),
            }
        )
    return rows


@st.composite
def quarters(draw: st.DrawFn, identity: Row) -> list[Row]:
    rows = []
    for quarter in range(1, draw(st.sampled_from((4, 4, 4, 4, 1, 2))) + 1):
        rows.append(
            {
                **identity,
                "quarter": quarter,
                "result_value": draw(st.one_of(values(), values(), st.none())),
                "score": draw(st.one_of(st.none(), percents())),
                "evaluation_2_1": draw(percents()),
                "evaluation_2_2": draw(percents()),
            }
        )
    return rows


@st.composite
def measures(draw: st.DrawFn) -> Row:
    return {
        "unit": draw(st.sampled_from(UNITS)),
        "target_value": draw(st.one_of(values(), st.none())),
        "achieved_value": draw(st.one_of(values(), st.none())),
        "kpi_type": draw(st.sampled_from(KPI_TYPES)),
        "kpi_level": draw(st.sampled_from(("output", "outcome"))),
    }


@st.composite
def kpi_codes(draw: st.DrawFn) -> str:
    return f"{draw(st.sampled_from(('2400', '5004', '0900')))}-{draw(st.sampled_from(('1013', '0852', '903', '2017')))}"


@st.composite
def project_codes(draw: st.DrawFn) -> str:
    agency = draw(st.sampled_from(("24000000", "50150000", "04010000", "09000000")))
    return f"{agency}-{draw(st.integers(0, 9999)):04d}"


@st.composite
def names(draw: st.DrawFn) -> str:
    """A title: it may hold colons, parentheses, years and codes, but is no label itself."""
    return f"{draw(st.sampled_from(('โครงการ', 'กิจกรรม', '')))}{draw(texts(most=3))}".strip(" :")


@st.composite
def projects(draw: st.DrawFn) -> Tables:
    """A project, consistent in itself: no remark above a note may be made about it."""
    code = draw(project_codes())
    year_be = draw(st.integers(2562, 2566))
    year_ce = year_be - BUDDHIST_OFFSET
    told = draw(reports(code, year_ce))
    unit = draw(st.sampled_from(("24030000", "50150000")))
    second_unit = draw(st.sampled_from((unit, unit, unit, "24030100")))
    kpi_rows, quarter_rows = [], []
    for kpi_code in draw(st.lists(kpi_codes(), max_size=2, unique=True)):
        identity = {"project_code": code, "kpi_code": kpi_code}
        kpi_rows.append({**identity, "name": draw(names()), **draw(measures())})
        quarter_rows += draw(quarters(identity))
    project = {
        "project_code": code,
        "name": draw(names()),
        "agency_code": code[:8],
        "agency_name": draw(st.sampled_from(AGENCIES)),
        "fiscal_year_be": year_be,
        "fiscal_year_ce": year_ce,
        "progress_percent": told[-1]["progress_percent"] if told else draw(percents()),
        "evaluation_score": draw(st.one_of(st.none(), percents())),
        "unit_code": unit,
        "unit_code_second": second_unit,
        "rationale": draw(long_texts()),
        "objectives": draw(long_texts()),
        "targets": draw(long_texts()),
        "budget_received_baht": None,
        "budget_spent_baht": None,
        "start_date": None,
        "finish_date": None,
    }
    return {
        "projects": [project],
        "contacts": draw(contacts(code)),
        "project_strategies": draw(strategies(code)),
        "progress_reports": told,
        "plan_steps": draw(steps(code, year_ce)),
        "project_kpis": kpi_rows,
        "project_kpi_quarters": quarter_rows,
    }


@st.composite
def kpis(draw: st.DrawFn) -> Tables:
    code = draw(kpi_codes())
    kpi = {
        "kpi_code": code,
        "name": draw(names()),
        **draw(measures()),
        "evaluation_score": draw(st.one_of(st.none(), percents())),
        "definition": draw(st.one_of(st.none(), texts(most=9))),
        "summary": draw(st.one_of(st.none(), st.just("-"), texts())),
    }
    rows = draw(quarters({"kpi_code": code}))
    for row in rows:
        row["narrative"] = draw(st.one_of(st.none(), st.just("-"), texts()))
    no_values = dict.fromkeys(("result_value", "score", "evaluation_2_1", "evaluation_2_2"))
    for quarter in draw(st.sets(st.integers(len(rows) + 1, 4))) if len(rows) < 4 else ():
        rows.append({"kpi_code": code, "quarter": quarter, **no_values, "narrative": draw(texts())})
    rows.sort(key=itemgetter("quarter"))
    return {"kpis": [kpi], "kpi_quarters": rows}


@st.composite
def result_lists(draw: st.DrawFn) -> Tables:
    """A list by dimension, or by the levels of the city's plan (`dimension_name` is null); its name is the address's."""
    agency = draw(st.sampled_from(("09000000", "50160000")))
    dimension = draw(st.integers(1, 5))
    by_strategy = draw(st.sampled_from((False, False, True)))
    kinds = KPI_TYPES if by_strategy else KPI_TYPES[1:]
    items, links, quarter_rows = [], [], []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        identity = {"agency_code": agency, "list_name": None, "item_no": number}
        linked = draw(st.lists(st.one_of(kpi_codes(), project_codes()), min_size=1, max_size=3, unique=True))
        linked_kinds = ["kpi" if len(code) < 13 else "project" for code in linked]
        rows = draw(quarters(identity))
        told = draw(st.booleans())
        for row in rows:
            row["narrative"] = draw(st.one_of(st.none(), st.just("-"), texts())) if told else None
        items.append(
            {
                **identity,
                "heading": f"มิติที่ {dimension} : {draw(st.sampled_from(kinds)) or ''}".strip(),
                "dimension_no": dimension,
                "dimension_name": None if by_strategy else "ด้านประสิทธิผลตามพันธกิจ",
                "kpi_code": next(
                    (code for code, kind in zip(linked, linked_kinds, strict=True) if kind == "kpi"), None
                ),
                "project_code": next(
                    (c for c, kind in zip(linked, linked_kinds, strict=True) if kind == "project"), None
                ),
                "name": draw(names()),
                "strategy": draw(st.sampled_from(_LEVELS_ABOVE if by_strategy else _STRATEGY_LINES)),
                "unit": draw(st.sampled_from([unit for unit in UNITS if ":" not in unit])),
                "target_value": draw(values()),
                "achieved_value": draw(st.one_of(values(), st.none())),
                "report": None if told else draw(st.one_of(st.none(), texts())),
            }
        )
        links += [
            {**identity, "position": position, "linked_kind": kind, "linked_code": code}
            for position, (kind, code) in enumerate(zip(linked_kinds, linked, strict=True), 1)
        ]
        quarter_rows += rows
    return {"result_list_items": items, "result_list_links": links, "result_list_quarters": quarter_rows}


@st.composite
def yii_projects(draw: st.DrawFn) -> Tables:
    code = draw(project_codes())
    year_be = draw(st.integers(2562, 2569))
    start = date(year_be - BUDDHIST_OFFSET - 1, 10, 1)
    has_year = draw(st.sampled_from((True, True, True, False)))
    kpi_code = draw(st.one_of(st.none(), kpi_codes()))
    project = {
        "project_code": code,
        "name": draw(st.one_of(st.none(), names())),
        "agency_code": code[:8],
        "agency_name": draw(st.sampled_from((*AGENCIES, None))),
        "fiscal_year_be": year_be if has_year else None,
        "fiscal_year_ce": year_be - BUDDHIST_OFFSET if has_year else None,
        "progress_percent": draw(st.one_of(percents(), percents(), st.none())),
        "evaluation_score": None,
        "unit_code": None,
        "unit_code_second": None,
        "rationale": draw(st.one_of(st.none(), texts(most=9))),
        "objectives": None,
        "targets": None,
        "budget_received_baht": draw(st.one_of(st.none(), values())),
        "budget_spent_baht": draw(st.one_of(st.none(), values())),
        "start_date": draw(st.one_of(st.none(), st.just(start.isoformat()))),
        "finish_date": draw(st.one_of(st.none(), st.just((start + timedelta(364)).isoformat()))),
        "policy_id": draw(st.sampled_from((None, "22", "30"))),
        "branch_id": draw(st.sampled_from((None, "0000000", "1307", "0000"))),
    }
    columns = ("name", "unit", "target_value", "achieved_value", "kpi_type", "kpi_level")
    kpi = {"project_code": code, "kpi_code": kpi_code, **dict.fromkeys(columns)}
    return {"projects": [project], "project_kpis": [kpi] if kpi_code else []}


@st.composite
def city_indicators(draw: st.DrawFn) -> Tables:
    number = str(draw(st.integers(8, 243)))
    row = {
        "indicator_no": number,
        "printed_no": draw(st.sampled_from((number, "3"))),
        "fiscal_years": "2562-2563",
        "name": draw(names()),
        **dict(zip(("unit", "target"), draw(st.sampled_from(_CITY_TARGETS)), strict=True)),
        "data_kind": "ตัวชี้วัดเป้าประสงค์",
        **{column: draw(st.one_of(st.none(), texts(most=9))) for column in ("definition", "method", "source")},
    }
    levels = []
    numbers = [str(draw(st.integers(1, 9))) for _ in _CITY_LEVELS]
    for level, (label, name) in enumerate(_CITY_LEVELS[: draw(st.sampled_from((3, 3, 2, 0)))], 1):
        code = ".".join(numbers[:level])
        columns = {"position": level, "level": level, "level_label": label, "strategy_code": code, "name": name}
        levels.append({"indicator_no": number, **columns, "name_en": None})
    return {"city_indicators": [row], "city_indicator_strategies": levels}
