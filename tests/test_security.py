"""What a portal sends is never a path, a command or a terminal's code; what is kept is open to its owner and group only."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.harvests import harvest

from flows.prefect_.environment import prepare
from pipeline.api import open_store
from pipeline.errors import StoreError
from pipeline.harvest.demo_portal import FIXTURES, DemoPortal
from pipeline.harvest.result import Scope
from pipeline.operate.notify import Event, send_event
from pipeline.settings import load_settings
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


def test_no_control_characters_of_a_page_reach_the_terminal(hostile_pages: Path, tmp_path: Path) -> None:
    data = tmp_path / "store"
    with DemoPortal(hostile_pages) as portal:
        harvest(portal, data)
        page = (hostile_pages / SEED).read_bytes().decode()
        (hostile_pages / SEED).write_bytes(page.replace(EVIL, f"again {TERMINAL} {EVIL}").encode())
        harvest(portal, data)
    for arguments in (
        ("history", "24000000-2964"),
        ("diff", "previous", "latest"),
        ("diff", "previous", "latest", "--format", "csv"),
        ("status",),
        ("evidence", "24000000-2964", "--out", str(tmp_path / "bundle")),
        ("parse", str(hostile_pages / SEED)),
    ):
        command = [Path(sys.executable).with_name("bma-progress"), *arguments]
        command += ["--data", str(data)] if arguments[0] != "parse" else []
        done = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path)
        said = done.stdout.decode() + done.stderr.decode()
        assert done.returncode in (0, 1), said
        assert "again" in said or arguments[0] in ("status", "evidence"), said
        assert re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said.replace("\r\n", "\n")) == []
    assert not list(tmp_path.rglob("pwned"))


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
    for name in ("DO_NOT_TRACK", *[key for key in os.environ if key.startswith(("PREFECT_", "DASK_"))]):
        monkeypatch.setenv(name, os.environ.get(name, "1"))  # put back afterwards
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
