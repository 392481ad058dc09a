"""HTML bytes to *what a reader sees*: the printed lines, the empty cells among them, and the links.

A line breaks where a browser breaks it: at block elements, `<br>`, table cells and rows, list items. Inline elements,
comments and entities inside words do not break. White space collapses as in CSS; `<pre>` keeps its lines. What a
browser does not show is not there: scripts, styles, templates, `hidden`, `display:none`, hidden inputs.

There is one reader: lexbor builds the tree, the tree is cut down to what is shown, and its text is taken once.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, islice
from operator import itemgetter
from typing import Final, NamedTuple
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode

from parsers.depth import limit_depth
from parsers.encoding import Decoded, decode
from parsers.leads import base_address
from parsers.thai import clean, normalise_spelling

EMPTY_CELL: Final = "␀"
"""The line of a cell that shows no text."""
BREAK: Final = "␤"
"""Between two printed lines while a page is read."""

_LINK = "␞"  # before each link, which are counted
_SITE_START, _SITE_END = "␂", "␃"  # around what a site prints around every record: <footer> and <nav>
_SITE_MARKS = frozenset((_SITE_START, _SITE_END))

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
_BLANKS = f" {BREAK}"
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
_CODE = re.compile("[0-9]{4}-[0-9]{3,4}")
_MARKED = (b"hidden", b"style", b"onclick", b"data-href", b"data-url")  # attributes that are looked for
_LINKED = "a[href], area[href], [onclick], [data-href], [data-url]"
_ROWS_OF_BOXES = ("flex", "inline-flex", "grid", "inline-grid")  # whatever is in them stands apart
_STYLED_ROWS = '[style*="flex" i], [style*="grid" i]'
_KEPT_WHITE_SPACE = ("pre", "break-spaces")


_ANY_TAG = re.compile(rb"<[A-Za-z!?/]")
_NO_VALUE_INPUTS = frozenset("hidden checkbox radio password file image range color submit button reset".split())


class Link(NamedTuple):
    """One link: its target as written, the number of the line in which it begins, and whether that line begins with it."""

    target: str
    line_no: int
    leads: bool


@dataclass(frozen=True, slots=True)
class PrintedPage:
    """One page as a reader sees it.

    lines: the printed lines, cleaned (see `parsers.thai.clean`), never blank; `EMPTY_CELL` where a cell has no text
    record_end: how many of the lines stand above the `<footer>` and `<nav>` that end the page
    small: the source in small letters; base: see `parsers.leads.base_address`
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
_DIALOG, _INPUT = _tag_ids(("dialog", "input"))
_PLAIN_BLOCKS = frozenset(_tag_ids(_BLOCKS)) - _CELLS - _KEEPING - _SITE_PARTS - {_DIALOG}
_TAKEN_OUT = frozenset((_COMMENT, _DIALOG, _INPUT, *_tag_ids(_NOT_SHOWN)))
_STAYING = _CELLS | _KEEPING | _SITE_PARTS | {_DIALOG}
_TAG_OF = itemgetter(0)
_HOLD_NO_ELEMENTS = frozenset(
    (_COMMENT, _INPUT, *_tag_ids("script style noscript iframe noframes noembed title".split()))
)


