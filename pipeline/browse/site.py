"""The pages of the browser: what each address shows, as HTML or, for lists, as JSON, CSV or Parquet."""

import io
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlencode, urljoin

import jinja2
import pyarrow as pa
import pyarrow.parquet as pq
from markupsafe import Markup

from pipeline.browse import feeds, queries
from pipeline.browse.comparison import compared
from pipeline.browse.index import Index
from pipeline.browse.links import Links, ServerLinks
from pipeline.browse.quiet_page import quiet_page
from pipeline.browse.shown import shown_calendar, shown_change, shown_chart, shown_tables
from pipeline.browse.snippets import with_snippets
from pipeline.browse.texts import Words
from pipeline.compare.classify import MEANINGS, SEVERITIES
from pipeline.compare.csv_files import write_csv
from pipeline.errors import BmaProgressError, MachineError, StoreDamagedError, StoreError
from pipeline.harvest.bounded_parser import CostlyPageError, parse_bounded
from pipeline.publish import dictionary
from pipeline.publish.charts import Chart
from pipeline.publish.html_pages import html_environment
from pipeline.schema.row_text import row_of_text
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_day

HTML: Final = "text/html; charset=utf-8"
_FORMATS: Final = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_NEWEST: Final = 20  # changes on the first page
_NIGHTS: Final = 31  # nights a page
_MONTHS: Final = 14  # of the calendar: 400 nights
_OFFERED: Final = 60  # nights that a form offers

Policy = Literal["site", "inert"]


@dataclass(frozen=True)
class Answer:
    """What one address gives: its status, bytes and media type. file_name: for downloads

    policy: `site`, or `inert` for bytes of the portal
    """

    body: bytes
    media_type: str = HTML
    status: int = 200
    file_name: str | None = None
    policy: Policy = "site"


