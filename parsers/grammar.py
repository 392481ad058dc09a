"""The engine that reads declared pages: lines in, records out. It knows nothing of the portal.

A page kind declares its sections (`Section`) and its records (`Block`: labels in the order in which they are printed).
Two rules read all layouts: **a label counts only where it is next in order**, so what a text quotes stays text; and **a
label and its value in the next cell are one line**: a blank in a pattern stands for any white space or none, line ends too.

A heading or label that is out of order is a finding. The lines below it are unclaimed up to the next label that is in order;
so are the lines between two records. A required label that is missing is in the record's `missing`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from functools import cache
from itertools import compress, count, pairwise
from typing import Any, Final, Literal

from parsers.findings import Findings, Scope
from parsers.page import Link
from parsers.thai import ARABIC_DIGITS

Row = dict[str, Any]
Lines = Literal["none", "word", "one", "name", "many"]

DIGIT: Final = "[0-9๐-๙]"
NUMBER: Final = "[0-9๐-๙.,+-]+"
LABELLED: Final = re.compile(r"[^\W\d_][^\n:0-9๐-๙]{1,60} :.*")
"""A line like `<label> : <value>`: it is no part of a name, and no value of the label above it."""
_NUMBERS: Final = re.compile("[0-9๐-๙][0-9๐-๙.,]*(?: ?/ ?[0-9๐-๙][0-9๐-๙.,]*)?$")  # two slashes are a date's
_EXCERPT: Final = 200  # characters of a value of several lines, in its finding
_START: Final = "\x02"  # before the line in which a record begins, of blocks that are marked
OUT_OF_PLACE: Final = re.compile(
    rf"[^\W\d_][^\n:0-9๐-๙]{{1,60}} :.*|\[.*\]$|:? ?[^\s:]{{2,14}}ที่ {DIGIT}[0-9๐-๙.]* (?:[-–—].*|.*%$)|{_NUMBERS.pattern}"
)
"""A line inside a text that reads like a part of the page: a label and its value, brackets, a numbered level, a number."""


@dataclass(frozen=True, slots=True)
class Label:
    """A printed label. Its value is what follows on its line, or else below it; named groups are values of their own.

    lines: of the value. `none`: there is none, what follows is read like a line of its own; `word`: one that does not read
        like a label and its value; `one`: one, whatever it reads like; `name`: one, and below it those that do not read
        like a label and its value; `many`: all up to the next label in order
    shown: what a finding says is missing, where a required label is; nothing is said of one without
    """

    name: str
    pattern: str
    lines: Lines = "word"
    required: bool = True
    shown: str = ""


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
    """What one block says: name → printed text, None or blank where there is none.

    pieces: the lines of values that have several; missing: the names of required items that it lacks
    """

    __slots__ = ("first_line", "missing", "pieces")

    def __init__(self, first_line: str = "") -> None:
        self.first_line = first_line
        self.pieces: dict[str, list[str]] = {}
        self.missing: Sequence[str] = ()

    def lines(self, name: str) -> list[str]:
        """The lines of what is printed under a name."""
        value = self.get(name)
        return self.pieces.get(name) or ([value] if value else [])


@dataclass(eq=False)
class Page:
    """One page while it is read; `tables`, `unclaimed` and the findings are what comes of it.

    links: for each line those that begin in it; replaced: lines that stand for others, and those
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
        """Doubt the odd lines of a value of several lines; where none is, say that there are several."""
        for line in odd:
            self.doubt(line, table)
        if not odd:
            self.say_several(lines[1:], table)

    def text(self, lines: list[str]) -> str | None:
        """The text of a section; what stands below a heading that does not belong there is unclaimed."""
        if not self.headings.isdisjoint(lines):
            place = next(place for place, line in enumerate(lines) if line in self.headings)
            self.stray(lines[place])
            self.leave(lines[place:])
            lines = lines[:place]
        if len(lines) > 1:
            odd = [line for line in lines if OUT_OF_PLACE.match(line)]
            self.doubt_lines(lines, odd[1:] if odd[:1] == lines[:1] and LABELLED.match(lines[0]) else odd)
        return " ".join(lines) or None


