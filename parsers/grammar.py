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
from itertools import accumulate, compress, count
from typing import Any, Final, Literal

from parsers.findings import Findings, Scope
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
_LABEL_IN_TEXT: Final = "A line that reads like a part of the page; it stands in the text above it."


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


def _is_label(item: Item) -> bool:
    return not isinstance(item, Text | Value)


class Record:
    """What one block says: name → printed text; and the names of required items that it lacks."""

    __slots__ = ("first_place", "met", "missing", "pieces", "source", "values")

    def __init__(self, source: str, first_place: int = 0, values: dict[str, str | None] | None = None) -> None:
        self.source = source
        self.first_place = first_place
        self.values: dict[str, str | None] = {} if values is None else values
        self.pieces: dict[str, list[str]] = {}
        self.met: set[int] = set()
        self.missing: Sequence[str] = ()

    @property
    def first_line(self) -> str:
        """The line in which the record begins."""
        return self.source[self.first_place :].partition("\n")[0]

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

    links: for each line the targets of the links that begin in it; replaced: lines that stand for others, and those
    """

    table_names: InitVar[Sequence[str]]
    lines: list[str]
    links: Mapping[int, list[str]]
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

    def text(self, lines: list[str]) -> str | None:
        """The text of a section; what stands below a heading that does not belong there is unclaimed."""
        if not self.headings.isdisjoint(lines):
            place = next(place for place, line in enumerate(lines) if line in self.headings)
            self.stray(lines[place])
            self.leave(lines[place:])
            lines = lines[:place]
        for line in lines if len(lines) > 1 else ():
            if OUT_OF_PLACE.match(line) and (line != lines[0] or not LABELLED.match(line)):
                self.findings.add("line_not_understood", printed=line, message=_LABEL_IN_TEXT)
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
        self.required = [n for n, item in enumerate(items) if not isinstance(item, Text) and item.required]
        self.patterns = [None if isinstance(item, Text) else compiled(item.pattern) for item in self.items]
        self.groups = [tuple(pattern.groupindex) if pattern else () for pattern in self.patterns]
        alternatives: list[str] = []
        self.item_of: dict[int, int] = {}  # group number of the one expression → item
        group = 1
        for number, (item, pattern) in enumerate(zip(self.items, self.patterns, strict=True)):
            if _is_label(item) and pattern:
                alternatives.append(f"({pattern.pattern})")
                self.item_of[group] = number
                group += 1 + pattern.groups
        self.labels = re.compile("|".join(alternatives), re.MULTILINE)
        self.reach = {at: self._reachable(at) for at in range(-1, len(self.items))}
        self.last_required = max(self.required, default=0)
        self.no_label = re.sub(r"\(\?P<\w+>", "(?:", f"{self.labels.pattern}|:?\n|$")
        self.texts = [item.name for item in items if isinstance(item, Text)]
        self.usual = re.compile("".join(map(self._usual, range(self.tail_at))), re.MULTILINE)
        self.usual_tail = re.compile("".join(map(self._usual, range(self.tail_at, len(self.items)))), re.MULTILINE)

    def _usual(self, number: int) -> str:
        """The expression of one item as it is mostly printed: on one line, or its value on the next, then the next item."""
        item, pattern = self.items[number], self.patterns[number]
        values = [value.pattern for at in self.reach[number][0] if (value := self.patterns[at])]
        no_label = re.sub(r"\(\?P<\w+>", "(?:", "|".join((self.no_label, *values)))
        if isinstance(item, Text):
            first, more = (f"{no_label}|{odd.pattern}" for odd in (_NUMBERS, OUT_OF_PLACE))
            if item.mixed:
                more = no_label
                if not self.repeats:  # a contact may be a telephone number alone
                    first = rf"{no_label}|(?!{DIGIT}{{4,}}$){_NUMBERS.pattern}"
            return rf"(?:(?!{first})(?P<{item.name}>[^\n]*(?:\n(?!{more})[^\n]*)*)\n)?"
        printed, end = r"[ ]*", r"\n"
        if item.lines == "none":
            end = r"(?:\n|(?<=\n))"  # a blank at the pattern's end may have taken the line's
        else:
            guard = f"(?!{LABELLED.pattern})" if item.lines == "word" else ""
            no_label = no_label if item.lines == "many" else self.no_label
            ahead = r"(?!:?\n)" if item.lines in ("one", "name") else f"(?!{no_label}){guard}"
            above_text = isinstance(self.items[min(number + 1, self.tail_at - 1)], Text)  # then a value must be there
            printed += rf"(?:\n{ahead})?(?P<{item.name}>[^\n]{'+' if above_text else '*'})"
        expression = rf"(?>{pattern.pattern if pattern else ''}){printed}{end}"
        return expression if item.required else f"(?:{expression})?"

    def _reachable(self, at: int) -> tuple[list[int], int | None]:
        """The values without a label, and the text, that may come next."""
        values: list[int] = []
        text: int | None = None
        for number in range(at + 1, len(self.items)):
            item = self.items[number]
            if isinstance(item, Text):
                text = number if text is None else text
            elif isinstance(item, Value):
                values.append(number)
            if not isinstance(item, Text) and item.required:
                break
        return values, text

    def read(self, lines: list[str], page: Page, starts: frozenset[int] | None = None) -> tuple[list[Record], Record]:
        """The records in the lines, and what the tail says. Lines that are no part of them are reported to the page.

        starts: the lines in which records may begin, where the first label alone does not tell
        """
        if self.ordered and page.headings.isdisjoint(lines) and (read := self._read_usual(lines, starts)):
            return read
        run = _Run(self, lines, page.headings, starts).run()
        if run.records and (parted := self._parted(lines, run.met)):
            page.findings.add("label_inside_line", table=self.table)
            if starts is not None:
                counts = [line.count("\n") for line in parted]
                starts = frozenset(place + sum(counts[:place]) for place in starts)
            run = _Run(self, "\n".join(parted).split("\n"), page.headings, starts).run()
        page.leave(run.left)
        for line in run.strays:
            page.stray(line)
        for line in run.doubtful:
            page.findings.add("line_not_understood", printed=line, table=self.table, message=_LABEL_IN_TEXT)
        for record in run.records:
            record.missing = [self.items[number].name for number in self.required if number not in record.met]
        return run.records, run.tail

    def _read_usual(self, lines: list[str], starts: frozenset[int] | None) -> tuple[list[Record], Record] | None:
        """The records where each is printed as usual: the same result by one expression a record. None where one is not."""
        text = "\n".join([*lines, ""])
        records: list[Record] = []
        end = 0
        while (found := self.usual.match(text, end)) and found.end() > end:
            records.append(record := Record(text, end, found.groupdict()))
            for name, value in record.values.items():
                if value and "\n" in value:
                    if name in self.texts:
                        record.pieces[name] = value.split("\n")
                    record.values[name] = " ".join(value.split())
            end = found.end()
            if not self.repeats:
                break
        below = self.usual_tail.match(text, end)
        if not below or below.end() != len(text) or not (records or self.repeats):
            return None
        if starts is not None and _offsets(lines, starts) != {
            record.first_place for record in records if record.get(self.items[0].name)
        }:
            return None
        return records, Record(text, end, below.groupdict())

    def _parted(self, lines: list[str], met: set[int]) -> list[str] | None:
        """The lines parted before required labels that begin no line at all but stand inside some; None if none does.

        A label stands behind the value of the one before it, and is the last of its kind there: others are quoted.
        """
        parted = lines
        for number in self.required:
            pattern = self.patterns[number]
            if number not in met and number and pattern and _is_label(self.items[number]):
                inside = re.compile(f"(.*) (?={pattern.pattern})", re.MULTILINE)
                above = self.patterns[number - 1] if _is_label(self.items[number - 1]) else None
                parted = ["\n".join(_part(piece, inside, above) for piece in line.split("\n")) for line in parted]
        return parted if parted != lines else None

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
    """One pass over the lines of a block."""

    def __init__(self, block: Block, lines: list[str], headings: frozenset[str], starts: frozenset[int] | None) -> None:
        self.block = block
        self.text = "\n".join(lines)
        self.headings = headings
        self.starts = None if starts is None else _offsets(lines, starts)
        self.records: list[Record] = []
        self.tail = Record(self.text)
        self.left: list[str] = []
        self.strays: list[str] = []
        self.doubtful: list[str] = []
        self.met: set[int] = set()
        self.record: Record | None = None
        if not block.repeats:
            self.record = Record(self.text)
            self.records.append(self.record)
        self.at = -1
        self.pieces: list[str] | None = None  # where the next line goes
        self.lines: Lines = "none"
        self.lost = False  # below a label that is not next in order

    def run(self) -> "_Run":
        text, headings, match = self.text, self.headings, self.block.labels.match
        pos, end = 0, len(text)
        while pos < end:
            stop = text.find("\n", pos)
            stop = end if stop < 0 else stop
            line = text[pos:stop]
            if self.pieces == [] and self.lines in ("one", "name"):
                self._take_line(line)
                pos = stop + 1
                continue
            found = None if line in headings else match(text, pos)
            number = self.block.item_of[found.lastindex or 0] if found else 0
            if found and self._is_next(number, found):
                pos = self._take(number, found)
                continue
            if line in headings or (found and (number or self.starts is None)):
                self._stray(line)
            elif (taken := self._take_value(pos)) is not None:
                pos = taken
                continue
            else:
                self._take_line(line)
            pos = stop + 1
        for record in (*self.records, self.tail):
            for name, pieces in record.pieces.items():
                record.values[name] = " ".join(pieces)
        return self

    def _stray(self, line: str) -> None:
        self.strays.append(line)
        self.left.append(line)
        self.pieces, self.lost = None, True

    def _is_next(self, number: int, found: re.Match[str]) -> bool:
        block = self.block
        if not block.ordered:
            return number not in self.met
        if number >= block.tail_at:
            return number > self.at
        if number or not block.repeats:
            return self.record is not None and number > self.at
        if self.starts is not None:
            return found.start() in self.starts
        if self.at >= block.tail_at:
            return False
        if self.record is None or self.at >= block.last_required or not block.series:
            return True
        numbers = arabic_digits(f"{self.record.values.get(block.series)} {found[block.series]}").split()
        return all(map(str.isdigit, numbers)) and int(numbers[0]) + 1 == int(numbers[-1])

    def _take(self, number: int, found: re.Match[str]) -> int:
        """Take a label, or a value, that is next in order; returns where to read on."""
        block, item = self.block, self.block.items[number]
        if number == 0 and block.repeats:
            self.record = Record(self.text, found.start())
            self.records.append(self.record)
        record = self.tail if number >= block.tail_at or self.record is None else self.record
        for group in block.groups[number]:
            value = found[group]
            record.values[group] = " ".join(value.split()) if value and "\n" in value else value
        self.at = number
        self.lost = False
        self.met.add(number)
        record.met.add(number)
        stop = self.text.find("\n", found.end())
        stop = len(self.text) if stop < 0 else stop
        rest = self.text[found.end() : stop].strip()
        self.lines = "many" if isinstance(item, Text) else item.lines
        if self.lines == "none":
            self.pieces = None
            return stop - len(rest) if rest else stop + 1
        self.pieces = record.pieces[item.name] = [rest] if rest else []
        return stop + 1

    def _take_value(self, pos: int) -> int | None:
        if self.record is None or self.lost or (self.pieces == [] and self.lines == "word"):
            return None
        for number in self.block.reach[self.at][0]:
            pattern = self.block.patterns[number]
            if pattern and (found := pattern.match(self.text, pos)):
                return self._take(number, found)
        return None

    def _take_line(self, line: str) -> None:
        pieces = self.pieces
        if pieces is not None:
            if self.lines == "many":
                item = self.block.items[self.at]
                if pieces and OUT_OF_PLACE.match(line) and not (isinstance(item, Text) and item.mixed):
                    self.doubtful.append(line)
                if pieces or line != ":":
                    pieces.append(line)
                return
            guarded = self.lines == "word" or pieces
            if (self.lines == "name" or not pieces) and not (guarded and LABELLED.match(line)):
                if pieces and (line == pieces[-1] or OUT_OF_PLACE.match(line)):
                    self.doubtful.append(line)
                if line != ":":
                    pieces.append(line)
                return
        if self.record is not None and not self.lost:
            number = self.block.reach[self.at][1]
            if number is not None:
                self.at = number
                self.lines = "many"
                if _NUMBERS.match(line):
                    self.doubtful.append(line)
                self.pieces = self.record.pieces[self.block.items[number].name] = [line] if line != ":" else []
                return
        self.left.append(line)


def _part(line: str, inside: re.Pattern[str], above: re.Pattern[str] | None) -> str:
    if above is not None and not above.search(line):
        return line
    found = inside.match(line)
    return f"{found[1]}\n{line[found.end() :]}" if found else line


def _offsets(lines: list[str], starts: frozenset[int]) -> frozenset[int]:
    """Where some lines begin in the text of all."""
    above = list(accumulate(map(len, lines), initial=0))
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