@dataclass
class Site:
    """The pages of one state of a store, in one language.

    contacts: whether contact lines, and the stored pages that print them, may be shown; base: the absolute address that
        feeds are relative to; since: a list of changes begins after this harvest unless it is asked otherwise
    charts: the chart of the record shown last, which is the same in both languages
    """

    archive: Archive
    index: Index
    words: Words
    contacts: bool
    base: str = ""
    links: Links = field(default_factory=ServerLinks)
    since: str | None = None
    charts: dict[str, Chart | None] = field(default_factory=dict)

    # --- pages ---------------------------------------------------------------------------------------------------------

    def home(self, query: Mapping[str, str]) -> Answer:
        """Nights, newest first, and the newest changes."""
        rows, number = queries.nights(self.index), _page_number(query)
        if query.get("format") in _FORMATS:
            return self.data(rows, len(rows), None, query["format"], "nights")
        newest = queries.changes(self.index, self._filters({}), 1).rows[:_NEWEST] if number == 1 else []
        pager = queries.part_of(rows, number, _NIGHTS)
        return self._page(
            "home",
            "/",
            newest=self._shown(newest),
            calendar=shown_calendar(rows, _MONTHS),
            shown=pager.rows,
            pager=pager,
        )

    def search(self, query: Mapping[str, str]) -> Answer:
        """Projects and indicators that hold the words, narrowed by facets."""
        found = queries.search(self.index, query, _part(query))
        names = ("q", "agency", "year", "kind", "sort", *queries.FACETS)
        facets = {}
        if self.links.live and query.get("format") not in _FORMATS:
            facets = queries.facets(self.index, query)
            if asked := queries.words_of(query):
                found = found._replace(rows=with_snippets(self.index, found.rows, asked, self.words))
        return self._list("search", "/search", found, query, names=names, facets=facets)

    def record(self, code: str, kind: str, query: Mapping[str, str]) -> Answer:
        """One project or indicator: its last state, its red flags, and its timeline."""
        about = queries.record(self.index, code)
        if about is None or about["kind"] != kind:
            return self.not_found()
        tables = self.index.document(code)
        looks = queries.looks(self.index, code)
        flags = queries.flags(self.index, {"code": code}, 1).rows
        if query.get("format") == "json":
            return _json({"record": about, "tables": tables, "timeline": looks, "red_flags": flags})
        rows = iter(self._shown([row for look in looks for row in look["changes"]]))
        looks = [{**look, "changes": [next(rows) for _ in look["changes"]]} for look in looks]
        # what every night changes would rewrite every file of a site
        shown = shown_tables(tables, self.words, without=() if self.links.live else ("checked_at",))
        if code not in self.charts:
            self.charts.clear()
            self.charts[code] = shown_chart(about, tables) if kind == "project" else None
        return self._page(
            "record", f"/{kind}s/{code}", title=f"{code} {about['name'] or ''}",
            about=about, tables=shown, looks=looks, flags=flags, chart=self.charts[code],
            known=queries.names(self.index, {row["kpi_code"] for row in tables.get("project_kpis", ())}),
            projects=queries.supporting(self.index, code) if kind == "kpi" else [],
        )  # fmt: skip

    def agencies(self, query: Mapping[str, str]) -> Answer:
        """The league table."""
        rows = queries.agencies(self.index)
        if query.get("format") in _FORMATS:
            return self.data(rows, len(rows), None, query["format"], "agencies")
        return self._page("agencies", "/agencies", rows=rows)

    def agency(self, code: str, query: Mapping[str, str]) -> Answer:
        """One agency and its projects."""
        about = queries.agency(self.index, code)
        if about is None:
            return self.not_found()
        found = queries.search(self.index, {**query, "agency": code}, _part(query))
        return self._list("agency", f"/agencies/{code}", found, query, names=("sort",), about=about)

    def changes(self, query: Mapping[str, str]) -> Answer:
        """Every change of every night; with `from` and `to`, what differs between those two nights."""
        filters = self._filters(query)
        number = _part(query)
        if filters.get("from") and filters.get("to"):
            found = compared(self.archive, filters, number, contacts=self.contacts)
        else:
            found = queries.changes(self.index, filters, number)
        names = ("from", "to", "night", "meaning", "severity", "agency", "code", "q")
        nights = queries.nights(self.index)[:_OFFERED] if self.links.live else []
        return self._list(
            "changes", "/changes", found, query, names=names, meanings=list(MEANINGS), severities=list(SEVERITIES), nights=nights
        )  # fmt: skip

    def change(self, harvest_id: str, number: str, query: Mapping[str, str]) -> Answer:
        """One change: both values whole, and the page that shows it."""
        row = queries.change(self.index, harvest_id, number)
        if row is None:
            return self.not_found()
        if query.get("format") == "json":
            return _json(row)
        before, after = queries.pages_around(self.index, row)
        return self._page(
            "change", f"/changes/{harvest_id}/{number}", title=feeds.title_of(row, self.words),
            row=self._shown([row], whole=True)[0], before=before, after=after,
        )  # fmt: skip

    def flags(self, query: Mapping[str, str]) -> Answer:
        """Red flags, the most severe first."""
        found = queries.flags(self.index, query, _part(query))
        rules = self.index.known_rows("SELECT rule AS value, count(*) AS number FROM flags GROUP BY 1 ORDER BY 1")
        if query.get("format") not in _FORMATS:
            names = queries.names(self.index, {row["project_code"] for row in found.rows})
            found = found._replace(rows=[{**row, "name": names.get(row["project_code"])} for row in found.rows])
        agencies = self.index.known_rows("SELECT agency_code AS value, name_th AS label FROM agencies ORDER BY 1")
        return self._list(
            "flags", "/flags", found, query, names=("rule", "severity", "agency", "code"), rules=rules,
            severities=list(SEVERITIES)[:3], agencies=agencies,
        )  # fmt: skip

    def stored_page(self, sha256: str, query: Mapping[str, str]) -> Answer:
        """A stored page beside what is read from it."""
        about = queries.stored_page(self.index, sha256)
        if about is None:
            return self.not_found()
        document, parsed = None, None
        if self.contacts:
            body = self.archive.body(about["harvest_id"], about["page_sha256"])
            with suppress(CostlyPageError):  # then its bytes alone are shown
                parsed = parse_bounded(body, url=about["url"])
                document = {name: getattr(parsed, name) for name in ("kind", "verdict", "tables", "unclaimed")}
            about["bytes"] = len(body)
        if query.get("format") == "json":
            return _json({**about, "document": document})
        tables = shown_tables(parsed.tables, self.words) if parsed else []
        return self._page(
            "page", f"/pages/{sha256}", title=sha256, about=about, document=document, tables=tables, known={}
        )

    def body(self, sha256: str, *, quiet: bool) -> Answer:
        """The bytes of a stored page as they were served. The answer's headers keep everything in them inert.

        quiet: without what they run and load; see `quiet_page`
        """
        about = queries.stored_page(self.index, sha256)
        if about is None:
            return self.not_found()
        if not self.contacts:
            return self.withheld()
        headers = row_of_text(self.archive.body_record(about["harvest_id"], about["page_sha256"])["headers"])
        served = next((str(value) for name, value in headers.items() if name.lower() == "content-type"), "text/html")
        body = self.archive.body(about["harvest_id"], about["page_sha256"])
        if quiet:
            return Answer(quiet_page(body, served), "text/html; charset=utf-8", policy="inert")
        media = served if served.isascii() and served.isprintable() and served.startswith("text/html") else "text/html"
        return Answer(body, media, policy="inert")

    def dictionary(self) -> Answer:
        """The data dictionary."""
        body = dictionary.html().split("<body>")[1].split("</body>")[0]
        return self._page("dictionary", "/dictionary", body=Markup(body))  # noqa: S704 - our own page

    def feed(self, style: str, query: Mapping[str, str]) -> Answer:
        """The newest changes as Atom or JSON Feed, with the filters of the list."""
        filters, number = self._filters(query), _page_number(query)
        found = queries.changes(self.index, filters, number)
        kept = {name: value for name, value in query.items() if name != "page" and value}
        here, following = self._absolute(f"/changes.{style}", **kept), None
        if found.has_next and self.links.live:
            following = self._absolute(f"/changes.{style}", **{**kept, "page": number + 1})
        portal, updated = self.archive.portal, queries.nights(self.index)[0]["started_at"]
        name, home = feeds.feed_name(portal, self.words, kept), self._absolute("/changes", **kept)
        feed = feeds.Feed(portal, name, here, home, following, updated, self._address_of)
        if style == "atom":
            return Answer(feeds.atom(found.rows, feed, self.words), "application/atom+xml; charset=utf-8")
        return Answer(feeds.json_feed(found.rows, feed, self.words), "application/feed+json")

    def _absolute(self, path: str, **query: Any) -> str:
        return urljoin(self.base, self.links(path, **query) or "")

    def _address_of(self, change: dict[str, Any]) -> str:
        """The address of one change; in a site its place in the timeline of its record, or its night."""
        path, (harvest_id, number) = feeds.change_path(change), (change["harvest_id"], change["change_no"])
        record = next(
            (f"/{kind}s/{change[f'{kind}_code']}" for kind in ("project", "kpi") if change[f"{kind}_code"]), "/"
        )
        found = self.links(path) or self.links(f"{record}#c-{harvest_id}-{number}")
        return urljoin(self.base, found or self.links("/changes", night=harvest_id) or "")

    def not_found(self) -> Answer:
        """The page of an address that shows nothing."""
        return self._page(
            "refused", "", status=404, sentence=self.words("not_found"), help=self.words("not_found_help")
        )

    def withheld(self) -> Answer:
        """The page in place of what shows contact lines, where those are withheld."""
        return self._page("refused", "", status=403, help="", sentence=self.words("withheld"))

    def refused(self, error: BmaProgressError) -> Answer:
        """The page of a question that cannot be answered, with its sentence: a wrong one, or one of what is damaged."""
        status = 500 if isinstance(error, StoreDamagedError | MachineError) else 400
        return self._page("refused", "", status=status, help="", sentence=str(error))

    # --- parts ---------------------------------------------------------------------------------------------------------

    def _page(self, template: str, path: str, status: int = 200, **values: Any) -> Answer:
        context = {
            "words": self.words,
            "site": self,
            "link": self.links,
            "path": path,
            "title": None,
            "query": {},
            **values,
        }
        text = _environment().get_template(f"{template}.html.jinja").render(context)
        return Answer(text.encode(), status=status)

    def _list(
        self,
        template: str,
        path: str,
        found: queries.Rows,
        query: Mapping[str, str],
        names: tuple[str, ...],
        **values: Any,
    ) -> Answer:
        kept = {name: query[name] for name in names if query.get(name)}
        style = query.get("format", "")
        if style in _FORMATS:
            following = (
                urlencode({**kept, "format": style, "page": found.page + 1}) if found.page and found.has_next else None
            )
            return self.data(found.rows, found.total, following, style, template, found.schema)
        rows = self._shown(found.rows) if template == "changes" else found.rows
        asked = {name: query.get(name, "") for name in names}
        return self._page(template, path, rows=rows, pager=found, query=asked, kept=kept, **values)

    def data(
        self,
        rows: list[dict[str, Any]],
        total: int,
        following: str | None,
        style: str,
        name: str,
        schema: pa.Schema | None = None,
    ) -> Answer:
        """A list as `json`, `csv` or `parquet`.

        following: the query of the next rows; total: rows of the whole list; schema: its columns, where it may be empty
        """
        if style == "json":
            return _json({"harvest_id": self.index.harvest_id, "total": total, "next": following, "rows": rows})
        table = pa.Table.from_pylist([{key: _cell(value) for key, value in row.items()} for row in rows], schema)
        file = io.BytesIO()
        write_csv([table], file) if style == "csv" else pq.write_table(table, file)
        return Answer(file.getvalue(), _FORMATS[style], file_name=f"{name}.{style}")

    def _shown(self, rows: list[dict[str, Any]], *, whole: bool = False) -> list[dict[str, Any]]:
        codes = {row["project_code"] or row["kpi_code"] for row in rows} - {None}
        names = queries.names(self.index, codes)
        return [shown_change(row, self.words, names, whole=whole) for row in rows]

    def _filters(self, query: Mapping[str, str]) -> dict[str, str]:
        """The filters of a list of changes; `from`, `to` and `night` become ids of harvests."""
        filters = {name: value for name, value in query.items() if value}
        for name in ("from", "to", "night"):
            if name in filters:
                filters[name] = self._night(filters[name])
        if self.since and not filters.keys() & {"from", "night"}:
            filters["from"] = self.since
        return filters

    def _night(self, when: str) -> str:
        """The harvest that is meant, as the store stood when this index was made. Raises StoreError."""
        nights, wanted = queries.nights(self.index), when.strip()
        if any(row["harvest_id"] == wanted for row in nights):
            return wanted
        published = [str(row["harvest_id"]) for row in nights if row["published"]]
        if wanted in ("latest", "previous") and len(published) > (wanted == "previous"):
            return published[wanted == "previous"]
        return min(self.archive.resolve(when), str(nights[0]["harvest_id"]))

    @cached_property
    def newest_day(self) -> str:
        """The day of the latest published night."""
        row = self.index.row("SELECT day FROM nights WHERE harvest_id = ?", self.index.harvest_id)
        return str(row["day"]) if row else ""


