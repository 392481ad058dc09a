"""HTML bytes to *what a reader sees*: the printed lines, the empty cells among them, and the links.

A line breaks where a browser breaks it: at block elements, `<br>`, table cells and rows, list items. Inline elements,
comments and entities inside words do not break. White space collapses as in CSS; `<pre>` keeps its lines. What a
browser does not show is not there: scripts, styles, templates, `hidden`, `display:none`, hidden inputs.

There is one reader: lexbor builds the tree, the tree is cut down to what is shown, and its text is taken once.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import itemgetter
from typing import Final, NamedTuple
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode

from parsers.depth import limit_depth
from parsers.encoding import Decoded, decode
from parsers.thai import clean, normalise_spelling

EMPTY_CELL: Final = "␀"
"""The line of a cell that shows no text."""
BREAK: Final = "␤"
"""Between two printed lines while a page is read."""

_BLANKS = f" {BREAK}"  # a cell's text that begins with any other printable sign shows something
_LINK = "␞"  # before each link, which are counted
_SITE_START, _SITE_END = "␂", "␃"  # around what a site prints around every record: <footer> and <nav>
_SITE_MARKS = frozenset((_SITE_START, _SITE_END))

_NOT_SHOWN = (
    "script style template noscript iframe noframes noembed object audio video canvas svg math select datalist "
    "progress meter title rp dialog"
).split()
_PREFORMATTED = ("pre", "textarea", "listing", "xmp", "plaintext")
_BLOCKS = (
    "address article aside blockquote body br caption center col colgroup dd details dir div dl dt fieldset "
    "figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend li listing main menu "
    "nav ol optgroup option p plaintext pre search section summary table tbody td textarea tfoot th thead tr ul xmp"
).split()
_SMALL_LETTERS, _NOT_ASCII = bytes(range(256)).lower(), bytes(range(128, 256))
_COMMENT = 4  # the tag_id of every comment node, a constant of lexbor
_NO_EVENTS = 1  # LexborDocumentOptions.WO_EVENTS: leave the tree as the source has it
_ADDRESS_IN_SCRIPT = re.compile(r"""['"]([^'"\s]*(?:[?]|[.]php|[0-9]{4}-[0-9]{3,4})[^'"\s]*)['"]""")
"""What a script opens, by whatever function: the first text in it that reads as an address, or as a record's code."""
_ATTRIBUTE_WORDS = (b"style", b"hidden", b"onclick", b"data-href", b"data-url", b"<base")
_ATTRIBUTES = (
    "base[href], [hidden], [onclick], [data-href], [data-url], "
    '[style]:is([style*="display" i], [style*="visibility" i], [style*="float" i], [style*="position" i])'
)
"""The elements that are looked at, in a page whose source has one of the words."""
_SCRIPTED = frozenset(("onclick", "data-href", "data-url"))
_HIDES = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))")
_STANDS_APART = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*(?!inline\s*(?:[;!]|$)|inline-block(?!.*width)|contents|ruby)"
    r"|float\s*:\s*(?:left|right)|position\s*:\s*(?:absolute|fixed))"
)
_IS_CELL = re.compile(r"(?:^|;)\s*display\s*:\s*table-cell")
_HOLDS_CELLS = re.compile(r"(?:^|;)\s*display\s*:\s*(?:inline-)?(?:flex|grid)")
_ANY_TAG = re.compile(rb"<[A-Za-z!?/]")
_NO_VALUE_INPUTS = frozenset("hidden checkbox radio password file image range color submit button reset".split())


class Link(NamedTuple):
    """One link: its target as written, the number of the line in which it begins, and whether that line begins with it.

    bare: whether it shows no text, and stands in no line: its line is the next
    """

    target: str
    line_no: int
    leads: bool
    bare: bool = False


class PrintedPage(NamedTuple):
    """One page as a reader sees it.

    lines: the printed lines, cleaned (see `parsers.thai.clean`), never blank; `EMPTY_CELL` where a cell has no text
    record_end: how many of the lines stand above the `<footer>` and `<nav>` that end the page
    small: what of the source is ASCII, in small letters; base: its `<base href>` as written
    """

    lines: list[str]
    record_end: int
    links: list[Link]
    decoded: Decoded
    small: bytes
    base: str | None = None


def _tag_ids(names: Iterable[str]) -> Iterator[int]:
    maker = LexborHTMLParser("")
    for name in names:
        yield maker.create_node(name).tag_id


_CELLS = frozenset(_tag_ids(("td", "th")))
_SITE_PARTS = frozenset(_tag_ids(("footer", "nav")))
_LINKS = frozenset(_tag_ids(("a", "area")))
_KEEPING = frozenset(_tag_ids(_PREFORMATTED))
(_INPUT,) = _tag_ids(("input",))
_BOXES = frozenset(_tag_ids(_BLOCKS))
_PLAIN_BLOCKS = _BOXES - _CELLS - _KEEPING - _SITE_PARTS
_TAKEN_OUT = frozenset((_COMMENT, _INPUT, *_tag_ids(_NOT_SHOWN)))
_HOLDS_ELEMENTS = _TAKEN_OUT.difference(
    (_COMMENT, _INPUT, *_tag_ids("script style noscript iframe noframes noembed title".split()))
)


