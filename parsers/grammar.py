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
from itertools import accumulate, compress, count, takewhile
from typing import Any, Final, Literal

from parsers.findings import Findings, Scope
from parsers.page import Link
from parsers.thai import arabic_digits

Row = dict[str, Any]
Lines = Literal["none", "word", "one", "name", "many"]

DIGIT: Final = "[0-9๐-๙]"
NUMBER: Final = "[0-9๐-๙.,+-]+"
LABELLED: Final = re.compile(r"[^\W\d_][^\n:0-9๐-๙]{1,60} :.*")
"""A line like `<label> : <value>`: it is no part of a name, and no value of the label above it."""
_NUMBERS: Final = re.compile("[0-9๐-๙][0-9๐-๙.,]*(?: ?/ ?[0-9๐-๙][0-9๐-๙.,]*)?$")  # two slashes are a date's
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


class Record:
    """What one block says: name → printed text; and the names of required items that it lacks."""

    __slots__ = ("first_line", "missing", "pieces", "values")

    def __init__(self, first_line: str = "", values: dict[str, str | None] | None = None) -> None:
        self.first_line = first_line
        self.values: dict[str, str | None] = values or {}
        self.pieces: dict[str, list[str]] = {}
        self.missing: Sequence[str] = ()

    def get(self, name: str) -> str | None:
        """What is printed under a name; None where it is not printed, or blank."""
        return self.values.get(name) or None

    def lines(self, name: str) -> list[str]:
        """The lines of what is printed under a name."""
        value = self.values.get(name)
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

    def text(self, lines: list[str]) -> str | None:
        """The text of a section; what stands below a heading that does not belong there is unclaimed."""
        if not self.headings.isdisjoint(lines):
            place = next(place for place, line in enumerate(lines) if line in self.headings)
            self.stray(lines[place])
            self.leave(lines[place:])
            lines = lines[:place]
        for line in lines if len(lines) > 1 else ():
            if OUT_OF_PLACE.match(line) and (line != lines[0] or not LABELLED.match(line)):
                self.doubt(line)
        return " ".join(lines) or None


