"""HTML bytes to *what a reader sees*: the printed lines, the empty cells among them, and the links.

A line breaks where a browser breaks it: at block elements, `<br>`, table cells and rows, list items. Inline elements,
comments and entities inside words do not break. White space collapses as in CSS; `<pre>` keeps its lines. What a
browser does not show is not there: scripts, styles, templates, `hidden`, `display:none`, hidden inputs.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode

from parsers.encoding import decode
from parsers.plain import BREAK, EMPTY_CELL, NO_VALUE_INPUTS, lines_of, plain_lines
from parsers.thai import clean, mend_spelling
from parsers.truncation import is_cut_off

_LINK = "␞"
_MARK = re.compile(f"{_LINK}(-?)([0-9]{{1,7}}){_LINK}")

_NOT_SHOWN = (
    "script style template noscript iframe noframes noembed object audio video canvas svg math select datalist "
    "progress meter title rp"
).split()
_PREFORMATTED = ("pre", "textarea", "listing", "xmp", "plaintext")
_BLOCKS = (
    "address article aside blockquote body br caption center col colgroup dd details dialog dir div dl dt fieldset "
    "figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend li listing main menu "
    "nav ol optgroup option p plaintext pre search section summary table tbody td textarea tfoot th thead tr ul xmp"
).split()
_NEAR = 12  # nodes beside and inside a box that are looked at for a text, and boxes around a link: it is never farther
_ICONS = 1_000  # links without text, at most: a page of more is no list
_COMMENT = 4  # the tag_id of every comment node, a constant of lexbor
_NO_EVENTS = 1  # LexborDocumentOptions.WO_EVENTS: leave the tree as the source has it
_STYLE_COMMENT = re.compile(r"/\*.*?(?:\*/|$)", re.DOTALL)
_STYLES_APART = re.compile("display|visibility|white-space|float|position", re.IGNORECASE)
_BOXES_IN_ROWS = ("div", "span", "p", "b", "strong", "font", "label", "li", "dt", "dd", "output")  # an icon is no cell
_INLINE_DISPLAYS = ("inline", "contents", "ruby")
_ADDRESS_IN_SCRIPT = re.compile(r"""['"]([^'"\s]*(?:[?]|[.]php|[0-9]{4}-[0-9]{3,4})[^'"\s]*)['"]""")
"""What a script opens, by whatever function: the first text in it that reads as an address, or as a record's code."""
_HAS_LINK = "[href], [onclick], [data-href], [data-url]"
_ROWS_OF_BOXES = ("flex", "inline-flex", "grid", "inline-grid")  # whatever is in them stands apart
_STYLED_ROWS = '[style*="flex" i], [style*="grid" i]'
_KEPT_WHITE_SPACE = ("pre", "break-spaces")


_ANY_TAG = re.compile(rb"<[A-Za-z!?/]")
_MOST_SPACERS = 20  # empty cells for each line with text, in a layout of cells

_TAG = re.compile(rb"<(/?)([A-Za-z][^\s/>]*)")
_LONG_TAG = re.compile(rb"(<[A-Za-z][^\s/<>]*+)[^<>]{50000,}+")
_MOST_ATTRIBUTES = 1_000
_LARGE = 100_000  # bytes; below that even the deepest page costs a fraction of a second
_MANY_TAGS = 5_000  # a real page has one to three thousand
_MAX_DEPTH = 500
_MAX_INLINE_DEPTH = 20  # a browser opens those left open again in each paragraph
_NOT_NESTING = frozenset(  # void elements, those whose end tag may be left out, and those that hold no elements
    b"a area base br col embed hr img input link meta nobr param source track wbr p li dd dt option colgroup html head "
    b"body script style noscript iframe noframes noembed title select textarea xmp".split()
)
_TABLE_PARTS = frozenset(b"td th tr tbody thead tfoot caption".split())
_DRAWINGS = (b"svg", b"math")  # an HTML element in one ends it
_NEST_APART = frozenset(
    (b"table", b"object", b"applet", b"marquee", b"template", *_DRAWINGS)
)  # an end tag inside ends nothing outside

_TAIL = 20_000  # bytes at a page's end, where the site's own footer stands
_END = 4_096  # and where that ends
_MOST_ENDS = 9
_SITE_END = re.compile(  # the last <footer> or <nav> of a page, with nothing printed behind it
    rb"<(footer|nav)\b[^>]*>(?:(?!</?\1\b).)*</\1\s*>"
    rb"(?=(?:\s|</[a-z][a-z0-9]*\s*>|<!--(?:(?!-->).)*-->|<script\b(?:(?!</script).)*</script\s*>)*\Z)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class PrintedPage:
    """One page as a reader sees it.

    lines: the printed lines, cleaned (see `parsers.thai.clean`), never blank; `EMPTY_CELL` where a cell has no text
    links: the targets of links in page order, as written in the page
    encoding: the charset the bytes were read in, a Python codec name
    undecodable: how many characters could not be read in that charset (they are U+FFFD in the lines)
    cut_off: whether the bytes end inside a tag, a text or a box that should have been closed
    line_links: for each line the indices into `links` of the links that begin in it; only where asked for
    site_end: the lines of the `<footer>` and `<nav>` that end the page; they are not in `lines`
    """

    lines: list[str]
    links: list[str]
    encoding: str
    undecodable: int = 0
    cut_off: bool = False
    line_links: list[tuple[int, ...]] = field(default_factory=list)
    site_end: list[str] = field(default_factory=list)


def next_lines(lines: list[str], place: int, count: int) -> list[str]:
    """The next `count` lines with text, from `place` on; spacer cells may stand between them."""
    near = lines[place : place + _MOST_SPACERS * count]
    return list(islice((line for line in near if line != EMPTY_CELL), count))


def _tag_ids(names: Iterable[str]) -> Iterator[int]:
    maker = LexborHTMLParser("")
    for name in names:
        yield maker.create_node(name).tag_id


_ACTIONS: dict[int, str] = {
    **dict.fromkeys(_tag_ids(("td", "th")), "cell"),
    **dict.fromkeys(_tag_ids(("a", "area")), "link"),
}
"""What is done to an element that is no plain block; every other one is inline and gives its place to its content."""
_KEEPING = frozenset(_tag_ids(_PREFORMATTED))
_DIALOG, _INPUT = _tag_ids(("dialog", "input"))
_PLAIN_BLOCKS = frozenset(_tag_ids(_BLOCKS)) - _ACTIONS.keys() - _KEEPING - {_DIALOG}
_NESTING_BLOCKS = frozenset(name.encode() for name in (*_BLOCKS, *_NOT_SHOWN)) | _NEST_APART
_TAKEN_OUT = frozenset((_COMMENT, _DIALOG, _INPUT, *_tag_ids(_NOT_SHOWN)))
_STAYING = _KEEPING | {_DIALOG}
_HOLD_NO_ELEMENTS = frozenset(
    (_COMMENT, _INPUT, *_tag_ids("script style noscript iframe noframes noembed title".split()))
)


def read_page(
    body: bytes, *, content_type: str | None = None, with_line_links: bool = False, every_element_breaks: bool = False
) -> PrintedPage:
    """Read the bytes of a page as a browser would show them. Never raises, whatever the bytes are.

    every_element_breaks: for pages whose lines are made by stylesheets that nobody has; an inline element breaks too
    """
    decoded = decode(body, content_type)
    return _read(decoded.source, decoded.encoding, with_line_links, every_element_breaks)


def _read(source: bytes, encoding: str, with_line_links: bool, every_element_breaks: bool = False) -> PrintedPage:
    ends: list[bytes] = []  # the lowest first
    while len(ends) < _MOST_ENDS and (site_end := _site_end(source)):
        ends.append(site_end[0])
        source = source[: site_end.start()] + source[site_end.end() :]
    page = _read_page(source, encoding, with_line_links, every_element_breaks)
    for end in reversed(ends):
        below = _read_page(end, encoding)
        page = replace(
            page,
            links=page.links + below.links,
            undecodable=page.undecodable + below.undecodable,
            site_end=page.site_end + below.lines,
        )
    return page


def _read_page(
    source: bytes, encoding: str, with_line_links: bool = False, every_element_breaks: bool = False
) -> PrintedPage:
    if not _ANY_TAG.search(source):
        return _read_text(source, encoding, with_line_links)
    special = with_line_links or every_element_breaks or _is_huge(source)
    plain = None if special else plain_lines(source)
    if plain is None:
        return _read_tree(source, encoding, with_line_links, every_element_breaks)
    return PrintedPage(*plain, encoding, 0, is_cut_off(source))


def _read_text(source: bytes, encoding: str, with_line_links: bool) -> PrintedPage:
    """Bytes without a single tag are no HTML: a browser shows their lines as they are."""
    text = mend_spelling(source.decode("utf-8", "replace"))
    lines = lines_of(BREAK.join(text.splitlines()))
    no_links: list[tuple[int, ...]] = [()] * len(lines) if with_line_links else []
    return PrintedPage(lines, [], encoding, text.count("\ufffd"), line_links=no_links)


def _site_end(source: bytes) -> re.Match[bytes] | None:
    """The site's footer or navigation at the very end of a page."""
    end = source[-_END:].lower()
    if b"</footer" not in end and b"</nav" not in end:
        return None
    tail = source[-_TAIL:].lower()
    start = max(tail.rfind(b"<footer"), tail.rfind(b"<nav"))
    return _SITE_END.match(source, len(source) - len(tail) + start) if start >= 0 else None


def _read_tree(
    source: bytes, encoding: str, with_line_links: bool = False, every_element_breaks: bool = False
) -> PrintedPage:
    # scripting: as in a browser that runs scripts, what stands in <noscript> is no markup
    tree = LexborHTMLParser(_limit_depth(source), options=_NO_EVENTS, scripting=True)
    root = tree.body
    if root is None:  # a frameset, or nothing
        return PrintedPage([], [], encoding, source.count(b"\xef\xbf\xbd"))
    nodes = _leave_shown(root)
    links = _mark_links(root) if with_line_links else []
    cells: list[LexborNode] = []
    for node in nodes:
        action = _ACTIONS.get(node.tag_id)
        if action == "cell":
            cells.append(node)
            continue
        if action == "link" and not with_line_links and (target := node.attributes.get("href")):
            links.append(target.strip())
        if not every_element_breaks:  # each text node left is then one piece of one line
            node.unwrap(delete_empty=True)
    tree.merge_text_nodes()
    _mark_empty(cells)
    printed = mend_spelling(root.text(separator=BREAK, strip=True, skip_empty=True))
    lines = lines_of(printed)
    line_links: list[tuple[int, ...]] = []
    if with_line_links:
        lines, line_links = _split_marks(lines, len(links))
    return PrintedPage(lines, links, encoding, printed.count("\ufffd"), is_cut_off(source), line_links)


def _is_empty(cell: LexborNode) -> bool:
    """Whether a cell shows no text: it holds nothing, or blanks, `<br>`, or boxes that hold no more."""
    child = cell.first_child
    if child is None:
        return True
    if child.is_text_node and child.next is None:
        return not _shows(child)
    texts = cell.traverse(include_text=True, skip_empty=True)
    return not any(text.is_text_node and _shows(text) for text in texts)


def _shows(text_node: LexborNode) -> bool:
    text = (text_node.text_content or "").strip()
    if BREAK in text:
        text = text.replace(BREAK, " ").strip()
    return bool(text) and (text.isprintable() or bool(clean(text)))


def _mark_empty(cells: list[LexborNode]) -> None:
    for cell in reversed(cells):  # a cell that holds cells is not empty
        if _is_empty(cell):
            cell.insert_child(EMPTY_CELL)


def _leave_shown(root: LexborNode) -> list[LexborNode]:
    """Take out what is not shown, and put breaks and empty cells where styles make them.

    Returns the elements left that are cells, links or inline, in page order.
    Each time from the page's end to its beginning, so that nothing is touched after what held it was taken out.
    """
    for node in reversed(root.css("[hidden]")):
        if node.tag != "body":
            node.decompose()
    has_white_space = has_cells = has_rows = False
    for node in reversed(root.css("[style]")):
        if declared := _declarations(node.attributes.get("style") or ""):
            has_white_space = has_white_space or "white-space" in declared
            has_cells = has_cells or declared.get("display") == "table-cell"
            has_rows = has_rows or declared.get("display") in _ROWS_OF_BOXES
            _apply_style(node, declared)
    nodes = [node for node in root.traverse() if node.tag_id not in _PLAIN_BLOCKS]
    unseen = [node for node in nodes if node.tag_id in _TAKEN_OUT]
    holds_elements = not all(node.tag_id in _HOLD_NO_ELEMENTS for node in unseen)
    nodes = [node for node in nodes if node.tag_id not in _TAKEN_OUT]
    for node in reversed(unseen):
        _take_out(node)
    if holds_elements:
        nodes = [node for node in root.traverse() if node.tag_id not in _PLAIN_BLOCKS]
    if has_white_space or any(node.tag_id in _KEEPING for node in nodes):
        _keep_line_breaks(root)
    if has_cells:
        _mark_empty(root.css('[style*="table-cell" i]'))
    if has_rows:
        _mark_empty([box for row in root.css(_STYLED_ROWS) for box in _boxes_of(row)])
    return [node for node in nodes if node.tag_id not in _STAYING]


def _boxes_of(row: LexborNode) -> list[LexborNode]:
    """The boxes in a row or a grid of boxes that are cells, where they are empty."""
    if _declarations(row.attributes.get("style") or "").get("display") not in _ROWS_OF_BOXES:
        return []
    return [box for box in row.iter() if box.tag in _BOXES_IN_ROWS and box.css_first("img") is None]


def _take_out(node: LexborNode) -> None:
    attributes = node.attributes if node.tag_id in (_DIALOG, _INPUT) else {}
    if node.tag_id == _DIALOG and "open" in attributes:
        return
    if (value := attributes.get("value")) and (attributes.get("type") or "").strip().lower() not in NO_VALUE_INPUTS:
        node.insert_before(value)
    node.decompose()


@lru_cache(maxsize=500)  # a portal's pages share a few styles
def _declarations(style: str) -> dict[str, str]:
    """The declarations of a style attribute, as CSS reads them: the last of a kind counts, or the last important one.

    Empty where the style has no say in what is shown, and where.
    """
    if not _STYLES_APART.search(style):
        return {}
    declared: dict[str, str] = {}
    important: dict[str, str] = {}
    for declaration in _STYLE_COMMENT.sub("", style.lower()).split(";"):
        name, _, value = declaration.partition(":")
        value, mark, _ = value.partition("!")
        (important if mark else declared)[name.strip()] = value.strip()
    return declared | important


def _apply_style(node: LexborNode, declared: dict[str, str]) -> None:
    shown = declared.get("display", "")
    if node.tag == "body":  # shown by a script, once all is there
        return
    if shown == "none" or declared.get("visibility") in ("hidden", "collapse"):
        node.decompose()
        return
    if shown in _ROWS_OF_BOXES:
        for child in list(node.iter()):
            _set_apart(child, is_cell=child.tag in _BOXES_IN_ROWS)
    stands_apart = (
        declared.get("float") in ("left", "right")
        or declared.get("position") in ("absolute", "fixed")
        or (shown.startswith("inline-") and "width" in declared)  # a column
    )
    if not stands_apart and shown.startswith(_INLINE_DISPLAYS):
        if node.tag in _BLOCKS:
            node.unwrap()
    elif stands_apart or shown:
        _set_apart(node, is_cell=shown == "table-cell")


def _set_apart(node: LexborNode, *, is_cell: bool = False) -> None:
    if node.tag not in _BLOCKS and (is_cell or node.first_child is not None):
        node.insert_before(BREAK)
        node.insert_after(BREAK)


def _keep_line_breaks(root: LexborNode) -> None:
    """Break lines where the source does, in the boxes that keep its white space."""
    keeping = {root.mem_id: False}
    for box in (*root.css(", ".join(_PREFORMATTED)), *root.css('[style*="white-space" i]')):
        declared = _declarations(box.attributes.get("style") or "").get("white-space")
        keeping[box.mem_id] = declared.startswith(_KEPT_WHITE_SPACE) if declared else box.tag in _PREFORMATTED
    for text in [child for child in root.traverse(include_text=True) if child.is_text_node]:
        content = text.text_content or ""
        if ("\n" in content or "\r" in content) and _keeps(text, keeping):
            text.replace_with(content.replace("\r\n", "\n").replace("\r", "\n").replace("\n", BREAK))


def _keeps(node: LexborNode, keeping: dict[int, bool]) -> bool:
    """Whether a node's nearest box of a known kind keeps white space; what was found out on the way is kept."""
    passed: list[int] = []
    place: LexborNode | None = node
    while place is not None and place.mem_id not in keeping:
        passed.append(place.mem_id)
        place = place.parent
    kept = place is not None and keeping[place.mem_id]
    keeping.update(dict.fromkeys(passed, kept))
    return kept


def _mark_links(root: LexborNode) -> list[str]:
    """Collect all links of a page, scripted ones too, and leave a mark with its number before each."""
    links: list[str] = []
    marks: list[tuple[LexborNode, str]] = []
    seen: set[int] = set()
    icons = 0
    for node in root.css(_HAS_LINK):
        if node.mem_id in seen:  # it has several
            continue
        seen.add(node.mem_id)
        if target := _target(node.attributes):
            icons += (is_icon := not _has_text(node))
            sign = "-" if is_icon and icons < _ICONS and _stands_below(node) else ""
            marks.append((node, f"{_LINK}{sign}{len(links)}{_LINK}"))
            links.append(target)
    for node, mark in marks:
        node.insert_before(mark)
    return links


def _target(attributes: dict[str, str | None]) -> str | None:
    target = (attributes.get("href") or "").strip()
    if target and not target.lower().startswith(("#", "javascript:")):
        return target
    script = unquote(f"{target} {attributes.get('onclick') or ''}")
    if found := _ADDRESS_IN_SCRIPT.search(script):
        return found[1]
    return (attributes.get("data-href") or attributes.get("data-url") or "").strip() or None


def _stands_below(icon: LexborNode) -> bool:
    """Whether a link without text is the last in its box: then it belongs to what stands above it there."""
    box: LexborNode | None = icon
    for _ in range(_NEAR):
        if box is None:
            break
        after = any(map(_has_text, islice(_siblings(box, "next"), _NEAR)))
        if after or any(map(_has_text, islice(_siblings(box, "prev"), _NEAR))):
            return not after
        box = box.parent
    return False


def _siblings(node: LexborNode, direction: str) -> Iterator[LexborNode]:
    while (found := getattr(node, direction)) is not None:
        node = found
        yield node


def _has_text(node: LexborNode) -> bool:
    nodes = islice(node.traverse(include_text=True), _NEAR)
    return any(one.is_text_node and (one.text_content or "").strip() for one in nodes)


def _split_marks(lines: list[str], count: int) -> tuple[list[str], list[tuple[int, ...]]]:
    """Take the marks of `count` links out of the lines; a line of marks alone belongs to the line after or above it."""
    kept: list[str] = []
    owners: list[list[int]] = []
    waiting: list[int] = []
    for line in lines:
        marks = [mark for mark in _MARK.findall(line) if int(mark[1]) < count]  # a page may print the sign itself
        text = " ".join(_MARK.sub("", line).split()) if marks else line
        for sign, number in marks:
            above = not text and sign and owners
            (owners[-1] if above else waiting).append(int(number))
        if text:
            kept.append(text)
            owners.append(waiting)
            waiting = []
    return kept, list(map(tuple, owners))


def _is_huge(source: bytes) -> bool:
    return len(source) >= _LARGE and source.count(b"<") >= _MANY_TAGS


def _limit_depth(source: bytes) -> bytes:
    """Replace start tags nested deeper than browsers go by `<br>` or `<img>`, and tags of thousands of attributes.

    lexbor's time grows with the square of the depth (100,000 open `<div>` take 20 s), and of the attributes; browsers
    stop at 512 elements too.
    """
    if len(source) < _LARGE:
        return source
    source = _LONG_TAG.sub(lambda tag: tag[1] if tag[0].count(b"=") > _MOST_ATTRIBUTES else tag[0], source)
    return _TAG.sub(_Nesting().limit, source) if _is_huge(source) else source


class _Nesting:
    """Which elements are open while a page's tags go by, about as a browser counts them."""

    def __init__(self) -> None:
        self._boxes: list[tuple[bytes, list[bytes]]] = [(b"", [])]  # tables and the like, and what is open in each
        self._depth = 0
        self._inline: dict[bytes, int] = {}
        self._inline_depth = 0

    def limit(self, tag: re.Match[bytes]) -> bytes:
        """The tag, or what stands for it where it would nest too deep."""
        name = tag[2].lower()
        if name in _NOT_NESTING:
            return tag[0]
        if name in _TABLE_PARTS:
            self._leave_open()
        elif name in _NESTING_BLOCKS:
            if tag[1]:
                self._end(name)
            elif not self._start(name):
                return b"<br"
        elif tag[1]:
            if self._inline.get(name):
                self._inline[name] -= 1
                self._inline_depth -= 1
        elif self._inline_depth >= _MAX_INLINE_DEPTH:
            return b"<?" if self._boxes[-1][0] in _DRAWINGS else b"<img"  # both show nothing
        else:
            self._inline[name] = self._inline.get(name, 0) + 1
            self._inline_depth += 1
        return tag[0]

    def _start(self, name: bytes) -> bool:
        if self._depth >= _MAX_DEPTH:
            return False
        self._depth += 1
        if name in _NEST_APART:
            self._boxes.append((name, []))
        else:
            self._boxes[-1][1].append(name)
        return True

    def _end(self, name: bytes) -> None:
        if name in _NEST_APART:
            if any(name == box for box, _ in self._boxes):
                while self._leave_open() != name:
                    self._depth -= 1
                    self._boxes.pop()
                self._depth -= 1
                self._boxes.pop()
            return
        opened = self._boxes[-1][1]
        if name in opened:
            while opened.pop() != name:
                self._depth -= 1
            self._depth -= 1

    def _leave_open(self) -> bytes:
        """What is open in a table's cell ends with it, whether it has an end tag or not."""
        box, opened = self._boxes[-1]
        if box:
            self._depth -= len(opened)
            opened.clear()
            self._inline.clear()
            self._inline_depth = 0
        return box