def read_page(body: bytes, *, content_type: str | None = None) -> PrintedPage:
    """Read the bytes of a page as a browser would show them. Never raises, whatever the bytes are."""
    decoded = decode(body, content_type)
    source = decoded.source
    small = source.translate(_SMALL_LETTERS, _NOT_ASCII)  # Thai text makes up most of a page, and no search needs it
    if not _ANY_TAG.search(source):  # no HTML: a browser shows its lines as they are
        text = normalise_spelling(source.decode("utf-8", "replace"))
        lines = _lines_of(BREAK.join(text.splitlines()))
        return PrintedPage(lines, len(lines), [], decoded, small)
    # scripting: as in a browser that runs scripts, what stands in <noscript> is no markup
    tree = LexborHTMLParser(limit_depth(source, small), options=_NO_EVENTS, scripting=True)
    found = tree.root.css(_ATTRIBUTES) if tree.root and any(word in small for word in _ATTRIBUTE_WORDS) else []
    base = _base_address(found)
    root = tree.body
    if root is None:  # a frameset, or nothing
        return PrintedPage([], 0, [], decoded, small, base)
    boxes, scripted = _apply_attributes(found)
    targets = _leave_shown(root, boxes, scripted)[::-1]
    tree.merge_text_nodes()  # each text node left is then one line
    lines = _lines_of(normalise_spelling(root.text(separator=BREAK, skip_empty=True)))
    end = len(lines)
    if _SITE_END in lines:
        end = _above_site_end(lines)
        lines = ["" if line in _SITE_MARKS else line for line in lines]
    elif not targets:
        return PrintedPage(lines, end, [], decoded, small, base)
    above, links = _take_links(lines, targets)
    return PrintedPage(list(filter(None, lines)), above[end], links, decoded, small, base)


def _lines_of(printed: str) -> list[str]:
    """The lines of a text in right spelling that has `BREAK` between them: white space as CSS has it."""
    for blank in "\n\t\r\xa0":
        if blank in printed:
            printed = printed.replace(blank, " ")
    if not printed.isprintable():
        return list(filter(None, map(clean, printed.split(BREAK))))
    lines = list(filter(None, map(str.strip, printed.split(BREAK))))
    return [" ".join(line.split()) if "  " in line else line for line in lines] if "  " in printed else lines


def _leave_shown(root: LexborNode, boxes: set[int], scripted: set[int]) -> list[str]:
    """Take out what is not shown, unwrap inline elements, and leave marks: in empty cells, before each link, around parts
    of the site.

    From the page's end on, so that nothing is touched after what held it. Returns the targets of the links, the last first.
    """
    special = boxes | scripted
    nodes = _marked_nodes(root, special)
    tags = set(map(itemgetter(0), nodes))
    if not tags.isdisjoint(_HOLDS_ELEMENTS):
        for tag, node in reversed(nodes):
            if tag in _HOLDS_ELEMENTS:
                node.decompose()
        nodes = _marked_nodes(root, special)
    if not tags.isdisjoint(_KEEPING):
        _keep_line_breaks(root)
    targets: list[str] = []
    for tag, node in reversed(nodes):
        if tag in _TAKEN_OUT:
            _take_out(tag, node)
            continue
        if (tag in _LINKS or (scripted and node.mem_id in scripted)) and (target := _target(node)):
            _first_text(node).insert_before(_LINK)
            targets.append(target)
        if tag in _CELLS or (boxes and node.mem_id in boxes):
            first = (inside.text_content or "")[:1] if (inside := node.first_child) else ""
            if (first in _BLANKS or not first.isprintable()) and _is_empty(node):
                node.insert_child(EMPTY_CELL)
        elif tag not in _BOXES:
            node.unwrap(delete_empty=True)
        elif tag in _SITE_PARTS:
            node.insert_before(f"{BREAK}{_SITE_START}{BREAK}")
            node.insert_after(f"{BREAK}{_SITE_END}{BREAK}")
    return targets


def _first_text(link: LexborNode) -> LexborNode:
    """The first text that a link shows, which may stand in a box of its own; the link itself, where it shows none."""
    if (first := link.first_child) is None or (first.text_content or "").strip():
        return link  # as nearly every one has it: the mark comes to the same place
    texts = (node for node in link.traverse(include_text=True, skip_empty=True) if node.is_text_node)
    return next((node for node in texts if (text := node.text_content) and text != EMPTY_CELL and _shows(text)), link)


