"""The engine that reads declared pages: lines in, records out. It knows nothing of the portal.

A page kind declares its sections (`Section`) and its records (`Block`: labels in the order in which they are printed).
Two rules read all layouts: **a label counts only where it is next in order**, so what a text quotes stays text; and **a
label and its value in the next cell are one line**: a blank in a pattern stands for any white space or none, line ends too.

A heading or label that is out of order is a finding. The lines below it are unclaimed up to the next label that is in order;
so are the lines between two records. A required label that is missing is in the record's `missing`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from functools import cache, cached_property
from itertools import compress, count, pairwise
from types import MappingProxyType
from typing import Any, Final, Literal

from parsers.findings import Findings, Scope
from parsers.page import Link
from parsers.thai import ARABIC_DIGITS

Row = dict[str, Any]
Reader = Callable[[str, Scope, str], Any]
Lines = Literal["none", "word", "one", "name", "many"]

DIGIT: Final = "[0-9๐-๙]"
NUMBER: Final = "[0-9๐-๙.,+-]+"
LABELLED: Final = re.compile(r"[^\W\d_][^\n:0-9๐-๙]{2,61}+(?<= ):")
"""A line like `<label> : <value>`: it is no part of a name, and no value of the label above it."""
_NUMBERS: Final = re.compile("[0-9๐-๙][0-9๐-๙.,]*+(?: ?/ ?[0-9๐-๙][0-9๐-๙.,]*+|)$")  # two slashes are a date's
_EXCERPT: Final = 200  # characters of a value of several lines, in its finding
MARK: Final = "\x1d"
"""Before a line that is no text: a heading, or one that stands for others."""
OUT_OF_PLACE: Final = re.compile(
    rf"{LABELLED.pattern}|\[.*\]$|:? ?[^\s:]{{2,14}}ที่ {DIGIT}[0-9๐-๙.]* (?:[-–—]|.*%$)|{_NUMBERS.pattern}"
)
"""A line inside a text that reads like a part of the page: a label and its value, brackets, a numbered level, a number."""


@dataclass(frozen=True, slots=True)
class Label:
    """A printed label. Its value is what follows on its line, or else below it; named groups are values of their own.

    lines: of the value. `none`: there is none, what follows is read like a line of its own; `word`: one that does not read
        like a label and its value; `one`: one, whatever it reads like; `name`: one, and below it those that do not read
        like a label and its value; `many`: all up to the next label in order
    shown: what a finding says is missing, where a required label is; nothing is said where it is ""
    """

    name: str
    pattern: str
    lines: Lines = "word"
    required: bool = True
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class Value(Label):
    """A value without a label, known by its shape where it is next in order and nowhere else."""

    lines: Lines = "none"


@dataclass(frozen=True, slots=True)
class Text:
    """Free text without a label: all lines between the labels around it.

    mixed: whether its lines are several things, which the page's own code tells apart
    """

    name: str
    mixed: bool = False


Item = Label | Text


class Record(dict[str, str | None]):
    """What one block says: name → printed text, None where it is not printed.

    pieces: the lines of values that have several; missing: the names of required items that it lacks
    """

    pieces: Mapping[str, list[str]] = MappingProxyType({})
    missing: Sequence[str] = ()

    def lines(self, name: str) -> list[str]:
        """The lines of what is printed under a name."""
        value = self.get(name)
        return self.pieces.get(name) or ([value] if value else [])


@dataclass(eq=False)
class Page:
    """One page while it is read; `tables`, `unclaimed` and the findings are what comes of it.

    links: for each line those that begin in it; replaced: lines that stand for others, and those
    below: the lines below each heading, by section; `read` removes the lines that it reads, and the rest is unclaimed
    headings: those of the page's kind, unless each of them stands once and in order: then no other line is one
    """

    table_names: InitVar[Sequence[str]]
    lines: list[str]
    links: Mapping[int, list[Link]]
    findings: Findings
    url: str | None
    unclaimed: list[str] = field(default_factory=list)
    replaced: dict[str, list[str]] = field(default_factory=dict)
    code: str = ""
    evaluation_quarter: int | None = None
    headings: frozenset[str] = frozenset()
    below: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self, table_names: Sequence[str]) -> None:
        self.tables: dict[str, list[Row]] = {table: [] for table in table_names}

    def leave(self, lines: Iterable[str]) -> None:
        """Report lines that no rule read."""
        for line in lines:
            if line in self.replaced:
                self.findings.add("part_missing", message="A table of quarters that belongs to no record.")
            self.unclaimed += self.replaced.get(line) or ([line] if line != ":" else [])

    def stray(self, line: str) -> None:
        """Report a heading or a label that is not next in order."""
        self.findings.add("out_of_order", printed=" ".join(self.replaced.get(line, [line])))

    def doubt(self, line: str, table: str | None = None) -> None:
        """Report a line in a text that reads like a part of the page."""
        message = "A line that reads like a part of the page; it stands in the text above it."
        self.findings.add("line_not_understood", printed=line, table=table, message=message)

    def say_several(self, further: list[str], table: str | None = None) -> None:
        """Report that a value has several lines. further: those beside the one that is the value for certain"""
        self.findings.add("several_lines", printed=" | ".join(further)[:_EXCERPT], table=table)

    def doubt_lines(self, lines: list[str], odd: list[str], table: str | None = None) -> None:
        """Doubt the odd lines of a value of several lines, and name the others below its first."""
        for line in odd:
            self.doubt(line, table)
        if further := [line for line in lines[1:] if line not in odd]:
            self.say_several(further, table)

    def text(self, lines: list[str]) -> str | None:
        """The text of a section; what stands below a heading that does not belong there is unclaimed."""
        parts = self.headings | self.replaced.keys()
        if not parts.isdisjoint(lines):
            place = next(place for place, line in enumerate(lines) if line in parts)
            self.stray(lines[place])
            self.leave(lines[place:])
            lines = lines[:place]
        if len(lines) > 1:
            odd = [line for line in lines if OUT_OF_PLACE.match(line)]
            self.doubt_lines(lines, odd[1:] if odd[:1] == lines[:1] and LABELLED.match(lines[0]) else odd)
        elif lines and _NUMBERS.match(lines[0]):
            self.doubt(lines[0])
        return " ".join(lines) or None


class Block:
    """A record that repeats (or, with `repeats=False`, is there once), declared by its items in their printed order.

    tail: labels below the last record; series: the group that numbers the records; series_rule: broken by a gap or repeat
    columns: the columns of a row that are printed under their own names, and what reads each (see `parsers.values`)
    ordered: False where labels may come in any order: each then counts once, wherever it stands

    Its expressions are compiled when the first page needs them. One reads a record, in which every item but the first may be
    missing. A line that is nobody's ends the match, and the record goes on below it.
    """

    def __init__(
        self,
        table: str,
        *items: Item,
        tail: tuple[Label, ...] = (),
        repeats: bool = True,
        ordered: bool = True,
        series: str = "",
        series_rule: str = "series_broken",
        columns: Mapping[str, Reader] | None = None,
    ) -> None:
        self.table = table
        self.columns = columns or {}
        self.items: tuple[Item, ...] = (*items, *tail)
        self.repeats = repeats
        self.ordered = ordered
        self.series = series
        self.series_rule = series_rule
        self.tail_at = len(items)
        self.place = {item.name: number for number, item in enumerate(self.items)}
        self.long_items = [item.name for item in self.items if isinstance(item, Text) or item.lines in ("many", "name")]
        self.required = {item.name: item for item in items if isinstance(item, Label) and item.required}
        self.last_required = max(map(self.place.__getitem__, self.required), default=0)
        for name in list(self.required)[1:]:
            if self.required[name].shown is None:
                raise ValueError(f"{table}: the label {name!r} needs `shown`, or `required=False`")

    def read(self, lines: list[str], page: Page) -> tuple[list[Record], Record]:
        """The records in the lines, and what the tail says. Lines that are no part of them are reported to the page."""
        if page.headings and not page.headings.isdisjoint(lines):
            lines = [f"{MARK}{line}" if line in page.headings else line for line in lines]
        text = "\n".join(("", *lines, ""))
        record, end = Record(), len(text)
        records = [] if self.repeats else [record]
        at, pos = (self.tail_at if self.repeats else 0) - 1, 1  # above the first record stands only the tail
        match = self._record.match if self.repeats else None
        while pos < end:
            found = match(text, pos) if match else None
            if found and (self.last_required <= at < self.tail_at or self._may_begin(record, at, found)):
                record = Record(found.groupdict())
                records.append(record)
            elif (found := self._further(record, at, text, pos)) and found.end() > pos:
                further = found.groupdict()
                if record:  # a value that is there stays
                    further = {name: value for name, value in further.items() if value is not None}
                record.update(further)
            else:
                pos = self._pass_over(text, pos, page)
                continue
            at = self.place.get(found.lastgroup or "", at)
            pos = found.end()
        for one in records:
            if missing := [name for name in self.required if one.get(name) is None]:
                one.missing = missing
            for name in self.long_items:
                if (value := one.get(name)) and ("\n" in value or value[0].isdecimal()):
                    self._check_text(one, name, value, page)
        if self.repeats and self.series:
            self.check_series(records, Scope(page.findings, self.table, page.code))
        return records, record

    def row(self, record: Record, scope: Scope) -> Row:
        """The columns of a record's row; see `rows`."""
        return self.rows([record], [scope])[0]

    def rows(self, records: Sequence[Record], scopes: Sequence[Scope]) -> list[Row]:
        """The columns of each record's row; blanks are null. Reports the labels that every such record has, and one lacks."""
        rows: list[Row] = []
        for record, scope in zip(records, scopes, strict=True):
            for name in record.missing:
                if shown := self.required[name].shown:
                    scope.add("part_missing", name, shown, f"The record has no {shown}.")
            row: Row = {}
            for column, read in self.columns.items():
                printed = record.get(column)
                row[column] = read(printed, scope, column) if printed else None
            rows.append(row)
        return rows

    def check_series(self, records: list[Record], scope: Scope, first: int = 1) -> None:
        """Report gaps and repeats in the records' numbers."""
        printed = [record.get(self.series) or "" for record in records]
        expected = map(str, range(first, first + len(printed)))
        if [number.translate(ARABIC_DIGITS).lstrip("0") for number in printed] != list(expected):
            scope.add(self.series_rule, self.series, ", ".join(printed))

    def begins(self, lines: list[str]) -> bool:
        """Whether the lines begin with the first item of a record, or with one of the labels below the last record."""
        text = "\n".join((*lines, ""))
        numbers = (number for number in range(len(self.items)) if not 0 < number < self.tail_at)
        return any(self._one(number).match(text) for number in numbers)

    # --- expressions

    @cached_property
    def _patterns(self) -> list[str]:
        return [blanks(item.pattern) if isinstance(item, Label) else "" for item in self.items]

    @cached_property
    def _stop(self) -> str:
        """The pattern of any label, and of a page's heading."""
        return self._stop_in(0)

    def _stop_in(self, number: int) -> str:
        """Where a text ends: at any label, but those of values above it do not come again where records do not repeat."""
        is_mixed = any(isinstance(item, Text) and item.mixed for item in self.items[number : number + 1])
        again = self.repeats or not self.ordered or is_mixed
        pairs = enumerate(zip(self.items, self._patterns, strict=True))
        labels = ((place, one, pattern) for place, (one, pattern) in pairs if not isinstance(one, Text | Value))
        stops = (pattern for place, one, pattern in labels if again or place >= number or one.lines != "word")
        return _unnamed("|".join((MARK, *stops)))

    @cached_property
    def _stops(self) -> re.Pattern[str]:
        return re.compile(rf"\n(?={self._stop})", re.MULTILINE)

    @cached_property
    def _parts(self) -> list[str]:
        return [self._part(number) for number in range(len(self.items))]

    def _part(self, number: int) -> str:
        item, pattern = self.items[number], self._patterns[number]
        stop = _unnamed("|".join((self._stop_in(number), *self._next_values(number))))
        more = rf"(?:\n(?!{stop})[^\n]*)*"
        name = f"(?P<{item.name}>"
        if isinstance(item, Text):
            return rf"(?::\n|)(?:(?!{stop}|\Z){name}[^\n]*{more})\n|)"
        if item.lines == "none":
            return rf"(?:{pattern})[ ]*\n?" + ("" if name in pattern else f"{name})")
        ahead = {"word": f"(?!{self._stop}|{LABELLED.pattern})", "many": f"(?!{stop})"}.get(item.lines, f"{MARK}?(?=.)")
        below = {"many": more, "name": rf"(?:\n(?!{stop}|{LABELLED.pattern})[^\n]+)*"}.get(item.lines, "")
        colon = f"(?!{stop})" if item.lines == "many" else ""
        return rf"(?:{pattern})[ ]*(?:\n(?:{colon}:\n|){ahead}|){name}[^\n]*{below})\n"

    def _next_values(self, at: int) -> Iterator[str]:
        """The patterns of the values without a label that may come next."""
        for item, pattern in zip(self.items[at + 1 :], self._patterns[at + 1 :], strict=True):
            if isinstance(item, Value):
                yield pattern
            if isinstance(item, Label) and item.required:
                break

    def _sequence(self, first: int) -> str:
        """The items from one on; values and texts without a label stand only below what is required above them."""
        near = far = ""  # up to the next label, and from there on
        for item, part in reversed(list(zip(self.items, self._parts, strict=True))[first:]):
            one = f"(?:{part}{near}|)" if item.name in self.required else f"(?:{part}|){near}"
            near, far = (one, far) if isinstance(item, Text | Value) else ("", one + far)
        return near + far

    @cached_property
    def _record(self) -> re.Pattern[str]:
        """A whole record."""
        return re.compile(self._parts[0] + self._sequence(1), re.MULTILINE)

    @cache  # noqa: B019 - one expression an item, of blocks that are declared once
    def _rest(self, at: int) -> re.Pattern[str]:
        """What may follow the item at a place."""
        return re.compile(self._sequence(at + 1), re.MULTILINE)

    @cache  # noqa: B019 - one expression an item, of blocks that are declared once
    def _one(self, number: int) -> re.Pattern[str]:
        """A single item."""
        return re.compile(self._parts[number], re.MULTILINE)

    # --- reading

    def _may_begin(self, record: Record, at: int, found: re.Match[str]) -> bool:
        """Whether a record may begin here: a text that is not yet whole may quote a number, but hardly the next."""
        if not record or not self.series:
            return True
        numbers = f"{record.get(self.series)} {found[self.series]}".split()
        return at < self.tail_at and all(map(str.isdecimal, numbers)) and int(numbers[0]) + 1 == int(numbers[-1])

    def _further(self, record: Record, at: int, text: str, pos: int) -> re.Match[str] | None:
        """The items of a record that go on here."""
        if self.ordered or not record:
            return self._rest(at).match(text, pos)
        ones = (self._one(number) for name, number in self.place.items() if record.get(name) is None)
        return next(filter(None, (one.match(text, pos) for one in ones)), None)

    def _pass_over(self, text: str, pos: int, page: Page) -> int:
        """Report a line that belongs to no record, and the lines below a label out of order; returns where reading goes on."""
        end = text.index("\n", pos)
        if self._stops.match(text, pos - 1):
            pos += text[pos] == MARK and text[pos:end] not in page.replaced
            page.stray(text[pos:end])
            below = self._stops.search(text, end)
            end = below.start() if below else len(text) - 1
        page.leave(text[pos:end].split("\n"))
        return end + 1

    def _check_text(self, record: Record, name: str, value: str, page: Page) -> None:
        """Make one line of a value of several; reports those that read like a part of the page."""
        item, lines = self.items[self.place[name]], value.split("\n")
        first = lines[0]
        if (
            (isinstance(item, Text) or item.lines == "many")
            and _NUMBERS.match(first)
            and not (len(first) > 3 and first.isdecimal())
        ):
            page.doubt(first, self.table)
        if len(lines) > 1:
            record[name] = " ".join(filter(None, lines))
            record.pieces = {**record.pieces, name: lines}
            if isinstance(item, Label) or not item.mixed:
                is_name = isinstance(item, Label) and item.lines == "name"
                odd = [low for above, low in pairwise(lines) if OUT_OF_PLACE.match(low) or (is_name and low == above)]
                page.doubt_lines(lines, odd, self.table)


