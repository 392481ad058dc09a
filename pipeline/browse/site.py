"""The pages of the browser: what each address shows, as HTML or, for lists, as JSON, CSV or Parquet."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Any, Final, Literal
from urllib.parse import urlencode

import jinja2
import pyarrow as pa
import pyarrow.parquet as pq

from parsers import parse_page
from pipeline.browse import feeds, queries
from pipeline.browse.index import Index
from pipeline.browse.texts import Words
from pipeline.compare.classify import MEANINGS, SEVERITIES, severity_of
from pipeline.compare.diff import compare_snapshots
from pipeline.compare.inputs import StoreSnapshot
from pipeline.compare.text_diff import Operation, Piece, changed_words, is_text_change
from pipeline.errors import BmaProgressError, StoreError
from pipeline.publish import dictionary
from pipeline.publish.charts import Chart, Lines, draw
from pipeline.publish.csv_files import write_csv
from pipeline.publish.excerpts import Run, excerpt
from pipeline.publish.html_pages import html_environment
from pipeline.schema.columns import TABLES
from pipeline.store.archive import Archive

HTML: Final = "text/html; charset=utf-8"
_FORMATS: Final = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_FACETS: Final = ("behind", "flagged", "silent", "rewritten", "ended")
_MOST_COMPARED: Final = 20_000  # rows of two nights that are compared on request
_NEWEST: Final = 20


@dataclass(frozen=True)
class Answer:
    """What one address gives: its status, bytes and media type. file_name: for downloads

    policy: `site`, `inline` for our pages with styles inside, `inert` for bytes of the portal
    """

    body: bytes
    media_type: str = HTML
    status: int = 200
    file_name: str | None = None
    policy: Literal["site", "inline", "inert"] = "site"


@dataclass
class Site:
    """The pages of one state of a store, in one language.

    contacts: whether contact lines, and the stored pages that print them, may be shown
    """

    archive: Archive
    index: Index
    words: Words
    contacts: bool
    base: str = ""
    _environment: jinja2.Environment = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._environment = _environment()

    # --- pages ---------------------------------------------------------------------------------------------------------

    def home(self, query: Mapping[str, str]) -> Answer:
        """Nights, newest first, and the newest changes."""
        rows = queries.nights(self.index)
        if query.get("format") in _FORMATS:
            return self._data(rows, len(rows), None, query["format"], "nights")
        newest = queries.changes(self.index, {}, 1).rows[:_NEWEST]
        return self._page("home", nights=rows, newest=[self._shown(row) for row in newest], calendar=_calendar(rows))

    def search(self, query: Mapping[str, str]) -> Answer:
        """Projects and indicators that hold the words, narrowed by facets."""
        found = queries.search(self.index, query, _page_number(query))
        names = ("agency", "year", "kind", "sort", *_FACETS)
        return self._list(
            "search", found, query, names=("q", *names), facets=queries.facets(self.index), yes_no=_FACETS
        )

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
        shown = [{**look, "changes": [self._shown(row) for row in look["changes"]]} for look in looks]
        chart = _chart(about, tables) if kind == "project" else None
        return self._page(
            "record", title=f"{code} {about['name'] or ''}", about=about, tables=tables, looks=shown, flags=flags, chart=chart,
            columns={name: {one.name: one.label_th or one.name for one in TABLES[name].columns} for name in tables},
        )  # fmt: skip

    def agencies(self, query: Mapping[str, str]) -> Answer:
        """The league table."""
        rows = queries.agencies(self.index)
        if query.get("format") in _FORMATS:
            return self._data(rows, len(rows), None, query["format"], "agencies")
        return self._page("agencies", rows=rows)

    def agency(self, code: str, query: Mapping[str, str]) -> Answer:
        """One agency and its projects."""
        about = queries.agency(self.index, code)
        if about is None:
            return self.not_found()
        found = queries.search(self.index, {**query, "agency": code}, _page_number(query))
        return self._list("agency", found, query, names=("sort",), about=about)

    def changes(self, query: Mapping[str, str]) -> Answer:
        """Every change of every night; with `from` and `to`, what differs between those two nights."""
        filters = self._filters(query)
        number = _page_number(query)
        if filters.get("from") and filters.get("to"):
            found = self._compared(filters, number)
        else:
            found = queries.changes(self.index, filters, number)
        names = ("from", "to", "night", "meaning", "severity", "agency", "code", "q")
        return self._list("changes", found, query, names=names, meanings=list(MEANINGS), severities=list(SEVERITIES))

    def change(self, harvest_id: str, number: int, query: Mapping[str, str]) -> Answer:
        """One change: both values whole, and the page that shows it."""
        row = queries.change(self.index, harvest_id, number)
        if row is None:
            return self.not_found()
        if query.get("format") == "json":
            return _json(row)
        code = row["project_code"] or row["kpi_code"]
        looks = [look for look in queries.looks(self.index, code) if look["harvest_id"] <= harvest_id] if code else []
        return self._page(
            "change", title=feeds.title_of(row, self.words), row=self._shown(row, whole=True), looks=looks[:2]
        )

    def flags(self, query: Mapping[str, str]) -> Answer:
        """Red flags, the most severe first."""
        found = queries.flags(self.index, query, _page_number(query))
        rules = self.index.rows("SELECT rule AS value, count(*) AS number FROM flags GROUP BY 1 ORDER BY 1")
        return self._list("flags", found, query, names=("rule", "severity", "agency", "code"), rules=rules)

    def stored_page(self, sha256: str, query: Mapping[str, str]) -> Answer:
        """A stored page beside what is read from it."""
        about = queries.stored_page(self.index, sha256)
        if about is None:
            return self.not_found()
        document = None
        if self.contacts:
            body = self.archive.body(about["harvest_id"], sha256)
            parsed = parse_page(body, url=about["url"])
            document = {
                "kind": parsed.kind,
                "verdict": parsed.verdict,
                "tables": parsed.tables,
                "unclaimed": parsed.unclaimed,
            }
            about["bytes"] = len(body)
        if query.get("format") == "json":
            return _json({**about, "document": document})
        return self._page("page", title=sha256, about=about, document=document)

    def body(self, sha256: str) -> Answer:
        """The bytes of a stored page as they were served. The answer's headers keep everything in them inert."""
        about = queries.stored_page(self.index, sha256)
        if about is None:
            return self.not_found()
        if not self.contacts:
            return self.withheld()
        headers = json.loads(self.archive.body_record(about["harvest_id"], sha256)["headers"] or "{}")
        served = next((value for name, value in headers.items() if name.lower() == "content-type"), "text/html")
        media = served if served.isascii() and served.isprintable() and served.startswith("text/html") else "text/html"
        return Answer(self.archive.body(about["harvest_id"], sha256), media, policy="inert")

    def dictionary(self) -> Answer:
        """The data dictionary."""
        return Answer(dictionary.html().encode(), policy="inline")

    def feed(self, style: str, query: Mapping[str, str]) -> Answer:
        """The newest changes as Atom or JSON Feed, with the filters of the list."""
        filters, number = self._filters(query), _page_number(query)
        found = queries.changes(self.index, filters, number)
        kept = {name: value for name, value in query.items() if name != "page" and value}
        suffix = f"?{urlencode(kept)}" if kept else ""
        if style == "atom":
            newest = queries.nights(self.index)[0]["started_at"]
            return Answer(
                feeds.atom(found.rows, self.base, suffix, newest, self.words), "application/atom+xml; charset=utf-8"
            )
        following = f"{self.base}/changes.json?{urlencode({**kept, 'page': number + 1})}" if found.has_next else None
        return Answer(feeds.json_feed(found.rows, self.base, suffix, following, self.words), "application/feed+json")

    def not_found(self) -> Answer:
        """The page of an address that shows nothing."""
        return self._page("refused", status=404, sentence=self.words("not_found"))

    def withheld(self) -> Answer:
        """The page in place of what shows contact lines, where those are withheld."""
        return self._page("refused", status=403, sentence=self.words("withheld"))

    def refused(self, error: BmaProgressError) -> Answer:
        """The page of a question that cannot be answered, with its sentence."""
        return self._page("refused", status=400, sentence=str(error))

    # --- parts ---------------------------------------------------------------------------------------------------------

    def _page(self, template: str, status: int = 200, **values: Any) -> Answer:
        context = {"words": self.words, "site": self, "title": None, "query": {}, **values}
        return Answer(self._environment.get_template(f"{template}.html.jinja").render(context).encode(), status=status)

    def _list(
        self, template: str, found: queries.Rows, query: Mapping[str, str], names: tuple[str, ...], **values: Any
    ) -> Answer:
        kept = {name: query[name] for name in names if query.get(name)}
        style = query.get("format", "")
        following = urlencode({**kept, "page": found.page + 1}) if found.has_next else None
        if style in _FORMATS:
            return self._data(found.rows, found.total, following, style, template)
        rows = [self._shown(row) for row in found.rows] if template == "changes" else found.rows
        asked = {name: query.get(name, "") for name in names}
        return self._page(
            template, rows=rows, total=found.total, following=following, query=asked, kept=urlencode(kept), **values
        )

    def _data(self, rows: list[dict[str, Any]], total: int, following: str | None, style: str, name: str) -> Answer:
        if style == "json":
            return _json({"harvest_id": self.index.harvest_id, "total": total, "next": following, "rows": rows})
        table = pa.Table.from_pylist([{key: _cell(value) for key, value in row.items()} for row in rows])
        file = io.BytesIO()
        write_csv([table], file) if style == "csv" else pq.write_table(table, file)
        return Answer(file.getvalue(), _FORMATS[style], file_name=f"{name}.{style}")

    def _shown(self, row: dict[str, Any], *, whole: bool = False) -> dict[str, Any]:
        """A change with its words: the runs of both sides, changed words marked."""
        key = json.loads(row["key"])
        place = " ".join(f"{name} {value}" for name, value in key.items() if name not in ("project_code", "kpi_code"))
        shown: dict[str, Any] = {**row, "place": place, "runs_before": None, "runs_after": None}
        if is_text_change(row):
            pieces = changed_words(row["before"], row["after"])
            sides = [
                [Run(p.text, p.operation != "same") for p in pieces if p.operation != other]
                for other in ("added", "removed")
            ]
            if not whole:
                sides = [excerpt(pieces, "added"), excerpt(pieces, "removed")]
            shown["runs_before"], shown["runs_after"] = sides
        else:
            for side in ("before", "after"):
                if row[side] is not None:
                    text = row[side] if whole or len(row[side]) <= 400 else f"{row[side][:400]} …"
                    shown[f"runs_{side}"] = [Run(text, False)]
        return shown

    def _filters(self, query: Mapping[str, str]) -> dict[str, str]:
        """The filters of a list of changes; `from`, `to` and `night` become ids of harvests."""
        filters = {name: value for name, value in query.items() if value}
        for name in ("from", "to", "night"):
            if name in filters:
                filters[name] = self.archive.resolve(filters[name])
        return filters

    def _compared(self, filters: Mapping[str, str], number: int) -> queries.Rows:
        rows = _comparison(self.archive, filters["from"], filters["to"], contacts=self.contacts)
        wanted = {name: filters[name] for name in ("meaning", "severity") if name in filters}
        chosen = [
            row
            for row in rows
            if all(row[name] == value for name, value in wanted.items())
            and filters.get("agency") in (None, row["agency_code"])
            and filters.get("code") in (None, row["project_code"], row["kpi_code"])
            and filters.get("q", "").lower() in f"{row['before']} {row['after']}".lower()
        ]
        first = (number - 1) * queries.PER_PAGE
        return queries.Rows(chosen[first : first + queries.PER_PAGE], len(chosen), number)

    @cached_property
    def newest_day(self) -> str:
        """The day of the latest published night."""
        row = self.index.row("SELECT day FROM nights WHERE harvest_id = ?", self.index.harvest_id)
        return str(row["day"]) if row else ""


