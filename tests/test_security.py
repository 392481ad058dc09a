"""What a portal sends is never a path, a command or a terminal's code; what is kept is open to its owner and group only."""

import csv
import io
import json
import os
import re
import shutil
import stat
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from support.command import run
from support.forging import edit_table, redo_hashes
from support.harvests import harvest

from flows.prefect_.environment import prepare
from pipeline.api import open_store
from pipeline.browse.index import open_index
from pipeline.browse.site import Site
from pipeline.browse.texts import Words
from pipeline.errors import StoreError
from pipeline.harvest.demo_portal import FIXTURES, DemoPortal
from pipeline.harvest.result import Scope
from pipeline.operate.notify import Event, send_event
from pipeline.plain_text import json_printable, printable
from pipeline.settings import load_settings
from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json
from pipeline.store.head import write_head
from pipeline.store.verify import verify_store
from pipeline.store.writer import create_store

SEED, LIST = "24000000-2964.html", "index102-24000000.html"
EVIL = "../../../../pwned; touch pwned $(touch pwned) `touch pwned` | touch pwned"
CODES = (
    "../../../pwned",
    "24000000-2964/../../pwned",
    "24000000-2964%00",
    "2400-1013;touch pwned",
    "%0d%0aSet-Cookie:a=b",
)
# colours, a window's title, a cleared screen, an overwritten line, text that runs backwards
TERMINAL = "&#27;[31mred&#27;]0;pwned&#7;&#27;[2J\x08\x08\r&#8238;gpj.exe"
PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]+")


@pytest.fixture
def hostile_pages(tmp_path: Path) -> Path:
    """The example pages with one project's page and one list turned against their reader."""
    pages = tmp_path / "pages"
    shutil.copytree(FIXTURES, pages)
    (pages / "nights.json").write_text("{}", encoding="utf-8")
    seed = (pages / SEED).read_bytes().decode()
    title = "โครงการพัฒนาศักยภาพกรรมการชุมชน ผู้นำชุมชนและเจ้าหน้าที่ผู้ปฏิบัติงานชุมชน"
    assert seed.count(title)
    seed = seed.replace(title, f"{EVIL} {TERMINAL} &lt;script&gt;alert(1)&lt;/script&gt; {title}")
    links = "".join(
        f'<a href="{page}.php?pid={code}">(คลิก)</a>' for page in ("myproject", "mykpi", "stepproject") for code in CODES
    )
    links += "".join(
        f'<a href="{address}">(คลิก)</a>'
        for address in (
            "file:///etc/passwd",
            "//example.org/mobile/myproject.php?pid=24000000-0001",
            "/../../etc/passwd",
            "javascript:alert(1)",
            "myproject.php?pid=24000000-2964&pid=../../pwned",
        )
    )
    seed = seed.replace("</body>", f"{links}</body>")
    (pages / SEED).write_bytes(seed.encode())
    listed = (pages / LIST).read_bytes()
    assert b"<TR>" in listed
    (pages / LIST).write_bytes(listed.replace(b"<TR>", f"<TR><TD>{links}</TD>".encode(), 1))
    return pages


def test_nothing_from_a_page_becomes_a_path_or_an_address(hostile_pages: Path, tmp_path: Path) -> None:
    data = tmp_path / "there" / "store"
    before = {path for path in tmp_path.rglob("*") if "there" not in path.parts}
    with DemoPortal(hostile_pages) as portal:
        result = harvest(portal, data)
        asked = list(portal.requests)
    assert result.published
    assert {path for path in tmp_path.rglob("*") if "there" not in path.parts} == before
    odd = [path for path in (tmp_path / "there").rglob("*") if not PLAIN_NAME.fullmatch(path.name)]
    assert odd == []
    assert {path.name for path in (tmp_path / "there").iterdir()} == {"store"}
    known = {"/", "/robots.txt", *json.loads((hostile_pages / "portal.json").read_text(encoding="utf-8"))["pages"]}
    strange = {address for address in asked if address not in known and not _follows_a_form(address)}
    assert strange == set()
    projects = open_store(data).table("projects").set_index("project_code")
    assert projects.loc["24000000-2964", "name"].startswith(EVIL)  # it is a text, and kept as one
    assert all(re.fullmatch(r"[0-9]{8}-[0-9]{4}", code) for code in projects.index)
    assert verify_store(data, deep=True) == []


