"""The audit report: complete, escaped, self-contained; and in a real browser, without script, readable on any screen."""

import base64
import hashlib
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser
from support.command import run
from support.folders import export, write
from support.states import SEED, State

from pipeline.compare.classify import DETAILS, MEANINGS, SEVERITIES, severity_of
from pipeline.compare.diff import Comparison, compare_snapshots
from pipeline.compare.inputs import FolderSnapshot, StoreSnapshot
from pipeline.publish import report
from pipeline.publish.report_texts import DETAILS_TH, MEANINGS_TH, SEVERITIES_TH
from pipeline.store.writer import open_archive

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_BROWSER = "no Chromium on this machine (Debian: apt-get install chromium fonts-thai-tlwg)"
in_browser = pytest.mark.skipif(CHROMIUM is None and "REQUIRE_BROWSER" not in os.environ, reason=NO_BROWSER)

EVIL = '</style></title><script>alert(1)</script><img src=x onerror="alert(2)">{{ 7*7 }}\u202e" onmouseover="x'

report_html = partial(report.report_html, lang="en")


def comparison(store: Path, before: int = 0, after: int = 2) -> Comparison:
    opened = open_archive(store)
    ids = opened.harvest_ids()
    return compare_snapshots(StoreSnapshot(opened, ids[before]), StoreSnapshot(opened, ids[after]), contacts=False)


def edited_folders(folder: Path, *edits: Any) -> Comparison:
    after = State()
    for edit in edits:
        edit(after)
    return compare_snapshots(
        FolderSnapshot(write(State(), folder / "a")), FolderSnapshot(write(after, folder / "b")), contacts=False
    )


def text_of(node: Any) -> str:
    return " ".join(node.text().split())


def test_every_difference_is_in_the_report_with_both_values(three_nights: Path) -> None:
    compared = comparison(three_nights)
    page = LexborHTMLParser(report_html(compared))
    shown = [row for row in compared.changes.to_pylist() if row["detail"] != "part_of_record"]
    changes = page.css(".change")
    assert len(changes) == len(shown)
    assert "Oct" in [month.text() for month in page.css("svg text")], "English months in an English report"
    texts = [text_of(change) for change in changes]
    for row in shown:
        what = row["column"] or row["change"]
        (found,) = [text for text in texts if text.startswith(row["meaning"]) and what in text]
        assert not row["column"] or all(value in found for value in (row["before"], row["after"]) if value is not None)
    order = list(SEVERITIES)
    severities = [
        next(name for name in record.attributes["class"].split() if name in order) for record in page.css(".card")
    ]
    assert severities == sorted(severities, key=order.index), "most severe first"
    assert "24000000-3051" in text_of(page.css_first(".card"))
    assert "24000000-3051" in text_of(page.css_first(".worst li")), "the worst record, on the first page, with why"
    assert "(5 → 8)" in text_of(page.css_first(".worst li"))
    links = [link.attributes["href"] for link in page.css("a")]
    ids = [node.attributes["id"] for node in page.css("[id]")]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links} <= set(ids), "every link leads somewhere"
    assert {change.id for change in changes} <= {link[1:] for link in links}, "every change can be cited"
    headings = [int(node.tag[1]) for node in page.css("h1, h2, h3, h4")]
    assert headings[0] == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(headings)), "headings in order"


def test_changes_of_every_table_are_in_the_report(tmp_path: Path) -> None:
    edited: list[str] = []

    def edit(state: State) -> None:
        for table, rows in state.rows.items():
            if len(rows) > 1:
                rows.pop()
            if "name" in rows[0]:
                rows[0]["name"] = f"ชื่อใหม่ {table}"
                edited.append(rows[0]["name"])

    text = text_of(LexborHTMLParser(report_html(edited_folders(tmp_path, edit))).body)
    assert len(edited) > 5
    assert [name for name in edited if name not in text] == []


def test_hashes_are_those_of_the_stored_pages(three_nights: Path) -> None:
    store = open_archive(three_nights)
    page = LexborHTMLParser(report_html(comparison(three_nights)))
    proofs = [
        (proof.css_first("code").text(), re.search(r"harvest (\d+T\d+Z)", proof.text()))
        for proof in page.css(".proof")
        if proof.css_first("code")
    ]
    assert len(proofs) >= 2 * len(page.css(".card")) - 1
    for sha256, harvest in proofs:
        assert harvest
        assert hashlib.sha256(store.body(harvest[1], sha256)).hexdigest() == sha256