class Block:
    """A record that repeats (or, with `repeats=False`, is there once), declared by its items in their printed order.

    tail: labels below the last record; series: the group that numbers the records
    ordered: False where labels may come in any order: each then counts once, wherever it stands
    marked: True where the caller tells `read` in which lines records begin
    """

    def __init__(
        self,
        table: str,
        *items: Item,
        tail: tuple[Label, ...] = (),
        repeats: bool = True,
        ordered: bool = True,
        series: str = "",
        marked: bool = False,
    ) -> None:
        self.table = table
        self.items: tuple[Item, ...] = (*items, *tail)
        self.repeats = repeats
        self.ordered = ordered
        self.series = series
        self.marked = marked
        self.tail_at = len(items)
        self.required = {f"at_{at}": item for at, item in enumerate(items) if isinstance(item, Label) and item.required}
        self.last_required = max((int(mark[3:]) for mark in self.required), default=0)
        self.patterns = [compiled(item.pattern) if isinstance(item, Label) else None for item in self.items]
        self.reader = _Reader(self, frozenset())

    @cache  # noqa: B019 - blocks are declared once, and there are a few sets of headings
    def reader_among(self, headings: frozenset[str]) -> "_Reader":
        """The expressions for lines that hold some of these headings."""
        return _Reader(self, headings)

    def read(self, lines: list[str], page: Page, starts: frozenset[int] = frozenset()) -> tuple[list[Record], Record]:
        """The records in the lines, and what the tail says. Lines that are no part of them are reported to the page.

        starts: the lines in which records begin, of a block that is `marked`
        """
        if starts:
            lines = [f"{_START}{line}" if place in starts else line for place, line in enumerate(lines)]
        reader = self.reader if page.headings.isdisjoint(lines) else self.reader_among(page.headings)
        records, tail = reader.read("\n".join((*lines, "")), page)
        for record in records:
            if None in map(record.get, self.required):
                record.missing = [item.name for mark, item in self.required.items() if record.get(mark) is None]
        return records, tail

    def report_missing(self, record: Record, scope: Scope) -> None:
        """Report the labels that every such record has, and this one lacks."""
        for item in self.required.values():
            if item.name in record.missing and item.shown:
                scope.add("part_missing", item.name, item.shown, f"The record has no {item.shown}.")

    def check_series(self, records: list[Record], scope: Scope, first: int = 1) -> None:
        """Report gaps and repeats in the records' numbers."""
        printed = [record.get(self.series) or "" for record in records]
        expected = map(str, range(first, first + len(printed)))
        if [number.translate(ARABIC_DIGITS) for number in printed] != list(expected):
            scope.add("series_broken", self.series, ", ".join(printed))