@lru_cache(maxsize=4)
def _comparison(archive: Archive, before: str, after: str, *, contacts: bool) -> list[dict[str, Any]]:
    """What differs between two nights, the most severe first. Raises StoreError where it is too much for one page."""
    snapshots = (StoreSnapshot(archive, before), StoreSnapshot(archive, after))
    table = compare_snapshots(*snapshots, contacts=contacts).changes
    if len(table) > _MOST_COMPARED:
        raise StoreError(
            f"these two nights differ in {len(table):,} rows; use `bma-progress diff {before} {after} --format parquet`"
        )
    rows = [
        {
            **row,
            "harvest_id": after,
            "change_no": None,
            "severity": severity_of(row["meaning"], row["detail"], row["cause"]),
        }
        for row in table.to_pylist()
        if row["detail"] != "part_of_record"
    ]
    return sorted(rows, key=queries.change_order)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = html_environment("pipeline.browse")
    environment.filters["number"] = lambda value: "" if value is None else f"{value:,.10g}"
    environment.filters["when"] = lambda text: (text or "")[:16].replace("T", " ")
    environment.filters["from_json"] = json.loads
    return environment


def _whole_text(pieces: list[Piece], without: Operation) -> list[Run]:
    """One of the two texts, whole, as `excerpt` gives it shortened."""
    return [Run(piece.text, piece.operation != "same") for piece in pieces if piece.operation != without]


