"""What a dry run says of robots.txt, an unfinished harvest, a sample, and the time; and a resumed harvest's counts."""

import asyncio
import re
from pathlib import Path

import pytest
from support.command import run as command
from support.faulty_portal import FaultyPortal
from support.synthetic_portal import list_page, project_page

from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.dry_run import dry_run
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import Settings, load_settings
from pipeline.store.writer import create_store, open_writer

PAGES = {
    "/mobile/index101.php?selDEP=24000000": list_page("24000000", 1),
    "/mobile/myproject.php?pid=24000000-0001": project_page(0, 1, 0.02),
}
ONE_AGENCY = Scope(agencies=("24000000",))


def settings(portal: str, data: Path) -> Settings:
    return load_settings(portal=portal, data=data, rate=1000, retries=0, backoff=0, batch_size=2)


def test_robots_decide_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with FaultyPortal(PAGES, robots="User-agent: *\nCrawl-delay: 10\nDisallow: /dp/") as portal:
        done = command("harvest", "--portal", portal.url, "--data", "store", "--agencies", "2400", "--dry-run")
        asked = [line.path for line in portal.log]
    assert done.returncode == 0
    assert asked == ["/robots.txt"]
    assert "It asks for 10 s between two requests." in done.stderr
    assert re.search(r"^6 pages, 1 minutes at one request every 10\.2 s", done.stderr, re.MULTILINE)
    assert len(done.stdout.splitlines()) == 6


def test_a_sample_is_drawn_from_what_is_known(three_nights: Path) -> None:
    with DemoPortal() as portal:
        planned = asyncio.run(dry_run(settings(portal.url, three_nights), Scope(sample=10)))
    records = [ref for source, ref in planned.pages if source == "known"]
    assert (len(records), planned.more) == (10, 0)
    assert {ref.kind for ref in records} == {"project", "kpi", "yii_project", "city_indicator"}
    assert len(planned.pages) < 10 + 10


def test_an_unfinished_harvest_is_known_and_counted_whole(tmp_path: Path) -> None:
    data = tmp_path / "store"
    with FaultyPortal(PAGES) as portal:
        chosen = settings(portal.url, data)
        with open_writer(create_store(data, portal.url).root) as store:
            # slowly: pages are saved together within a tenth of a second
            run = HarvestRun.begin(chosen.changed(rate=8, concurrency=1), store, ONE_AGENCY)
            run_harvest(run, lambda: setattr(run, "stop_requested", run.counts.total() >= 3))
            fetched = run.counts.total()
            run.close()
        assert 3 <= fetched < 7
        planned = asyncio.run(dry_run(chosen, ONE_AGENCY))
        assert any(f"it goes on, {fetched:,} pages are fetched already" in word for word in planned.words)
        assert len(planned.pages) <= 7 - fetched
        other = asyncio.run(dry_run(chosen, Scope(agencies=("22000000",))))
        assert any("of other pages is unfinished" in word for word in other.words)
        with open_writer(store.root) as store:
            run = HarvestRun.begin(chosen, store, ONE_AGENCY)
            assert run.counts.total() == fetched
            assert run._seconds_before > 0
            run._seconds_before += 1000
            result = run_harvest(run)
            run.close()
    assert result is not None
    assert run.counts.total() == sum(result.outcomes.values()) == 7
    assert result.seconds > 1000