class _Reader:
    """The expressions of a block: one for a record, in which every item but the first may be missing.

    Each item takes its value; `at_<n>` is there where the item is. A line that is nobody's ends the match, and the record goes
    on below it.
    """

    def __init__(self, block: Block, headings: frozenset[str]) -> None:
        self.block = block
        self.patterns = [pattern.pattern if pattern else "" for pattern in block.patterns]
        if block.marked:
            self.patterns[0] = f"{_START}{self.patterns[0]}"
        labels = [
            pattern
            for item, pattern in zip(block.items, self.patterns, strict=True)
            if not isinstance(item, Text | Value)
        ]
        self.stop = _unnamed("|".join((*(f"{re.escape(heading)}$" for heading in headings), *labels, "(?!)")))
        self.parts = [self._part(number) for number in range(len(block.items))]
        self.place = {f"at_{number}": number for number in range(len(block.items))}
        self.texts = {item.name: number for number, item in enumerate(block.items) if isinstance(item, Text)}
        self.place |= self.texts
        self.record = re.compile(self.parts[0] + self._sequence(1), re.MULTILINE)
        self.label = re.compile(self.stop, re.MULTILINE)
        self.out_of_order = re.compile(rf"[^\n]*\n(?:(?!{self.stop})[^\n]*\n)*", re.MULTILINE)

    def _sequence(self, first: int) -> str:
        """The items from one on; values and texts without a label stand only below what is required above them."""
        near = far = ""  # up to the next label, and from there on
        for item, part in reversed(list(zip(self.block.items, self.parts, strict=True))[first:]):
            is_required = isinstance(item, Label) and item.required
            one = f"(?:{part}{near})?" if is_required else f"(?:{part})?{near}"
            near, far = (one, far) if isinstance(item, Text | Value) else ("", one + far)
        return near + far

    @cache  # noqa: B019 - one expression an item
    def rest(self, at: int) -> re.Pattern[str]:
        """What may follow the item at a place."""
        return re.compile(self._sequence(at + 1), re.MULTILINE)

    @cache  # noqa: B019 - one expression an item
    def one(self, number: int) -> re.Pattern[str]:
        """A single item."""
        return re.compile(self.parts[number], re.MULTILINE)

    def _part(self, number: int) -> str:
        item = self.block.items[number]
        stop = _unnamed("|".join((self.stop, *self._next_values(number))))
        more = rf"(?:\n(?!{stop})[^\n]*)*"
        if isinstance(item, Text):
            return rf"(?:(?!{stop}):\n)?(?:(?!{stop}|\Z)(?P<{item.name}>[^\n]*{more})\n)?"
        printed = r"[ ]*\n?"
        if item.lines != "none":
            ahead = {"word": f"(?!{self.stop}|{LABELLED.pattern})", "many": f"(?!{stop})"}.get(item.lines, "(?=.)")
            below = {"many": more, "name": rf"(?:\n(?!{stop}|{LABELLED.pattern})[^\n]+)*"}.get(item.lines, "")
            printed = rf"[ ]*(?:(?:\n(?!{stop}):(?=\n))?\n{ahead})?(?P<{item.name}>[^\n]*{below})\n"
        return f"(?>{self.patterns[number]}){printed}(?P<at_{number}>)"

    def _next_values(self, at: int) -> list[str]:
        """The patterns of the values without a label that may come next."""
        values: list[str] = []
        for item, pattern in list(zip(self.block.items, self.patterns, strict=True))[at + 1 :]:
            if isinstance(item, Value):
                values.append(pattern)
            if isinstance(item, Label) and item.required:
                break
        return values

    def read(self, text: str, page: Page) -> tuple[list[Record], Record]:
        """The records in a text of lines, and the record that the tail is part of."""
        block = self.block
        record = Record()
        records = [] if block.repeats else [record]
        at, pos = (block.tail_at if block.repeats else 0) - 1, 0  # above the first record stands only the tail
        while pos < len(text):
            found = self.record.match(text, pos) if block.repeats else None
            if found and self._may_begin(record, at, found):
                record = Record(text[pos : text.find("\n", pos)].removeprefix(_START))
                records.append(record)
            else:
                found = self._further(record, at, text, pos)
            if found and found.end() > pos:
                at = self.place.get(found.lastgroup or "", at)
                self._add(record, found, page)
                pos = found.end()
                continue
            end = text.find("\n", pos)
            below = self.out_of_order.match(text, pos) if self.label.match(text, pos) else None
            if below:
                page.stray(text[pos:end])
                end = below.end() - 1
            page.leave(text[pos:end].split("\n"))
            pos = end + 1
        return records, record

    def _may_begin(self, record: Record, at: int, found: re.Match[str]) -> bool:
        """Whether a record may begin here: a text that is not yet whole may quote a number, but hardly the next."""
        block = self.block
        if not record or block.marked or not block.series or block.last_required <= at < block.tail_at:
            return True
        numbers = f"{record.get(block.series)} {found[block.series]}".split()
        return at < block.tail_at and all(map(str.isdecimal, numbers)) and int(numbers[0]) + 1 == int(numbers[-1])

    def _further(self, record: Record, at: int, text: str, pos: int) -> re.Match[str] | None:
        """The items of a record that go on here."""
        if self.block.ordered or not record:
            return self.rest(at).match(text, pos)
        ones = (self.one(at) for at in range(len(self.parts)) if record.get(f"at_{at}") is None)
        return next(filter(None, (one.match(text, pos) for one in ones)), None)

    def _add(self, record: Record, found: re.Match[str], page: Page) -> None:
        values = found.groupdict()
        if "\n" in "".join(filter(None, values.values())):
            for name, value in values.items():
                if value and "\n" in value:
                    values[name] = self._joined(record, name, value.split("\n"), page)
        for name in self.texts:
            if (value := values.get(name)) and _NUMBERS.match(value) and not (len(value) > 3 and value.isdecimal()):
                page.doubt(value, self.block.table)
        if record:
            record.update((name, value) for name, value in values.items() if value is not None)
        else:
            record.update(values)

    def _joined(self, record: Record, name: str, lines: list[str], page: Page) -> str:
        """A value of several lines as one; reports those that read like a part of the page."""
        item = next((item for item in self.block.items if item.name == name), None)
        if item is not None:
            record.pieces[name] = lines
        if isinstance(item, Text) and _NUMBERS.match(lines[0]):
            page.doubt(lines[0], self.block.table)
        if isinstance(item, Label) or (item is not None and not item.mixed):
            is_name = isinstance(item, Label) and item.lines == "name"
            odd = [line for above, line in pairwise(lines) if OUT_OF_PLACE.match(line) or (is_name and line == above)]
            page.doubt_lines(lines, odd, self.block.table)
        return " ".join(" ".join(lines).split())