def read_page(body: bytes, *, content_type: str | None = None) -> PrintedPage:
    """Read the bytes of a page as a browser would show them. Never raises, whatever the bytes are."""
    decoded = decode(body, content_type)
    source, small = decoded.source, decoded.source.lower()
    if not _ANY_TAG.search(source):  # no HTML: a browser shows its lines as they are
        text = normalise_spelling(source.decode("utf-8", "replace"))
        lines = _lines_of(BREAK.join(text.splitlines()))
        return PrintedPage(lines, len(lines), [], decoded, small)
    # scripting: as in a browser that runs scripts, what stands in <noscript> is no markup
    tree = LexborHTMLParser(limit_depth(source), options=_NO_EVENTS, scripting=True)
    base = base_address(small, tree)
    root = tree.body
    if root is None:  # a frameset, or nothing
        return PrintedPage([], 0, [], decoded, small, base)
    nodes, is_scripted = _leave_shown(root, small)
    if is_scripted:  # a node with several of the attributes is found several times
        linked = list({node.mem_id: node for node in root.css(_LINKED)}.values())
    else:
        linked = [node for tag, node in nodes if tag in _LINKS]
    targets, icons = _mark_links(linked)
    for tag, node in nodes:
        if tag not in _STAYING:  # inline: each text node left is then one piece of one line
            node.unwrap(delete_empty=True)
        elif tag in _SITE_PARTS:
            node.insert_before(f"{BREAK}{_SITE_START}{BREAK}")
            node.insert_after(f"{BREAK}{_SITE_END}{BREAK}")
    tree.merge_text_nodes()
    _mark_empty([node for tag, node in nodes if tag in _CELLS])
    lines = _lines_of(normalise_spelling(root.text(separator=BREAK, skip_empty=True)))
    end = len(lines)
    if _SITE_END in lines:
        end = _above_site_end(lines)
        lines = ["" if line in _SITE_MARKS else line for line in lines]
    elif not targets:
        return PrintedPage(lines, end, [], decoded, small, base)
    above, links = _take_links(lines, targets, icons)
    return PrintedPage(list(filter(None, lines)), above[end], links, decoded, small, base)


def _lines_of(printed: str) -> list[str]:
    """The lines of a text in right spelling that has `BREAK` between them: white space as CSS has it."""
    for blank in "\n\t\r\xa0":
        printed = printed.replace(blank, " ")
    lines = list(filter(None, map(str.strip, printed.split(BREAK))))
    if "  " in printed:
        lines = [" ".join(line.split()) if "  " in line else line for line in lines]
    return lines if printed.isprintable() else list(filter(None, map(clean, lines)))


def _is_empty(cell: LexborNode) -> bool:
    """Whether a cell shows no text: it holds blanks, `<br>`, or boxes that hold no more."""
    texts = (node.text_content or "" for node in cell.traverse(include_text=True, skip_empty=True) if node.is_text_node)
    return not any(map(_shows, texts))  # looks no farther than to the first: cells hold cells


def _shows(text: str) -> bool:
    text = text.replace(BREAK, " ").strip()
    return bool(text) and (text.isprintable() or bool(clean(text)))


def _mark_empty(cells: list[LexborNode]) -> None:
    for cell in reversed(cells):  # a cell that holds cells is not empty
        child = cell.first_child
        text = (child.text_content or "") if child is not None else ""
        if not (text and text[0] not in _BLANKS and text[0].isprintable()) and _is_empty(cell):
            cell.insert_child(EMPTY_CELL)


def _leave_shown(root: LexborNode, small: bytes) -> tuple[list[tuple[int, LexborNode]], bool]:
    """Take out what is not shown, and put breaks and empty cells where styles make them.

    small: the source in small letters
    Returns the elements left that are no plain blocks, in page order, each with its tag; and whether a page has scripts
    or boxes that may be links.
    """
    said, is_scripted = _apply_attributes(root, [name.decode() for name in _MARKED if name in small])
    nodes = [(tag, node) for node in root.traverse() if (tag := node.tag_id) not in _PLAIN_BLOCKS]
    tags = set(map(_TAG_OF, nodes))
    if not tags.isdisjoint(_TAKEN_OUT):
        for tag, node in reversed(nodes):  # nothing is touched after what held it was taken out
            if tag in _TAKEN_OUT:
                _take_out(node)
        if tags & _TAKEN_OUT <= _HOLD_NO_ELEMENTS:
            nodes = [(tag, node) for tag, node in nodes if tag not in _TAKEN_OUT]
        else:
            nodes = [(tag, node) for node in root.traverse() if (tag := node.tag_id) not in _PLAIN_BLOCKS]
    if "white-space" in said or not tags.isdisjoint(_KEEPING):
        _keep_line_breaks(root)
    if "table-cell" in said:
        _mark_empty(root.css('[style*="table-cell" i]'))
    if not said.isdisjoint(_ROWS_OF_BOXES):
        _mark_empty([box for row in root.css(_STYLED_ROWS) for box in _boxes_of(row)])
    return nodes, is_scripted


