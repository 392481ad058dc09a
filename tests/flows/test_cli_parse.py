"""`bma-progress parse`, run as a person runs it: another process, real files, real pipes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from flows.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)


def one_sentence(result: subprocess.CompletedProcess[bytes]) -> str:
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("bma-progress: ")
    return lines[0]


def test_seed_page_is_ok_and_wholly_read(fixtures_html: Path) -> None:
    result = run("parse", fixtures_html / "24000000-2964.html")
    assert result.returncode == 0
    assert result.stderr == b""
    document = json.loads(result.stdout)
    assert document["kind"], document["verdict"] == ("project", "ok")
    assert document["unclaimed"] == []
    project = document["tables"]["projects"][0]
    assert project["agency_name"] == "สำนักพัฒนาสังคม"
    assert (project["fiscal_year_be"], project["fiscal_year_ce"], project["progress_percent"]) == (2563, 2020, 100.0)
    reports = document["tables"]["progress_reports"]
    assert len(reports) == 13
    assert (reports[0]["report_index"], reports[0]["report_no"]) == (1, 13)
    assert (reports[0]["reported_on_date"], reports[0]["progress_percent"]) == ("2019-10-29", 5.0)
    assert {report["problems"] for report in reports} == {None}
    assert sum(step["weight_percent"] for step in document["tables"]["plan_steps"]) == 100
    assert [kpi["kpi_code"] for kpi in document["tables"]["project_kpis"]] == ["2400-1013"]
    quarters = document["tables"]["project_kpi_quarters"]
    assert [quarter["result_value"] for quarter in quarters] == [0, 0, 0, 100]
    assert {quarter["score"] for quarter in quarters} == {None}
    assert {(quarter["evaluation_2_1"], quarter["evaluation_2_2"]) for quarter in quarters} == {(100, 100)}
    codes = [strategy["strategy_code"] for strategy in document["tables"]["project_strategies"]]
    assert codes == ["1", "1.4", "1.4.1", "1.4.1.1"]


def test_many_files_give_a_line_each(fixtures_html: Path) -> None:
    files = sorted(fixtures_html.glob("5*.html"))
    result = run("parse", *files)
    assert result.returncode == 0
    assert [json.loads(line)["source"] for line in result.stdout.splitlines()] == [str(file) for file in files]


def test_standard_input(fixtures_html: Path) -> None:
    result = run("parse", "-", stdin=(fixtures_html / "2400-1013.html").read_bytes())
    assert (result.returncode, json.loads(result.stdout)["kind"]) == (0, "kpi")


def test_url_of_another_record_makes_the_page_suspect(fixtures_html: Path) -> None:
    url = "http://127.0.0.1/mobile/myproject.php?pid=24000000-0001"
    result = run("parse", "--url", url, fixtures_html / "24000000-2964.html")
    assert (result.returncode, json.loads(result.stdout)["verdict"]) == (1, "suspect")


def test_missing_file() -> None:
    result = run("parse", "no-such-page.html")
    assert (result.returncode, result.stdout) == (2, b"")
    assert "no-such-page.html does not exist" in one_sentence(result)


def test_directory(tmp_path: Path) -> None:
    result = run("parse", tmp_path)
    assert (result.returncode, result.stdout) == (2, b"")
    assert "is a directory" in one_sentence(result)


def test_empty_file(tmp_path: Path) -> None:
    page = tmp_path / "empty.html"
    page.write_bytes(b"")
    result = run("parse", page)
    assert (result.returncode, json.loads(result.stdout)["verdict"]) == (1, "empty")
    assert "empty" in one_sentence(result)


def test_image(tmp_path: Path) -> None:
    page = tmp_path / "photo.html"
    page.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 50)
    result = run("parse", page)
    document = json.loads(result.stdout)
    assert (result.returncode, document["verdict"], document["kind"]) == (1, "blocked", "unknown")
    assert "a PNG image" in one_sentence(result)


def test_twenty_megabytes(tmp_path: Path) -> None:
    page = tmp_path / "huge.html"
    page.write_bytes(b"<p>x</p>\n" * (20_000_000 // 9))
    result = run("parse", page)
    assert (result.returncode, result.stdout) == (2, b"")
    assert "larger than 16 MB" in one_sentence(result)


def test_bad_file_does_not_cost_the_good_one(fixtures_html: Path) -> None:
    result = run("parse", "no-such-page.html", fixtures_html / "24000000-2964.html")
    assert result.returncode == 2
    assert json.loads(result.stdout)["verdict"] == "ok"


@pytest.mark.parametrize("arguments", [["parse"], ["pars"], ["parse", "--nonsense", "x"]])
def test_wrong_arguments_get_one_sentence(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert "--help" in one_sentence(result)


def test_closed_pipe_is_no_mistake(fixtures_html: Path) -> None:
    command = [sys.executable, "-c", "from flows.cli import main; main()", "parse"]
    files = [str(file) for file in sorted(fixtures_html.glob("*.html"))] * 20
    with subprocess.Popen([*command, *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(10)
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait(60) == 0


def test_parse_never_imports_prefect_or_pandas(fixtures_html: Path) -> None:
    program = (
        "import sys; from flows.cli import cli;"
        f"cli.main(['parse', {str(fixtures_html / '24000000-2964.html')!r}], standalone_mode=False)"
    )
    checked = (
        f"try:\n exec({program!r})\nexcept SystemExit: pass\nassert not {{'prefect', 'pandas'}} & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", f"import sys\n{checked}"], capture_output=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr.decode()


def test_a_name_that_is_no_text(tmp_path: Path, fixtures_html: Path) -> None:
    page = os.fsencode(tmp_path) + b"/page\xff.html"
    Path(os.fsdecode(page)).write_bytes((fixtures_html / "2400-1013.html").read_bytes())
    result = run("parse", os.fsdecode(page))
    assert (result.returncode, json.loads(result.stdout)["verdict"]) == (0, "ok")
    assert json.loads(result.stdout)["source"].endswith("page\ufffd.html")


def test_closed_standard_input() -> None:
    command = f"{sys.executable} -c 'from flows.cli import main; main()' parse - <&-"
    result = subprocess.run(command, shell=True, capture_output=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "standard input is closed" in one_sentence(result)