def _marked_nodes(root: LexborNode, special: set[int]) -> list[tuple[int, LexborNode]]:
    """The elements that are special or no plain blocks, in page order, each with its tag."""
    return [
        (tag, node)
        for node in root.traverse()
        if (tag := node.tag_id) not in _PLAIN_BLOCKS or (special and node.mem_id in special)
    ]


def _is_empty(cell: LexborNode) -> bool:
    """Whether a cell shows no text: it holds blanks, `<br>`, or boxes that hold no more."""
    texts = (text for node in cell.traverse(include_text=True, skip_empty=True) if (text := node.text_content))
    return not any(map(_shows, texts))  # looks no farther than to the first: cells hold cells


def _shows(text: str) -> bool:
    text = text.replace(BREAK, " ").strip()
    return bool(text) and (text.isprintable() or bool(clean(text)))


def _take_out(tag: int, node: LexborNode) -> None:
    if tag == _INPUT:
        attributes = node.attributes
        value, kind = attributes.get("value"), (attributes.get("type") or "").strip().lower()
        if value and kind not in _NO_VALUE_INPUTS:
            node.insert_before(value)
    node.decompose()


def _apply_attributes(found: list[LexborNode]) -> tuple[set[int], set[int]]:
    """Take out what attributes hide, from the page's end on, and put breaks around what styles set apart.

    Returns the elements that styles make cells, and those that have a script.
    """
    boxes: set[int] = set()
    scripted: set[int] = set()
    for mem_id, node in reversed({node.mem_id: node for node in found}.items()):  # each of them once
        attributes = node.attributes
        style = (attributes.get("style") or "").lower()
        if not _SCRIPTED.isdisjoint(attributes):
            scripted.add(mem_id)
        if node.tag in ("html", "body", "img"):  # a page is shown by a script, once all is there
            continue
        if "hidden" in attributes or _HIDES.search(style):
            node.decompose()
        elif _STANDS_APART.search(style):
            inside = [child for child in node.iter() if child.tag not in ("br", "img")]
            cells = inside if _HOLDS_CELLS.search(style) else [node] if _IS_CELL.search(style) else []
            boxes.update(cell.mem_id for cell in cells)
            for box in (node, *cells):
                if box.tag_id not in _BOXES:
                    box.insert_before(BREAK)
                    box.insert_after(BREAK)
    return boxes, scripted


def _keep_line_breaks(root: LexborNode) -> None:
    """Break lines where the source does, in the elements that keep its white space."""
    seen: set[int] = set()
    for box in root.css(", ".join(_PREFORMATTED)):
        if box.mem_id in seen:  # inside another
            continue
        for node in list(box.traverse(include_text=True)):
            seen.add(node.mem_id)
            if node.is_text_node and (lines := (node.text_content or "").splitlines(keepends=True)):
                node.replace_with("".join(line.rstrip("\r\n") + BREAK * (line[-1] in "\r\n") for line in lines))


def _base_address(found: list[LexborNode]) -> str | None:
    """The `<base href>` of a page, as written: its links are relative to that, and that to the page's own address."""
    base = next((node for node in found if node.tag == "base"), None)
    return (base.attributes.get("href") or "").strip() or None if base is not None else None


def _target(node: LexborNode) -> str | None:
    attributes = node.attrs
    target = (attributes.get("href") or "").strip()
    is_script = target[:11].lower() == "javascript:"
    if target and target[0] != "#" and not is_script:
        return target
    script = f"{target if is_script else ''} {attributes.get('onclick') or ''}".strip()
    if script and (found := _ADDRESS_IN_SCRIPT.search(unquote(script))):
        return found[1]
    return (attributes.get("data-href") or attributes.get("data-url") or "").strip() or None


def _take_links(lines: list[str], targets: list[str]) -> tuple[list[int], list[Link]]:
    """Take the marks of links out of the lines; a line of marks alone belongs to the line after it.

    Returns how many lines that show text stand above each, and the links; of a page that prints the sign itself, none
    can be told from it, and all get a line below the last.
    """
    begun: list[tuple[int, bool]] = []  # of each link: its line, and whether that begins with it
    for place, line in enumerate(lines):
        if _LINK in line:
            before, *texts = line.split(_LINK)
            for text in texts:
                begun.append((place, not before))
                before += text
            lines[place] = " ".join(before.split()) if "  " in before else before.strip()
    above = [0, *accumulate(map(bool, lines))]
    if len(begun) != len(targets):
        return above, [Link(target, len(lines), False) for target in targets]
    links = zip(targets, begun, strict=True)
    return above, [Link(target, above[place], leads, not lines[place]) for target, (place, leads) in links]


def _above_site_end(lines: list[str]) -> int:
    """How many lines stand above the `<footer>` and `<nav>` that end the page."""
    end, depth = len(lines), 0
    while end and (depth > 0 or lines[end - 1] == _SITE_END):
        end -= 1
        depth += (lines[end] == _SITE_END) - (lines[end] == _SITE_START)
    return end