class Block:
    """A record that repeats (or, with `repeats=False`, is there once), declared by its items in their printed order.

    tail: labels below the last record; series: the group that numbers the records; ordered: whether the order of labels is
        known: where it is not, each counts once, wherever it stands
    """

    def __init__(
        self,
        table: str,
        *items: Item,
        tail: tuple[Label, ...] = (),
        repeats: bool = True,
        ordered: bool = True,
        series: str = "",
    ) -> None:
        self.table = table
        self.items: tuple[Item, ...] = (*items, *tail)
        self.repeats = repeats
        self.ordered = ordered
        self.series = series
        self.tail_at = len(items)
        self.required = [item.name for item in items if isinstance(item, Label) and item.required]
        self.last_required = max((at for at, item in enumerate(items) if item.name in self.required), default=0)
        self.patterns = [compiled(item.pattern) if isinstance(item, Label) else None for item in self.items]
        self.plan = [
            (item.name, item.lines if isinstance(item, Label) else "many", tuple(pattern.groupindex) if pattern else ())
            for item, pattern in zip(self.items, self.patterns, strict=True)
        ]
        self.is_value = [isinstance(item, Value) for item in self.items]
        self.reach = {at: self._reachable(at) for at in range(-1, len(self.items))}
        alternatives: list[str] = []
        self.item_of: dict[int, int] = {}  # group number of the one expression → item
        group = 1
        for number in sorted(range(len(self.items)), key=self.is_value.__getitem__):  # labels first
            if pattern := self.patterns[number]:
                alternatives.append(f"({pattern.pattern})")
                self.item_of[group] = number
                group += 1 + pattern.groups
        self.any_item = "|".join(alternatives)
        labels = "|".join(
            pattern.pattern
            for pattern, value in zip(self.patterns, self.is_value, strict=True)
            if pattern and not value
        )
        self.no_label = _unnamed(rf"{labels}|:?\n|$")
        usual = list(map(self._usual, range(len(self.items))))
        self.usual = re.compile("".join(usual[: self.tail_at]), re.MULTILINE)
        self.usual_tail = re.compile("".join(usual[self.tail_at :]), re.MULTILINE)

    def _reachable(self, at: int) -> tuple[list[int], int | None]:
        """The values without a label, and the text, that may come next."""
        values: list[int] = []
        text: int | None = None
        for number in range(at + 1, len(self.items)):
            item = self.items[number]
            if isinstance(item, Text):
                text = number if text is None else text
                continue
            if isinstance(item, Value):
                values.append(number)
            if item.required:
                break
        return values, text

    def _usual(self, number: int) -> str:
        """The expression of an item as it is mostly printed: on one line, or its value on the next; then the next item."""
        item, pattern = self.items[number], self.patterns[number]
        values = [value.pattern for at in self.reach[number][0] if (value := self.patterns[at])]
        no_item = _unnamed("|".join((self.no_label, *values)))
        if isinstance(item, Text):
            first, more = (f"{no_item}|{odd.pattern}" for odd in (_NUMBERS, OUT_OF_PLACE))
            if item.mixed:
                more = no_item
                if not self.repeats:  # a contact may be a telephone number alone
                    first = rf"{no_item}|(?!{DIGIT}{{4,}}$){_NUMBERS.pattern}"
            return rf"(?:(?!{first})(?P<{item.name}>[^\n]*(?:\n(?!{more})[^\n]*)*)\n)?"
        printed, end = r"[ ]*", r"\n"
        if item.lines == "none":
            end = r"(?:\n|(?<=\n))"  # a blank at the pattern's end may have taken the line's
        else:
            guard = f"(?!{LABELLED.pattern})" if item.lines == "word" else ""
            ahead = f"(?!{no_item if item.lines == 'many' else self.no_label}){guard}"
            ahead = r"(?!:?\n)" if item.lines in ("one", "name") else ahead
            above_text = isinstance(self.items[min(number + 1, self.tail_at - 1)], Text)  # then a value must be there
            more = rf"(?:\n(?!{no_item}|{OUT_OF_PLACE.pattern})[^\n]*)*" if item.lines == "name" else ""
            printed += rf"(?:\n{ahead})?(?P<{item.name}>[^\n]{'+' if above_text else '*'}{more})"
        expression = rf"(?>{pattern.pattern if pattern else ''}){printed}{end}"
        return expression if item.required else f"(?:{expression})?"

    @cache  # noqa: B019 - blocks are declared once, and there are a few sets of headings
    def expressions(self, headings: frozenset[str]) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """The expressions of an item, and of the next item, or heading, that begins a line below."""
        below = f"\n(?:{'|'.join((*(f'{re.escape(heading)}$' for heading in headings), self.any_item))})"
        return re.compile(self.any_item, re.MULTILINE), re.compile(below, re.MULTILINE)

    def read(self, lines: list[str], page: Page, starts: frozenset[int] | None = None) -> tuple[list[Record], Record]:
        """The records in the lines, and what the tail says. Lines that are no part of them are reported to the page.

        starts: the lines in which records may begin, where the first label alone does not tell
        """
        headings = frozenset[str]() if page.headings.isdisjoint(lines) else page.headings
        if not headings and (read := self._read_usual(lines, starts)):
            return read
        run = _Run(self, lines, page, starts)
        run.read(*self.expressions(headings))
        for record in run.records:
            record.missing = [name for name in self.required if name not in record.values]
        return run.records, run.tail

    def _read_usual(self, lines: list[str], starts: frozenset[int] | None) -> tuple[list[Record], Record] | None:
        """The records where each is printed as usual: the same result by one expression a record. None where one is not."""
        text = "\n".join((*lines, ""))
        records: list[Record] = []
        begins: set[int] = set()
        end = 0
        while (found := self.usual.match(text, end)) and found.end() > end:
            if starts is not None and found[self.items[0].name]:
                begins.add(end)
            records.append(Record(text[end : text.find("\n", end)], found.groupdict()))
            end = found.end()
            if not self.repeats:
                break
        below = self.usual_tail.match(text, end)
        if not below or below.end() != len(text) or not (records or self.repeats):
            return None
        if starts is not None and _offsets(lines, starts, 0) != begins:
            return None
        for record in records:
            for name, value in record.values.items():
                if value and "\n" in value:
                    record.pieces[name] = pieces = value.split("\n")
                    if pieces[0] == pieces[1]:
                        return None
                    record.values[name] = " ".join(value.split())
        return records, Record("", below.groupdict())

    def report_missing(self, record: Record, scope: Scope) -> None:
        """Report the labels that every such record has, and this one lacks."""
        for item in self.items if record.missing else ():
            if item.name in record.missing and isinstance(item, Label) and item.shown:
                scope.add("part_missing", item.name, item.shown, f"The record has no {item.shown}.")

    def check_series(self, records: list[Record], scope: Scope, first: int = 1) -> None:
        """Report gaps and repeats in the records' numbers."""
        printed = [record.values.get(self.series) or "" for record in records]
        numbers = [arabic_digits(number) for number in printed]
        if numbers != [str(number) for number in range(first, first + len(numbers))]:
            scope.add("series_broken", self.series, ", ".join(printed))