def _follows_a_form(address: str) -> bool:
    """Whether an address is one of the portal's own forms, with a code of digits."""
    return bool(
        re.fullmatch(
            r"/(?:mobile|mobile62)/(?:index[0-9.a-z]*(?:\?selDEP=[0-9]{8})?|my(?:project|kpi)\.php\?pid=[0-9-]+)"
            r"|/bs2[0-9]{3}/frontend/web/index\.php\?[A-Za-z0-9%&=_-]+",
            address,
        )
    )


FOREIGN = "=1+1\x1b[31m\x9b2J\u202e\r\u200bpwned"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def foreign_store(three_nights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store from elsewhere, with formulas and control codes in all its texts; its hashes agree."""
    data = tmp_path_factory.mktemp("foreign") / "store"
    shutil.copytree(three_nights, data, symlinks=True)
    for folder in (data / "harvests").iterdir():
        for table, columns in {
            "projects": ("name", "rationale"),
            "progress_reports": ("note",),
            "pages": ("error",),
            "changes": ("before", "after", "detail"),
            "findings": ("printed", "message"),
        }.items():
            edit_table(folder / f"{table}.parquet", lambda rows, columns=columns: [
                row.update(dict.fromkeys(columns, FOREIGN)) for row in rows if row.get("detail") != "part_of_record"
            ])  # fmt: skip
    redo_hashes(data)
    manifest = max((data / "harvests").iterdir()) / "manifest.json"
    document = json.loads(manifest.read_bytes()) | {"published": False, "held_back": FOREIGN, "outcomes": {FOREIGN: 1}}
    manifest.write_bytes(canonical_json(document))
    (data / "head.json").unlink()
    write_head(Archive(data), Archive(data).portal)
    for report in data.glob("runs/*/report.txt"):
        report.write_text(FOREIGN)
    return data


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("status", "--format", "json"),
    ("status", "--format", "prometheus"),
    ("history", "24000000-3051"),
    ("history", "24000000-3051", "--format", "json"),
    ("diff", "previous", "latest"),
    ("diff", "previous", "latest", "--format", "json"),
    ("diff", "previous", "latest", "--format", "csv"),
    ("sql", "SELECT * FROM projects"),
    ("sql", "SELECT * FROM projects", "--format", "csv"),
    ("sql", "SELECT nothing\x1b[31m FROM projects"),
    ("verify", "--deep"),
    ("replay",),
    ("export", "\x1b[31m", "--out", "export"),
    ("history", "\x9b31m"),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_control_characters_reach_the_terminal(
    foreign_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments, "--data", foreign_store)
    assert "Traceback" not in done.stderr
    assert done.stdout + done.stderr
    assert CONTROL.findall(done.stdout + done.stderr) == []


def test_every_command_writes_through_the_one_function_that_makes_texts_plain() -> None:
    root = Path(__file__).parent.parent
    files = [file for package in ("flows", "pipeline") for file in (root / package).rglob("*.py")]
    direct = re.compile(
        r"click\.(?:echo|secho)\(|^\s*print\(|sys\.std(?:out|err)\.write|csv\.writer|to_csv\(|write_csv\(.*open",
        re.MULTILINE,
    )
    found = {file.relative_to(root).as_posix() for file in files if direct.search(file.read_text(encoding="utf-8"))}
    assert found <= {"pipeline/plain_text.py", "pipeline/publish/sql_prompt.py", "flows/companion.py"}


def test_the_letters_made_plain_are_all_control_and_format_letters() -> None:
    unsafe = {chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs")}
    made_plain = {chr(code) for code in range(sys.maxunicode + 1) if printable(chr(code)) != chr(code)}
    assert unsafe - set("\n\t\u200d") <= made_plain
    # two that are no letters, and what newer versions of Unicode than this Python's have
    assert {unicodedata.category(letter) for letter in made_plain - unsafe} <= {"Cn"}
    assert json.loads(json_printable(json.dumps([FOREIGN, "\x7f\U000e0001"], ensure_ascii=False))) == [
        FOREIGN,
        "\x7f\U000e0001",
    ]


def test_no_csv_holds_a_formula_or_a_control_character(
    foreign_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All ways to a CSV: the export, the bundle of evidence, differences, queries, and downloads of `browse`."""
    for command in (
        ("export", "previous", "--format", "csv", "--out", tmp_path / "export"),
        ("evidence", "24000000-3051", "--out", tmp_path / "bundle"),
        ("diff", "previous", "latest", "--format", "csv", "--out", tmp_path / "diff.csv"),
    ):
        done = run(*command, "--data", foreign_store)
        assert done.returncode in (0, 1), done.stderr
    made = {str(file.relative_to(tmp_path)): file.read_bytes() for file in tmp_path.rglob("*.csv")}
    made["sql"] = run("sql", "--format", "csv", "SELECT * FROM projects", "--data", foreign_store).stdout.encode()
    archive = Archive(foreign_store)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site = Site(archive, open_index(archive, contacts=True), Words("en"), contacts=True)
    asked = {"format": "csv"}
    for name in ("home", "search", "changes", "flags", "agencies"):
        made[name] = getattr(site, name)(asked).body
    made["agency"] = site.agency("24000000", asked).body
    assert {"bundle/looks.csv", "diff.csv", "export/projects.csv", "changes"} <= made.keys()
    holding = set()
    for name, content in made.items():
        text = content.decode("utf-8-sig")
        assert CONTROL.findall(text) == [], name
        for row in csv.reader(io.StringIO(text)):
            holding |= {name for cell in row if "pwned" in cell}
            assert [cell for cell in row if re.match(r"\s*[=+@\t]", cell)] == [], name
    assert {"bundle/looks.csv", "diff.csv", "export/projects.csv", "sql", "search", "changes"} <= holding


@pytest.mark.parametrize("code", ["../../etc/passwd", "24000000-2964/../x", "", "24000000-2964\n", "$(id)"])
def test_a_code_on_the_command_line_is_checked(three_nights: Path, tmp_path: Path, code: str) -> None:
    with pytest.raises(StoreError, match="is no project's or indicator's code"):
        open_store(three_nights).history(code)


def test_a_reason_is_no_argument_of_the_notify_command(tmp_path: Path) -> None:
    script = tmp_path / "hook.py"
    script.write_text(
        "import json, os, pathlib, sys\n"
        "seen = [sys.argv[2:], os.environ['BMA_EVENT_REASON'], json.load(sys.stdin)]\n"
        "pathlib.Path(sys.argv[1]).write_text(json.dumps(seen))\n",
        encoding="utf-8",
    )
    out = tmp_path / "told.json"
    settings = load_settings(data=tmp_path / "store", notify_command=f"{sys.executable} {script} {out} 'a word'")
    event = Event("held_back", "store", "http://portal.example", "20261122T190000Z", f"{EVIL}\x00\n")
    assert send_event(event, settings, tmp_path / "memory") == []
    words, reason, document = json.loads(out.read_text(encoding="utf-8"))
    assert words == ["a word"]
    assert (reason, document["reason"]) == (f"{EVIL}\n", f"{EVIL}\x00\n")
    assert not list(tmp_path.rglob("pwned"))


def test_permissions_of_a_store_and_of_prefects_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    before = os.umask(0)
    try:
        data = tmp_path / "made" / "store"
        with DemoPortal() as portal:
            harvest(portal, data, Scope(sample=2))
        home = prepare(data)
    finally:
        os.umask(before)
        monkeypatch.delenv("PREFECT_HOME", raising=False)
    assert _mode(data) == 0o750
    assert _mode(home) == 0o700
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o775)
    kept.chmod(0o775)
    create_store(kept, "http://portal.example")
    assert _mode(kept) == 0o775  # a folder that was there is its owner's affair


def test_a_strict_umask_holds_for_every_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with DemoPortal() as portal:
            harvest(portal, tmp_path / "store", Scope(sample=2))
    finally:
        os.umask(before)
    open_to_others = [path for path in (tmp_path / "store").rglob("*") if not path.is_symlink() and _mode(path) & 0o027]
    assert open_to_others == []
    unreadable: list[Any] = [
        path for path in (tmp_path / "store").rglob("*.parquet") if not path.is_symlink() and not _mode(path) & 0o040
    ]
    assert unreadable == []  # the group that may enter may read


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