def _unnamed(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


def compiled(pattern: str) -> re.Pattern[str]:
    """An item's pattern as an expression: a blank stands for any white space, or none, line ends too."""
    return re.compile(pattern.replace(" ", r"\s*"), re.MULTILINE)


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


@dataclass(frozen=True, slots=True)
class Sections:
    """A page cut at its headings: the lines above the first, those below each, and the headings that are missing."""

    head: list[str]
    below: dict[str, list[str]]
    missing: list[str]


def cut(sections: Sequence[Section], lines: list[str], page: Page) -> Sections:
    """Cut a page's lines at the headings of its sections.

    Where a heading stands more than once, the order of headings and what its section begins with decide; the others are
    reported where they stand. A heading that stands nowhere alone may have the first line of its text behind it.
    """
    page.headings = frozenset(section.heading for section in sections)
    places = _places(sections, lines)
    if not all(places):
        lines = _respelt(sections, lines, places)
        places = _places(sections, lines)
    chosen: list[int | None] = [found[0] if len(found) == 1 else None for found in places]
    alone = [place for place in chosen if place is not None]
    if len(alone) < len(sections) or alone != sorted(alone):
        chosen = _choose(sections, lines, places)
        _find_glued(sections, lines, chosen, page)
    starts = sorted((place, number) for number, place in enumerate(chosen) if place is not None)
    bounds = [*(place for place, _ in starts), len(lines)]
    below: dict[str, list[str]] = {}
    for (place, number), end in zip(starts, bounds[1:], strict=True):
        rest = lines[place].removeprefix(sections[number].heading).lstrip(" :")
        below[sections[number].key] = [rest, *lines[place + 1 : end]] if rest else lines[place + 1 : end]
    missing = [section.heading for section, place in zip(sections, chosen, strict=True) if place is None]
    return Sections(lines[: bounds[0]], below, missing)


def _places(sections: Sequence[Section], lines: list[str]) -> list[list[int]]:
    number_of = {section.heading: number for number, section in enumerate(sections)}
    places: list[list[int]] = [[] for _ in sections]
    for place in compress(count(), map(number_of.__contains__, lines)):
        places[number_of[lines[place]]].append(place)
    return places


def _choose(sections: Sequence[Section], lines: list[str], places: list[list[int]]) -> list[int | None]:
    """One place for each heading, in the order of headings: from the end, as most that quote one stand above it."""
    chosen: list[int | None] = [None] * len(sections)
    bound = len(lines)
    for number in range(len(sections) - 1, -1, -1):
        found = [place for place in places[number] if place < bound]
        if len(found) > 1:
            found = [place for place in found if _fits(sections, number, lines, place)] or found
        if found:
            chosen[number] = bound = found[-1]
    return chosen


def _fits(sections: Sequence[Section], number: int, lines: list[str], place: int) -> bool:
    block = sections[number].block
    if block is None or place + 1 == len(lines):
        return True
    below = "\n".join(lines[place + 1 : place + 4])
    return any(lines[place + 1] == section.heading for section in sections[number + 1 :]) or bool(
        block.patterns[0] and block.patterns[0].match(below)
    )


def _letters(text: str) -> str:
    return text.translate(ARABIC_DIGITS).replace(" ", "")


def _respelt(sections: Sequence[Section], lines: list[str], places: list[list[int]]) -> list[str]:
    """The lines, headings that differ in blanks or in the kind of their digits spelt as usual."""
    headings = {
        _letters(section.heading): section.heading for section, found in zip(sections, places, strict=True) if not found
    }
    longest = 2 * max(map(len, headings))
    return [headings.get(_letters(line), line) if len(line) < longest else line for line in lines]


def _find_glued(sections: Sequence[Section], lines: list[str], chosen: list[int | None], page: Page) -> None:
    """Find headings that begin the first line of their text, between the headings around them."""
    low = -1
    for number, section in enumerate(sections):
        place = chosen[number]
        if place is None:
            high = next((later for later in chosen[number + 1 :] if later is not None), len(lines))
            place = next((at for at in range(low + 1, high) if lines[at].startswith(section.heading)), None)
            chosen[number] = place
            if place is not None:
                page.findings.add("heading_glued", printed=section.heading)
        low = low if place is None else place