def style_sheet() -> bytes:
    """The style sheet of all pages."""
    return (Path(__file__).parent / "templates" / "style.css").read_bytes()


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = html_environment("pipeline.browse")
    environment.filters["number"] = lambda value: "" if value is None else f"{value:,.10g}"
    environment.filters["when"] = lambda text: (text or "")[:16].replace("T", " ")
    environment.filters["from_json"] = json.loads
    environment.filters["night_day"] = lambda harvest_id: str(harvest_day(harvest_id))
    environment.filters["coverage"] = _coverage
    return environment


def _coverage(outcomes: Mapping[str, int]) -> float | None:
    """Percent of the pages asked for that were answered; None where none was asked for."""
    asked = sum(number for name, number in outcomes.items() if name != "skipped")
    missed = outcomes.get("failed", 0) + outcomes.get("blocked", 0)
    return round(100 * (asked - missed) / asked, 1) if asked else None


def _json(content: Any) -> Answer:
    return Answer(json.dumps(content, ensure_ascii=False, default=str).encode(), _FORMATS["json"])


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _part(query: Mapping[str, str]) -> int | None:
    """The page of a list that is asked for; None for a file, which holds all of it."""
    return None if query.get("format") in ("csv", "parquet") else _page_number(query)


def _page_number(query: Mapping[str, str]) -> int:
    text = query.get("page", "1")
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 6 and int(text)):
        raise StoreError(f"page={text[:20]!r} is no number of a page; pages count from 1")
    return int(text)
