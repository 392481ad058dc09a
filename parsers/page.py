"""HTML bytes to *what a reader sees*: the printed lines, the empty cells among them, and the links.

A line breaks where a browser breaks it: at block elements, `<br>`, table cells and rows, list items. Inline elements,
comments and entities inside words do not break. White space collapses as in CSS; `<pre>` keeps its lines. What a
browser does not show is not there: scripts, styles, templates, `hidden`, `display:none`, hidden inputs.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode

from parsers.plain import BREAK, EMPTY_CELL, lines_of, plain_lines
from parsers.thai import clean, mend_spelling

_LINK = "␞"

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
_VALUELESS_INPUTS = frozenset(
    ("hidden", "button", "submit", "reset", "image", "checkbox", "radio", "file", "password", "color", "range")
)
"""Inputs whose value is not shown or, a button's caption, never the record's; unknown types are shown as text."""
_STYLED = '[hidden], [style*="display" i], [style*="visibility" i], [style*="white-space" i]'
_NEAR = 12  # nodes beside and inside a box that are looked at for a text, and boxes around a link: it is never farther
_ICONS = 1_000  # links without text, at most: a page of more is no list
_COMMENT = 4  # the tag_id of every comment node, a constant of lexbor
_NO_EVENTS = 1  # LexborDocumentOptions.WO_EVENTS: leave the tree as the source has it
_COMMON_THAI = "่้าำิีัเแกนรม"
_DISPLAY = re.compile(r"(?:^|;)\s*display\s*:\s*([a-z-]+)|(?:^|;)\s*visibility\s*:\s*(hidden|collapse)", re.IGNORECASE)
_WHITE_SPACE = re.compile(r"(?:^|;)\s*white-space\s*:\s*(?:pre|break)", re.IGNORECASE)
_INLINE_DISPLAYS = ("inline", "contents", "ruby")
_NO_ITEMS = frozenset((*_NOT_SHOWN, "area", "br", "dialog", "hr", "img", "input", "link", "meta", "wbr"))
_ADDRESS_IN_SCRIPT = re.compile(r"""['"]([^'"\s]*(?:[?]|[.]php|[0-9]{4}-[0-9]{3,4})[^'"\s]*)['"]""")
"""What a script opens, by whatever function: the first text in it that reads as an address, or as a record's code."""
_HAS_LINK = "[href], [onclick], [data-href], [data-url]"


_ANY_TAG = re.compile(rb"<[A-Za-z!?/]")
_MOST_SPACERS = 20  # empty cells for each line with text, in a layout of cells

_TAG = re.compile(rb"<(/?)([A-Za-z][^\s/>]*)")
_LARGE = 100_000  # bytes; below that even the deepest page costs a fraction of a second
_MANY_TAGS = 5_000  # a real page has one to three thousand
_MAX_DEPTH = 500
_NOT_NESTING = frozenset(  # void elements, and those whose end tag may be left out
    b"area base br col embed hr img input link meta param source track wbr p li dd dt td th tr tbody thead tfoot "
    b"option optgroup colgroup rp rt html head body".split()
)

_TAIL = 20_000  # bytes at a page's end, where the site's own footer stands
_END = 4_096  # and where that ends
_SITE_END = re.compile(  # the last <footer> or <nav> of a page, with nothing printed behind it
    rb"<(footer|nav)\b[^>]*>(?:(?!</?\1\b).)*</\1\s*>"
    rb"(?=(?:\s|</[a-z][a-z0-9]*\s*>|<!--(?:(?!-->).)*-->|<script\b(?:(?!</script).)*</script\s*>)*\Z)",
    re.IGNORECASE | re.DOTALL,
)

_BOXES = (b"div", b"table", b"ul", b"ol", b"dl", b"section", b"article", b"fieldset", b"pre")
_OPENED_LAST = re.compile(
    rb"<(?:h[1-6]|span|font|label|strong|small|b|i|u|a|div|section|legend|pre|table)(?:\s[^<>]*)?>\Z"
)
_HALF_LETTER = re.compile(rb"[\xc0-\xff]\Z|[\xe0-\xff][\x80-\xbf]\Z|[\xf0-\xff][\x80-\xbf]{2}\Z")  # of UTF-8
_END_OF_HEAD = re.compile(rb"</head[\s>]")
_NEVER_CLOSED = frozenset(b"br hr img input meta link wbr area".split())
_HABIT = 3  # ends of one element, from which on a page is known to write them

_CHARSET = re.compile(rb"""charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""", re.IGNORECASE)
_THAI_CHARSETS = frozenset(("windows-874", "cp874", "x-windows-874", "tis-620", "tis620", "iso-8859-11", "thai"))


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
    **dict.fromkeys(_tag_ids(_NOT_SHOWN), "out"),
    **dict.fromkeys(_tag_ids(_PREFORMATTED), "lines"),
    **dict.fromkeys(_tag_ids(("td", "th")), "cell"),
    **dict.fromkeys(_tag_ids(("a", "area")), "link"),
    **dict.fromkeys(_tag_ids(("dialog",)), "dialog"),
    **dict.fromkeys(_tag_ids(("input",)), "input"),
    _COMMENT: "out",
}
"""What is done to an element that is no plain block; every other one is inline and gives its place to its content."""
_PLAIN_BLOCKS = frozenset(_tag_ids(_BLOCKS)) - frozenset(_ACTIONS)