def _apply_attributes(root: LexborNode, names: list[str]) -> tuple[set[str], bool]:
    """Take out what attributes hide, from the page's end on; what styles say, and whether anything has a script."""
    said: set[str] = set()
    is_scripted = False
    found = root.css(", ".join(f"[{name}]" for name in names)) if names else []
    if len(names) > 1:  # one with several of the attributes is found again
        found = list({node.mem_id: node for node in found}.values())
    for node in reversed(found):
        attributes = node.attributes
        if "hidden" in attributes:
            if node.tag != "body":
                node.decompose()
        elif declared := _declarations(attributes.get("style") or ""):
            said.update(("white-space",) if "white-space" in declared else (), (declared.get("display", ""),))
            _apply_style(node, declared)
        is_scripted = is_scripted or len(attributes) > 1 or "style" not in attributes
    return said, is_scripted


def _boxes_of(row: LexborNode) -> list[LexborNode]:
    """The boxes in a row or a grid of boxes that are cells, where they are empty."""
    if _declarations(row.attributes.get("style") or "").get("display") not in _ROWS_OF_BOXES:
        return []
    return [box for box in row.iter() if box.tag in _BOXES_IN_ROWS and box.css_first("img") is None]


def _take_out(node: LexborNode) -> None:
    attributes = node.attributes if node.tag_id in (_DIALOG, _INPUT) else {}
    if node.tag_id == _DIALOG and "open" in attributes:
        return
    if (value := attributes.get("value")) and (attributes.get("type") or "").strip().lower() not in _NO_VALUE_INPUTS:
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


def _mark_links(nodes: list[LexborNode]) -> tuple[list[str], set[int]]:
    """Leave a mark before each link, scripted ones too: their targets, and which may belong to the line above."""
    marked: list[LexborNode] = []
    targets: list[str] = []
    icons: set[int] = set()
    for node in nodes:
        if target := _target(node.attributes):
            # of an icon, only where it leads to a record its line matters
            if _CODE.search(target) and len(icons) < _ICONS and not node.text().strip() and _stands_below(node):
                icons.add(len(targets))
            marked.append(node)
            targets.append(target)
    for node in marked:
        node.insert_before(_LINK)
    return targets, icons


def _target(attributes: dict[str, str | None]) -> str | None:
    target = (attributes.get("href") or "").strip()
    if target and (target[0] not in "#jJ" or (target[0] != "#" and target[:11].lower() != "javascript:")):
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


def _take_links(lines: list[str], targets: list[str], icons: set[int]) -> tuple[list[int], list[Link]]:
    """Take the marks of links out of the lines; a line of marks alone belongs to the line after or above it.

    Returns how many lines that show text stand above each, and the links; of a page that prints the sign itself, none
    can be told from it, and all get a line below the last.
    """
    places: list[tuple[int, bool]] = []
    for place in [place for place, line in enumerate(lines) if _LINK in line]:
        before, *others = lines[place].split(_LINK)
        if not before and len(others) == 1:  # nearly always
            places.append((place, True))
            lines[place] = others[0].lstrip()
            continue
        for text in others:
            places.append((place, not before))
            before += text
        lines[place] = " ".join(before.split()) if "  " in before else before.strip()
    above = [0, *accumulate(map(bool, lines))]
    if len(places) != len(targets):
        return above, [Link(target, len(lines), False) for target in targets]
    return above, [
        Link(target, above[place] - (number in icons and not lines[place] and above[place] > 0), leads)
        for number, (target, (place, leads)) in enumerate(zip(targets, places, strict=True))
    ]


def _above_site_end(lines: list[str]) -> int:
    """How many lines stand above the `<footer>` and `<nav>` that end the page."""
    end, depth = len(lines), 0
    while end and (depth > 0 or lines[end - 1] == _SITE_END):
        end -= 1
        depth += (lines[end] == _SITE_END) - (lines[end] == _SITE_START)
    return end
