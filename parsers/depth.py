"""Sources that nest too deep for the tree: made shallow before it is built.

lexbor's time grows with the square of the depth (100,000 open `<div>` take 20 s), and of a tag's attributes; browsers
stop at 512 elements too.
"""

import re
from typing import Final

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
_BLOCKS: Final = (
    frozenset(  # what holds other elements, and stays open until its end tag
        b"address article aside blockquote caption center col colgroup dd details dialog dir div dl dt fieldset "
        b"figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 header hgroup legend li listing main menu nav "
        b"ol optgroup option p plaintext pre search section summary table tbody td textarea tfoot th thead tr ul xmp "
        b"script style template noscript iframe noframes noembed object audio video canvas svg math select datalist "
        b"progress meter title rp".split()
    )
    | _NEST_APART
)


def is_huge(source: bytes) -> bool:
    """Whether a source has so many tags that their depth matters."""
    return len(source) >= _LARGE and source.count(b"<") >= _MANY_TAGS


def limit_depth(source: bytes) -> bytes:
    """Replace start tags nested deeper than browsers go by `<br>` or `<img>`, and tags of thousands of attributes.

    lexbor's time grows with the square of the depth (100,000 open `<div>` take 20 s), and of the attributes; browsers
    stop at 512 elements too.
    """
    if len(source) < _LARGE:
        return source
    source = _LONG_TAG.sub(lambda tag: tag[1] if tag[0].count(b"=") > _MOST_ATTRIBUTES else tag[0], source)
    return _TAG.sub(_Nesting().limit, source) if is_huge(source) else source


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
        elif name in _BLOCKS:
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