def read_page(
    body: bytes, *, content_type: str | None = None, with_line_links: bool = False, every_element_breaks: bool = False
) -> PrintedPage:
    """Read the bytes of a page as a browser would show them. Never raises, whatever the bytes are.

    every_element_breaks: for pages whose lines are made by stylesheets that nobody has; an inline element breaks too
    """
    how = (with_line_links, every_element_breaks)
    page = _read(body.removeprefix(b"\xef\xbb\xbf"), "utf-8", *how)
    if not page.undecodable and not body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return page
    source, encoding = _as_utf8(body, content_type)
    return _read(source, encoding, *how)


def _read(source: bytes, encoding: str, with_line_links: bool, every_element_breaks: bool = False) -> PrintedPage:
    site_end = _site_end(source)
    if site_end is None:
        return _read_page(source, encoding, with_line_links, every_element_breaks)
    rest = source[: site_end.start()] + source[site_end.end() :]
    page = _read(rest, encoding, with_line_links, every_element_breaks)
    below = _read_page(site_end[0], encoding)
    return replace(page, links=page.links + below.links, site_end=page.site_end + below.lines)


def _read_page(
    source: bytes, encoding: str, with_line_links: bool = False, every_element_breaks: bool = False
) -> PrintedPage:
    if not _ANY_TAG.search(source):
        return _read_text(source, encoding, with_line_links)
    special = with_line_links or every_element_breaks or _is_huge(source)
    plain = None if special else plain_lines(source)
    if plain is None:
        return _read_tree(source, encoding, with_line_links, every_element_breaks)
    return PrintedPage(*plain, encoding, 0, _is_cut_off(source))


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
    for node in root.css(_STYLED):
        _apply_style(node)
    nodes = [node for node in root.traverse() if node.tag_id not in _PLAIN_BLOCKS]
    if with_line_links:
        links = _mark_links(root)
        cells = _leave_lines(nodes, [], every_element_breaks)
    else:
        links = []
        cells = _leave_lines(nodes, links, every_element_breaks)
        links.reverse()
    tree.merge_text_nodes()
    for cell in cells:
        if _is_empty(cell):
            cell.insert_child(EMPTY_CELL)
    printed = clean(root.text(separator=BREAK, strip=True, skip_empty=True))
    lines = lines_of(printed)
    line_links: list[tuple[int, ...]] = []
    if with_line_links:
        lines, line_links = _split_marks(lines)
    return PrintedPage(lines, links, encoding, printed.count("\ufffd"), _is_cut_off(source), line_links)


def _leave_lines(nodes: list[LexborNode], links: list[str], every_element_breaks: bool) -> list[LexborNode]:
    """Leave only elements that break lines, so that each text node left is one piece of one line.

    Goes from the page's end to its beginning, so that nothing is touched after what held it was taken out. Appends
    the links' targets to `links`, last first; returns the table cells.
    """
    cells: list[LexborNode] = []
    for node in reversed(nodes):
        action = _ACTIONS.get(node.tag_id)
        if action is None:
            if not every_element_breaks:
                node.unwrap(delete_empty=True)
        elif action == "cell":
            cells.append(node)
        elif action == "link":
            if target := node.attributes.get("href"):
                links.append(target.strip())
            if not every_element_breaks:
                node.unwrap(delete_empty=True)
        elif action == "out":
            node.decompose()
        elif action == "lines":
            _keep_line_breaks(node)
        else:
            _show_special(node, action)
    return cells