def _json(content: Any) -> Answer:
    return Answer(json.dumps(content, ensure_ascii=False, default=str).encode(), _FORMATS["json"])


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _page_number(query: Mapping[str, str]) -> int:
    text = query.get("page", "1")
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 6 and int(text)):
        raise StoreError(f"page={text[:20]!r} is no number of a page; pages count from 1")
    return int(text)


def _calendar(nights: list[dict[str, Any]]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """The nights by month, newest month first: day of the month, harvest, good or bad."""
    months: dict[str, list[tuple[str, str, str]]] = {}
    for row in nights:
        state = "good" if row["published"] else "bad"
        months.setdefault(row["day"][:7], []).insert(0, (row["day"][8:10], row["harvest_id"], state))
    return list(months.items())


def _chart(about: dict[str, Any], tables: Mapping[str, list[dict[str, Any]]]) -> Chart | None:
    """Plan against reported progress; None where nothing has a date."""
    year = about["fiscal_year_be"]
    steps = [_with_dates(row, "start_date", "end_date") for row in tables.get("plan_steps", ())]
    reports = [_with_dates(row, "reported_on_date") for row in tables.get("progress_reports", ())]
    lines = Lines(steps, reports)
    return draw(lines, lines, year - 543, label=about["code"]) if year else None


def _with_dates(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**row, **{name: _date(row[name]) for name in names}}


def _date(text: str | None) -> date | None:
    return datetime.fromisoformat(text).date() if text else None