def test_no_text_of_the_portal_becomes_markup(tmp_path: Path) -> None:
    def edit(state: State) -> None:
        for table, column, key in (
            ("projects", "name", {"project_code": SEED}),
            ("projects", "agency_name", {"project_code": SEED}),
            ("projects", "objectives", {"project_code": SEED}),
            ("kpis", "name", {"kpi_code": "2400-1013"}),
        ):
            state.one(table, **key)[column] = EVIL
        state.one("progress_reports", project_code=SEED, report_index=2)["note"] = EVIL
        state.insert_report(14, reported_on_date="2020-09-30", note=EVIL)

    html = report_html(edited_folders(tmp_path, edit))
    page = LexborHTMLParser(html)
    assert page.css("img, iframe, object, embed, form, base") == []
    assert len(page.css("script")) == 1
    assert len(page.css("style")) == 1
    assert not [node for node in page.css("*") if any(name.startswith("on") for name in node.attributes)]
    assert "49" not in page.css_first("title").text()
    assert "{{ 7*7 }}" in html
    assert "\u202e" not in html
    assert html.count("&lt;script&gt;") >= 5
    assert all(re.fullmatch(r"[\w -]*", node.attributes.get("class") or "", re.ASCII) for node in page.css("*"))


def test_the_report_needs_no_network(three_nights: Path) -> None:
    html = report_html(comparison(three_nights))
    page = LexborHTMLParser(html)
    assert page.css("[src], [srcset], [background], video, audio") == []
    assert {node.attributes["href"] for node in page.css("[href]") if node.attributes["href"][0] != "#"} == {"data:,"}
    assert "url(" not in html
    assert "@import" not in html
    policy = page.css_first("meta[http-equiv]").attributes["content"]
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{own}';" in policy


def test_a_changed_contact_line_is_reported_without_its_text(tmp_path: Path) -> None:
    def edit(state: State) -> None:
        state.one("contacts", project_code=SEED)["contact"] = "นางสาวสมมติ โทร. 9999"

    html = report_html(edited_folders(tmp_path, edit))
    assert "contact_changed" in html
    assert "สมมติ" not in html
    assert "อิทธิพล" not in html
    assert "(withheld)" in html


def test_a_contact_line_that_is_gone_is_reported_without_its_text(tmp_path: Path) -> None:
    html = report_html(edited_folders(tmp_path, lambda state: state.remove("contacts", project_code=SEED)))
    assert "contact_changed" in html
    assert "อิทธิพล" not in html


def test_a_plan_and_its_reports_are_drawn(tmp_path: Path) -> None:
    def edit(state: State) -> None:
        state.one("plan_steps", project_code=SEED, step_no=3)["end_date"] = "2020-08-31"

    html = report_html(edited_folders(tmp_path, edit))
    (chart,) = LexborHTMLParser(html).css("svg")
    lines = {line.attributes["class"]: line.attributes["points"].split() for line in chart.css("polyline")}
    assert set(lines) == {"plan", "plan before", "actual"}, "A's reports are equal and not drawn twice"
    assert len(chart.css("circle")) == 13
    assert [text.text() for text in chart.css("text")][:5] == ["0", "25", "50", "75", "100"]
    heights = [float(point.split(",")[1]) for point in lines["actual"]]
    assert heights == sorted(heights, reverse=True), "the seed's reports only rise"


def test_what_could_not_be_compared_has_its_section(three_nights: Path, tmp_path: Path) -> None:
    texts = text_of(LexborHTMLParser(report_html(comparison(three_nights, 0, 1))).css("section")[-2])
    assert "50500000-0745" in texts
    assert "shown" in texts or "showed" in texts
    folder = export(three_nights, "latest", tmp_path / "b")
    (folder / "kpis.parquet").unlink()
    (folder / "pages.parquet").unlink()
    html = report_html(
        compare_snapshots(FolderSnapshot(export(three_nights, "previous", tmp_path / "a")), FolderSnapshot(folder))
    )
    texts = text_of(LexborHTMLParser(html).css("section")[-2])
    assert "B has no file of this table" in texts
    assert "table of pages is missing" in texts
    assert "B is a folder" in html


def test_a_report_without_any_difference(three_nights: Path) -> None:
    html = report_html(comparison(three_nights, 2, 2))
    assert "No difference." in html
    assert LexborHTMLParser(html).css(".card") == []


def test_every_meaning_has_its_thai_text() -> None:
    assert MEANINGS_TH.keys() == MEANINGS.keys()
    assert DETAILS_TH.keys() == DETAILS.keys()
    assert SEVERITIES_TH.keys() == SEVERITIES.keys()
    assert all(severity_of(meaning, detail) in SEVERITIES for meaning in MEANINGS for detail in (None, *DETAILS))