class _Run:
    """One pass over the lines of a block, from label to label."""

    def __init__(self, block: Block, lines: list[str], page: Page, starts: frozenset[int] | None) -> None:
        self.block = block
        self.page = page
        self.text = "\n".join(("", *lines, ""))  # a line break before each line, and after
        self.starts = None if starts is None else _offsets(lines, starts, 1)
        self.tail = Record()
        self.record = None if block.repeats else Record()
        self.records = [self.record] if self.record else []
        self.met: set[int] = set()
        self.at = -1  # the item read last
        self.target = self.tail  # the record that it belongs to
        self.lines: Lines = "none"  # how many of the next lines are its value
        self.pieces: list[str] = []  # those that were
        self.lost = False  # below a label that is not next in order

    def read(self, item: re.Pattern[str], next_item: re.Pattern[str]) -> None:
        text, item_of, is_value = self.text, self.block.item_of, self.block.is_value
        begin, end = 1, 0  # of what is not yet given to an item; of the lines that were looked at
        is_rest = False  # whether what begins there is a line's end, behind a label
        while True:
            found = item.match(text, begin) if is_rest else next_item.search(text, end)
            if found is None:
                if not is_rest:
                    break
                is_rest, end = False, text.find("\n", begin)
                continue
            start = begin if is_rest else found.start() + 1
            if begin < start:
                self._give(text[begin : start - 1].split("\n"))
                begin = start
            number = item_of.get(found.lastindex or 0, -1)  # -1: a heading
            if number >= 0 and (is_value[number] or self._is_no_start(number, start)):
                number, found = self._value(start)
            elif number < 0 or not self._is_next(number, found):
                end = text.find("\n", start)
                self._stray(text[start:end])
                begin, is_rest = end + 1, False
                continue
            if found is None:  # a line of a text
                is_rest, end = False, text.find("\n", start)
                continue
            begin = self._take(number, found, start)
            end = begin - 1
            is_rest = text[end] != "\n"
        if begin < len(text):
            self._give(text[begin:-1].split("\n"))

    def _stray(self, line: str) -> None:
        self.page.stray(line)
        self.page.leave((line,))
        self.lines, self.lost = "none", True

    def _is_no_start(self, number: int, start: int) -> bool:
        return number == 0 and self.starts is not None and start not in self.starts

    def _value(self, start: int) -> tuple[int, re.Match[str] | None]:
        """A value without a label that begins here, where one may come next."""
        if self.record is None or self.lost or (self.lines == "word" and not self.pieces):
            return -1, None
        for number in self.block.reach[self.at][0]:
            pattern = self.block.patterns[number]
            if pattern and (found := pattern.match(self.text, start)):
                return number, found
        return -1, None

    def _is_next(self, number: int, found: re.Match[str]) -> bool:
        block, at = self.block, self.at
        if not block.ordered:
            return number not in self.met
        if number >= block.tail_at:
            return number > at
        if number or not block.repeats:
            return self.record is not None and number > at
        if self.starts is not None:
            return True
        if at >= block.tail_at:
            return False
        if self.record is None or at >= block.last_required or not block.series:
            return True
        numbers = arabic_digits(f"{self.record.values.get(block.series)} {found[block.series]}").split()
        return all(map(str.isdigit, numbers)) and int(numbers[0]) + 1 == int(numbers[-1])

    def _take(self, number: int, found: re.Match[str], start: int) -> int:
        """Take an item that is next in order; returns where to read on."""
        text, block = self.text, self.block
        name, self.lines, groups = block.plan[number]
        if number == 0 and block.repeats:
            self.record = Record(text[start : text.find("\n", start)])
            self.records.append(self.record)
        self.target = record = self.tail if number >= block.tail_at or self.record is None else self.record
        self.at, self.lost = number, False
        if not block.ordered:
            self.met.add(number)
        end = found.end()
        if text[end - 1] == "\n":  # a blank at the pattern's end may have taken it
            end -= 1
        stop = text.find("\n", end)
        rest = text[end:stop].strip()
        values = record.values
        values[name] = None if self.lines == "none" else rest
        for group in groups:
            value = found[group]
            values[group] = " ".join(value.split()) if value and "\n" in value else value
        if self.lines == "none":
            return stop - len(rest) if rest else stop + 1
        self.pieces = [rest] if rest else []
        while not self.pieces and self.lines in ("one", "name") and stop + 1 < len(text):
            line = text[stop + 1 : text.find("\n", stop + 1)]  # whatever it reads like
            stop += len(line) + 1
            self._add([line])
        return stop + 1

    def _give(self, lines: list[str]) -> None:
        """Give lines between two labels to the item above, to the text that may stand there, or to nobody."""
        own = self._own(lines)
        if own:
            self._add(lines[:own])
            lines = lines[own:]
        if not lines:
            return
        number = self.block.reach[self.at][1]
        if self.record is None or self.lost or number is None:
            self.page.leave(lines)
            return
        self.at, self.target, self.lines, self.pieces = number, self.record, "many", []
        if _NUMBERS.match(lines[0]):
            self.page.doubt(lines[0], self.block.table)
        self._add(lines)

    def _own(self, lines: list[str]) -> int:
        """How many lines are the value of the item above."""
        if self.lines == "many":
            return len(lines)
        if self.lines == "name":
            return sum(1 for _ in takewhile(lambda line: not LABELLED.match(line), lines))
        if self.lines == "word" and not self.pieces:
            first = next((place for place, line in enumerate(lines) if line != ":"), 0)
            return 0 if LABELLED.match(lines[first]) else first + 1
        return 0

    def _add(self, lines: list[str]) -> None:
        item, pieces = self.block.items[self.at], self.pieces
        for line in lines:
            if not pieces:
                pieces += [line] if line != ":" else []
                continue
            is_odd = OUT_OF_PLACE.match(line) or (self.lines == "name" and line == pieces[-1])
            if is_odd and not (isinstance(item, Text) and item.mixed):
                self.page.doubt(line, self.block.table)
            pieces.append(line)
        self.target.pieces[item.name] = pieces
        self.target.values[item.name] = " ".join(pieces)


def _unnamed(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


def _offsets(lines: list[str], starts: frozenset[int], first: int) -> frozenset[int]:
    """Where some lines begin in the text of all, given the place of the first."""
    above = list(accumulate(map(len, lines), initial=first))
    return frozenset(above[number] + number for number in starts)


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
    return arabic_digits(text).replace(" ", "")


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