def _is_empty(cell: LexborNode) -> bool:
    """Whether a cell shows no text: it holds nothing, or blanks, `<br>`, or boxes that hold no more."""
    child = cell.first_child
    if child is None:
        return True
    if child.is_text_node and (child.next is None or not (child.text_content or "").isspace()):
        text = (child.text_content or "").strip()
    else:
        text = cell.text(strip=True)
    return not text or not (text.isprintable() or clean(text))


def _show_special(node: LexborNode, action: str) -> None:
    attributes = node.attributes
    if action == "dialog":
        if "open" not in attributes:
            node.decompose()
        return
    value = attributes.get("value")
    if value and (attributes.get("type") or "").strip().lower() not in _VALUELESS_INPUTS:
        node.insert_before(value)
    node.decompose()


def readable(body: bytes) -> str:
    """The whole source of a page as text, in the charset its bytes fit."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return _as_utf8(body, None)[0].decode("utf-8", "replace")


def _as_utf8(body: bytes, content_type: str | None) -> tuple[bytes, str]:
    """The bytes of a page that is not clean UTF-8, in UTF-8, and the charset they were in.

    Valid UTF-8 is UTF-8 whatever the labels say: Thai in a one-byte charset practically never is. Otherwise a label
    that names a Thai charset is believed, unless the page is plainly UTF-8 with some damage.
    """
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace").encode("utf-8", "replace"), "utf-16"
    as_utf8 = body.decode("utf-8", "replace")
    damage = as_utf8.count("\ufffd")
    is_cut = damage == 1 and as_utf8.endswith("\ufffd")
    if is_cut or sum(map(as_utf8.count, _COMMON_THAI)) > 3 * damage:
        return body.removeprefix(b"\xef\xbb\xbf"), "utf-8"
    as_thai = body.decode("cp874", "replace")
    if _declared_charset(body, content_type) in _THAI_CHARSETS or as_thai.count("\ufffd") < damage:
        return as_thai.encode(), "cp874"
    return body, "utf-8"


def _declared_charset(body: bytes, content_type: str | None) -> str:
    declared = _CHARSET.search((content_type or "").encode("ascii", "replace")) or _CHARSET.search(body[:4096])
    return declared[1].decode("ascii").lower() if declared else ""


def _apply_style(node: LexborNode) -> None:
    attributes = node.attributes
    style = attributes.get("style") or ""
    displays = [(shown.lower(), unseen) for shown, unseen in _DISPLAY.findall(style)]
    if "hidden" in attributes or any(unseen or shown == "none" for shown, unseen in displays):
        node.decompose()
        return
    if _WHITE_SPACE.search(style):
        _keep_line_breaks(node)
    for shown, _ in displays:
        if shown.endswith(("flex", "grid")):
            _break_items(node)
        if shown.startswith(_INLINE_DISPLAYS):
            if node.tag in _BLOCKS and node.tag != "body":
                node.unwrap()
                return
        elif node.tag not in _BLOCKS:
            node.insert_before(BREAK)
            node.insert_after(BREAK)
        if shown == "table-cell" and _is_empty(node) and node.css_first("input") is None:
            node.insert_child(EMPTY_CELL)


def _break_items(box: LexborNode) -> None:
    """Show what stands side by side in a flexible box or a grid as cells: each is a box, whatever its element is."""
    for item in list(box.iter()):
        if item.tag in _NO_ITEMS:
            continue
        if item.tag not in _BLOCKS:
            item.insert_before(BREAK)
            item.insert_after(BREAK)
        if _is_empty(item) and item.css_first("input") is None:
            item.insert_child(EMPTY_CELL)


def _keep_line_breaks(node: LexborNode) -> None:
    for text in [child for child in node.traverse(include_text=True) if child.is_text_node]:
        content = text.text_content or ""
        if "\n" in content or "\r" in content:
            text.replace_with(BREAK.join(content.splitlines()) + (BREAK if content.endswith("\n") else ""))


def _mark_links(root: LexborNode) -> list[str]:
    """Collect all links of a page, scripted ones too, and leave a mark with its number before each."""
    links: list[str] = []
    marks: list[tuple[LexborNode, str]] = []
    icons = 0
    for node in root.css(_HAS_LINK):
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


def _split_marks(lines: list[str]) -> tuple[list[str], list[tuple[int, ...]]]:
    """Take the marks of links out of the lines; a line of marks alone belongs to the line after it, or above it."""
    kept: list[str] = []
    owners: list[list[int]] = []
    waiting: list[int] = []
    for line in lines:
        pieces = line.split(_LINK)
        marks = [piece for piece in pieces[1::2] if piece.removeprefix("-").isdecimal()]
        text = " ".join("".join(pieces[0::2]).split()) if marks else line
        for mark in marks:
            above = not text and mark[0] == "-" and owners
            (owners[-1] if above else waiting).append(int(mark.removeprefix("-")))
        if text:
            kept.append(text)
            owners.append(waiting)
            waiting = []
    return kept, list(map(tuple, owners))


def _is_cut_off(source: bytes) -> bool:
    """Whether the bytes end in the middle of a tag, a text or a box."""
    end = source[-_END:].rstrip().lower()
    if end.rfind(b"<") > end.rfind(b">"):
        return True
    last = max(end.rfind(b"</body"), end.rfind(b"</html") if b"</body" not in end else -1)
    if last >= 0:  # somebody may have closed what he cut off
        end = end[:last].rstrip()
    if end.rfind(b"<") > end.rfind(b">") or _HALF_LETTER.search(end[-3:]):
        return True
    if not end or last >= 0:
        return _ends_in_what_is_else_closed(source, end)
    # pages of the nineties leave out </html>, and cells' ends, but not the ends of tables, lists and boxes
    lowered = source.lower()
    if any(lowered.count(b"<" + tag) > lowered.count(b"</" + tag) for tag in _BOXES):
        return True
    if b"<!doctype" in lowered[:200] and _END_OF_HEAD.search(lowered):  # written by somebody who writes ends
        return True
    if _has_begun(source) and (not end.endswith(b">") or _OPENED_LAST.search(end)):
        return True
    return _ends_in_what_is_else_closed(source, end)


def is_open(source: bytes) -> bool:
    """Whether a document with a whole head has no end tag; old pages leave it out."""
    end = source[-_END:].lower()
    return b"</html" not in end and b"</body" not in end and bool(_END_OF_HEAD.search(source.lower()))


def leaves_ends_out(source: bytes) -> bool:
    """Whether the page ends in an element of which it leaves out the ends, as minified pages do."""
    end = source[-_END:].lower()
    return not is_open(source) and _balance_of_last(source, end)[0] >= _HABIT


def _has_begun(source: bytes) -> bool:
    return b"<html" in source[:4096].lower()


def _ends_in_what_is_else_closed(source: bytes, end: bytes) -> bool:
    """Whether the end stands in an element of which the page has closed all others."""
    left_open, closed = _balance_of_last(source, end)
    return left_open == 1 and closed >= _HABIT


def _balance_of_last(source: bytes, end: bytes) -> tuple[int, int]:
    """Of the element that the last tag opens, how many ends the page leaves out and how many it writes."""
    last = _TAG.match(end, end.rfind(b"<")) if b"<" in end else None
    if last is None or last[1] or last[2] in _NEVER_CLOSED:
        return 0, 0
    opened = sum(1 for _ in re.finditer(b"<" + last[2] + rb"[\s>/]", source, re.IGNORECASE))
    closed = sum(1 for _ in re.finditer(b"</" + last[2] + rb"[\s>]", source, re.IGNORECASE))
    return opened - closed, closed


def _is_huge(source: bytes) -> bool:
    return len(source) >= _LARGE and source.count(b"<") >= _MANY_TAGS


def _limit_depth(source: bytes) -> bytes:
    """Replace start tags nested deeper than browsers go by `<br>`.

    lexbor's time grows with the square of the depth (100,000 open `<div>` take 20 s); browsers stop at 512 too.
    """
    if not _is_huge(source):
        return source
    depth = 0

    def flatten(match: re.Match[bytes]) -> bytes:
        nonlocal depth
        if match[1]:
            depth = max(depth - 1, 0)
        elif match[2].lower() not in _NOT_NESTING:
            depth += 1
            if depth > _MAX_DEPTH:
                return b"<br" if match[2].decode("ascii", "replace").lower() in _BLOCKS else b"<wbr"
        return match[0]

    return _TAG.sub(flatten, source)