def test_report_on_the_command_line(three_nights: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    first = run("report", "--data", three_nights, "--out", out)
    assert first.returncode == 0, first.stderr
    assert "target_lowered" not in first.stdout
    assert "ลดค่าเป้าหมาย" in out.read_text(encoding="utf-8")
    english = tmp_path / "report-en.html"
    assert run("report", "--data", three_nights, "--out", english, "--lang", "en").returncode == 0
    assert "the target was lowered" in english.read_text(encoding="utf-8")
    again = out.read_bytes()
    assert run("report", "previous", "latest", "--data", three_nights, "--out", out).returncode == 0
    assert out.read_bytes() == again, "the same states make the same page"
    html = run("diff", "previous", "latest", "--data", three_nights, "--format", "html")
    assert html.returncode == 1
    assert html.stdout.encode() == again
    for arguments, said in (
        (("report", "latest", "--data", three_nights, "--out", out), "name both states"),
        (("report", "--data", three_nights), "--out"),
        (("report", "--data", tmp_path / "none", "--out", out), "holds no store"),
        (("report", "--data", three_nights, "--out", tmp_path / "no" / "where.html"), "cannot be written"),
        (("report", "--data", three_nights, "--out", out, "--silent", "0"), "--silent"),
    ):
        wrong = run(*arguments)
        assert wrong.returncode == 2, arguments
        assert said in wrong.stderr
        assert len(wrong.stderr.splitlines()) == 1


# --- in a real browser ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, NO_BROWSER
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


def open_page(
    browser: Any, folder: Path, html: str, width: int = 1100, *, script: bool = False
) -> tuple[Any, list[str]]:
    """The report in a tab, and what the tab requested or complained about. script: whether it runs the page's script"""
    file, noises = folder / "report.html", []
    file.write_text(html, encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=script)
    page = context.new_page()
    page.on("request", lambda request: noises.append(request.url))
    page.on("console", lambda message: noises.append(message.text))
    page.on("pageerror", lambda error: noises.append(str(error)))
    page.goto(file.as_uri())
    assert noises.pop(0) == file.as_uri()
    return page, noises


@in_browser
@pytest.mark.parametrize("width", [400, 1100])
def test_the_browser_requests_nothing_and_needs_no_horizontal_scrolling(
    browser: Any, three_nights: Path, tmp_path: Path, width: int
) -> None:
    page, noises = open_page(browser, tmp_path, report_html(comparison(three_nights)), width)
    assert noises == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    sizes = "[...document.querySelectorAll('p,td,dd,h3,label')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    assert min(page.evaluate(sizes)) >= 12
    chart = page.locator("svg text").first.bounding_box()
    assert chart["height"] >= 9


@in_browser
def test_thai_marks_are_above_their_letters(browser: Any, three_nights: Path, tmp_path: Path) -> None:
    html = report_html(comparison(three_nights))
    samples = ["ก", "ก่", "กี่", "ก็", "ญู", "ป๊", "น้ำ", "นำ"]
    spans = "".join(f'<span class="sample">{sample}</span> ' for sample in samples)
    page, _ = open_page(browser, tmp_path, html.replace("<header>", f"<header><p>{spans}</p>"))
    measured = page.evaluate("[...document.querySelectorAll('.sample')].map(e => e.getBoundingClientRect().width)")
    widths = dict(zip(samples, measured, strict=True))
    assert widths["ก"] > 4
    for mark in ("ก่", "กี่", "ก็"):
        assert widths[mark] == pytest.approx(widths["ก"], abs=0.5), f"{mark}: the mark takes room of its own"
    assert widths["น้ำ"] == pytest.approx(widths["นำ"], abs=0.5)


@in_browser
def test_changes_are_filtered_and_counted(browser: Any, three_nights: Path, tmp_path: Path) -> None:
    html = report_html(comparison(three_nights))
    page, noises = open_page(browser, tmp_path, html, script=True)

    def visible(selector: str) -> int:
        return sum(node.is_visible() for node in page.locator(selector).all())

    def choose(meaning: str) -> None:
        page.locator(f"button[data-only='{meaning}']").click()

    assert visible(".change") == page.locator(".change").count() == 6
    choose("report_edited")
    assert (visible(".change"), visible(".card"), visible(".group")) == (2, 1, 1)
    assert page.locator("#shown").text_content() == "2 of 6 changes are shown."
    assert page.locator("#s-critical .count").text_content() == "2"
    choose("")
    page.locator("#agency").select_option("03000000")
    assert visible(".change") == visible("[data-m]") == 2, "a backdated report, and the progress that rose with it"
    assert page.locator("button[data-only=report_edited] .count").text_content() == "0"
    page.locator("#agency").select_option("")
    page.locator("#words").fill("24000000-3051 ออกแบบ")
    page.locator("#shown", has_text="1 of 6").wait_for()
    assert visible(".change") == 1
    assert noises == []
    plain, _ = open_page(browser, tmp_path, html)
    assert not plain.locator("#filters").is_visible(), "what does nothing without a script is not shown"
    assert sum(node.is_visible() for node in plain.locator(".change").all()) == 6


@in_browser
def test_the_report_prints(browser: Any, three_nights: Path, tmp_path: Path) -> None:
    page, _ = open_page(browser, tmp_path, report_html(comparison(three_nights)))
    page.emulate_media(media="print")
    assert page.locator(".proof code").first.is_visible(), "the evidence is on paper too"
    printed = page.pdf(format="A4")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12


def same_edits(state: State) -> None:
    """One edit in every report, one in a few projects, and a report gone: more than a page of 40 kB holds."""
    for row in state.rows["progress_reports"]:
        row["note"] = f"{row['note'] or ''} แก้ไขภายหลัง"
    for row in state.rows["projects"][:4]:
        row["agency_name"] = f"{row['agency_name']} ({row['project_code']})"
    state.remove_report(2)


def test_the_same_edit_in_many_records_is_one_card(tmp_path: Path) -> None:
    compared = edited_folders(tmp_path, same_edits)
    page = LexborHTMLParser(report_html(compared))
    (card,) = [card for card in page.css(".card") if card.css_first(".places")]
    edits = [row for row in compared.changes.to_pylist() if row["column"] == "note" and row["before"]]
    assert len(card.css("li")) == len(edits) == len({item.id for item in card.css("li")})
    assert f"The same in {len({row['project_code'] for row in edits})} records" in text_of(card)
    assert "แก้ไขภายหลัง" in text_of(card.css_first("ins"))
    assert len(page.css("[data-m]")) == len(compared.changes)


def test_many_changes_are_split_into_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PAGE_BYTES", 8_000)
    compared = edited_folders(tmp_path, same_edits)
    pages = dict(report.report_pages(compared, "x.html", lang="en"))
    assert list(pages)[:2] == ["x.html", "x-2.html"]
    parsed = {name: LexborHTMLParser(html) for name, html in pages.items()}
    assert sum(len(page.css("[data-m]")) for page in parsed.values()) == len(compared.changes)
    anchors = {name: {node.attributes["id"] for node in page.css("[id]")} for name, page in parsed.items()}
    for name, page in parsed.items():
        for link in page.css("a"):
            file, _, anchor = link.attributes["href"].partition("#")
            assert not anchor or anchor in anchors[file or name], link.html
    assert "report_edited" in text_of(parsed["x.html"].css_first("#numbers").parent), "counts are of all pages"
    whole, left_out = report.first_page(compared, lang="en")
    assert left_out == len(compared.changes) - len(parsed["x.html"].css("[data-m]")) > 0
    assert whole.count(f"the other {left_out}") == 2, "on the first page and where the changes are"


@in_browser
def test_a_report_as_pdf(three_nights: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.pdf"
    written = run("report", "--data", three_nights, "--out", out)
    assert written.returncode == 0, written.stderr
    content = out.read_bytes()
    assert content.startswith(b"%PDF-")
    assert re.search(rb"/MediaBox ?\[0 0 59[45]\S* 84[12]", content), "A4"


def test_without_a_browser_there_is_one_sentence(
    three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = run("report", "--data", three_nights, "--out", tmp_path / "x.pdf")
    assert refused.returncode == 2
    assert "install one" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "x.pdf").exists()


@pytest.mark.parametrize("last", [1, 2])
def test_a_report_in_thai_is_thai_throughout(three_nights: Path, last: int) -> None:
    """Codes and commands stay as they are; every sentence is Thai, also why something could not be compared."""
    page = LexborHTMLParser(report.report_html(comparison(three_nights, 0, last)))
    assert page.html is not None
    assert '<html lang="th">' in page.html
    for element in page.css("style, script, code, .small bdi, .proof"):
        element.decompose()
    assert page.body is not None
    left = re.findall(r"[A-Za-z]{3,}(?: [A-Za-z]{2,})+", page.body.text(separator="|"))
    assert left == []
    assert "พ.ศ. 25" in page.body.text()
