"""Reports and steps that are printed as usual are read by one pattern each; it gives what the general rules give."""

from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.laws import KINDS, law, markups, printings

from parsers import parse_page, project
from parsers.findings import Findings
from parsers.page import read_page
from parsers.project import ProjectPage

FIXTURES = Path(__file__).parents[2] / "fixtures_html"


def read(lines: list[str]) -> tuple[object, ...]:
    findings = Findings()
    page = ProjectPage(lines, findings)
    return page.tables, page.unclaimed, sorted(map(str, findings))


def reads_alike(lines: list[str]) -> None:
    """Whether the page's rows, remarks and unread lines are the same without the patterns."""
    quick = read(lines)
    with patch.object(project, "_match_all", return_value=None):
        assert read(lines) == quick


@pytest.mark.parametrize("page", sorted(FIXTURES.glob("*-*.html")), ids=lambda page: page.stem)
def test_saved_pages_read_alike(page: Path) -> None:
    reads_alike(read_page(page.read_bytes()).lines)


def test_the_seed_is_printed_as_usual() -> None:
    with patch.object(ProjectPage, "_read_report", side_effect=AssertionError):
        page = parse_page((FIXTURES / "24000000-2964.html").read_bytes())
    assert len(page.tables["progress_reports"]) == 13
    with patch.object(ProjectPage, "_split_steps", side_effect=AssertionError):
        assert len(parse_page((FIXTURES / "24000000-2964.html").read_bytes()).tables["plan_steps"]) == 7


@law(60)
@given(st.data())
def test_printed_records_read_alike(data: st.DataObject) -> None:
    records, printer = KINDS["project"]
    body = data.draw(markups()).write(printer(data.draw(records), data.draw(printings)))
    reads_alike(read_page(body).lines)


# Sections put together at random from what reports and steps print, whole, in part, twice, and quoted.
USUAL = ["(1) ความคืบหน้าโครงการฯ ร้อยละ 80.00 (2020-08-28)", "80.00", "28/08/2563 : ดำเนินการ"]
ENDED = ["** ปัญหาของโครงการ :ไม่มี", "** อุปสรรคของโครงการ :ฝนตก", "------------------&&&--------------------"]
STEP = ["ขั้นตอน 1", ":ประชุม", ":5%", "เริ่มต้น :2019-10-01 00:00:00", "สิ้นสุด :2019-10-31 00:00:00"]
PLACE_FOR_REPORTS, PLACE_FOR_STEPS = "ผลการดำเนินงาน", "แผนการดำเนินงานฯ"
CHUNKS = [
    *(
        USUAL + ENDED,
        USUAL + ENDED,
        USUAL,
        ENDED,
        USUAL[:1],
        USUAL[1:],
        STEP,
        STEP,
        STEP[:1],
        STEP[1:],
        STEP[:3],
        STEP[3:],
    ),
    *([line] for line in (*USUAL, *ENDED, *STEP)),
    *(
        [line]
        for line in (
            *("(2) ความคืบหน้าโครงการฯ ร้อยละ - (2020-02-31)", "(๓) ความคืบหน้าโครงการฯ ร้อยละ 1,0.5 ()", "(4)", "1.2.3"),
            *(
                "ความคืบหน้าโครงการฯ ร้อยละ 80.00 (2020-08-28)",
                "1/31/2021 - ก",
                "1/2/2563 : ก 2/2/2563 : ข",
                "๑/๒/๒๕๖๓ :ก",
            ),
            *(
                "** ปัญหาของโครงการ :",
                "** ปัญหาของโครงการ : ก",
                "** ปัญหาของโครงการ",
                "** อุปสรรคของโครงการ :",
                ":",
                "-",
                "ก",
            ),
            *(
                "** อุปสรรคของโครงการ",
                "* อุปสรรคของโครงการ: ข",
                "---&&&---",
                "----- &&& -----",
                "(ก) ข",
                "** ก",
                "- ก",
                "%",
            ),
            *("ขั้นตอน ๒", "ขั้นตอน 2 :ก", "ขั้นตอน", "2", ":", ":%", ":10%", ":12.5%", ":1.2.3%", ":ก : 5%", ":เริ่มต้น :ก"),
            *("เริ่มต้น :2020-02-31", "เริ่มต้น :", "สิ้นสุด :2018-01-01", "สิ้นสุด :2020-1-1 :", "เริ่มต้น ก", "สิ้นสุด"),
            *("(ทดสอบ) แสดงขั้นตอนการดำเนินงานโครงการ : 24000000-2964", "␀"),
        )
    ),
]
sections = st.lists(st.sampled_from(CHUNKS), max_size=7).map(
    lambda chunks: [line for chunk in chunks for line in chunk]
)
SEED = read_page((FIXTURES / "24000000-2964.html").read_bytes()).lines


@law(1000)
@given(sections, sections)
def test_any_section_reads_alike(reports: list[str], steps: list[str]) -> None:
    at_reports, at_steps = SEED.index(PLACE_FOR_REPORTS), SEED.index(PLACE_FOR_STEPS)
    end = SEED.index("สนับสนุนตัวชี้วัดตามแผนฯ")
    reads_alike([*SEED[: at_reports + 1], *reports, SEED[at_steps], *steps, *SEED[end:]])