def _unnamed(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


def blanks(pattern: str) -> str:
    """An item's pattern, in which a blank stands for any white space, or none, line ends too."""
    return pattern.replace(" ", r"\s*")


# --- sections ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a line of its own; and the records below it, where it has any: they tell a heading from a quotation.

    last: whether nothing of the record stands below it
    """

    key: str
    heading: str
    block: Block | None = None
    last: bool = False


class Outline(tuple[Section, ...]):
    """The sections of a page kind, in the order in which they are printed; `headings`: all of theirs."""

    headings: frozenset[str]

    def __new__(cls, *sections: Section) -> "Outline":
        """Of sections, one after another."""
        outline = super().__new__(cls, sections)
        outline.headings = frozenset(section.heading for section in sections)
        return outline

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The number of each heading's section."""
        return {section.heading: number for number, section in enumerate(self)}

    def cut(self, page: Page) -> tuple[list[str], list[str]]:
        """Cut a page's lines at the headings; returns those above the first, and the headings that are missing.

        Where a heading stands more than once, the order of headings and what its section begins with decide; the others are
        reported where they stand. A heading that stands nowhere alone may have the first line of its text behind it.
        """
        lines, sections = page.lines, list(self)
        places = list(compress(count(), map(self.number_of.__contains__, lines)))
        if [lines[place] for place in places] != list(self.number_of):
            page.headings = self.headings
            lines, chosen = self._places(lines, page)
            places = sorted(chosen.values())
            sections = [self[number] for number in sorted(chosen, key=chosen.__getitem__)]
        bounds = [*places, len(lines)]
        for section, place, end in zip(sections, places, bounds[1:], strict=True):
            glued = lines[place].removeprefix(section.heading).lstrip(" :")
            page.below[section.key] = [*([glued] if glued else []), *lines[place + 1 : end]]
        return lines[: bounds[0]], [section.heading for section in self if section.key not in page.below]

    def _places(self, lines: list[str], page: Page) -> tuple[list[str], dict[int, int]]:
        """The lines, each heading that stands alone spelt as usual, and the place of each section that has one."""
        usual = {_letters(heading): heading for heading in self.headings.difference(lines)}
        longest = 2 * max(map(len, usual), default=0)
        lines = [usual.get(_letters(line), line) if len(line) < longest else line for line in lines]
        places: dict[int, list[int]] = {}
        for place, line in enumerate(lines):
            if line in self.number_of:
                places.setdefault(self.number_of[line], []).append(place)
        chosen = {number: found[0] for number, found in sorted(places.items())}
        if list(chosen.values()) != sorted(chosen.values()) or any(len(found) > 1 for found in places.values()):
            chosen = self._choose(lines, places)
        low = 0
        for number, section in enumerate(self):  # one may begin the first line of its text, between those around it
            if number not in chosen:
                high = min((place for other, place in chosen.items() if other > number), default=len(lines))
                glued = (place for place in range(low, high) if lines[place].startswith(section.heading))
                if (place := next(glued, -1)) >= 0:
                    page.findings.add("heading_glued", printed=section.heading)
                    chosen[number] = place
            low = chosen.get(number, low - 1) + 1
        return lines, chosen

    def _choose(self, lines: list[str], places: dict[int, list[int]]) -> dict[int, int]:
        """One place for each heading, in the order of headings: from the end, as most that quote one stand above it."""
        chosen: dict[int, int] = {}
        bound = len(lines)
        for number in sorted(places, reverse=True):
            found = [place for place in places[number] if place < bound]
            if len(found) > 1:
                found = [place for place in found if self._fits(number, lines, place)] or found
            if found:
                chosen[number] = bound = found[-1]
        return chosen

    def _fits(self, number: int, lines: list[str], place: int) -> bool:
        block, below = self[number].block, lines[place + 1 : place + 4]
        return block is None or not below or self.number_of.get(below[0], 0) > number or block.begins(below)


def _letters(text: str) -> str:
    return text.translate(ARABIC_DIGITS).replace(" ", "")
