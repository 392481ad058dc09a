"""Sources that nest too deep for the tree, or have tags of thousands of attributes: made shallow before it is built.

lexbor's time grows with the square of both (100,000 open `<div>` take 20 s); browsers stop at 512 elements, too.
"""

import re
from typing import Final

TAG: Final = re.compile(rb"<(/?)([A-Za-z][^\s/>]*)")
_LONG_TAG: Final = re.compile(rb"(<[A-Za-z][^\s/<>]*+)[^<>]{50000,}+")
_LONG: Final = 25_000  # of a tag so long, one half or the other is a whole piece of so many bytes
_MOST_ATTRIBUTES: Final = 1_000
_SHORTEST_TAG: Final = 3
_MANY_TAGS: Final = 3_000  # what a real page has; below that even the deepest page costs a fraction of a second
_MAX_DEPTH: Final = 500
_MAX_INLINE_DEPTH: Final = 20  # a browser opens those left open again in each paragraph
VOID: Final = frozenset(b"area br hr img input link meta wbr".split())
NOT_NESTING: Final = VOID | frozenset(  # and those whose end tag may be left out, or that hold no elements
    b"a base col embed nobr param source track p li dd dt option colgroup html head body script style noscript iframe "
    b"noframes noembed title select textarea xmp".split()
)
_PARTS_OF_TABLES: Final = frozenset(b"td th tr tbody thead tfoot".split())
_INLINE: Final = frozenset(b"b big code em font i s small span strike strong tt u label".split())
_DRAWINGS: Final = (b"svg", b"math")  # an HTML element in one ends it


def limit_depth(source: bytes, small: bytes) -> bytes:
    """Replace start tags nested deeper than browsers go by those of elements that show nothing and hold nothing.

    What is open is counted by name: an end tag that a browser passes over stands inside a table, or the like, that is
    open and counted itself.

    small: what of the source is ASCII: it is counted in a fraction of the time
    """
    if len(source) > _LONG and any(
        source.find(b"<", start, start + _LONG) < 0 for start in range(0, len(source) - _LONG, _LONG)
    ):
        source = _LONG_TAG.sub(lambda tag: tag[1] if tag[0].count(b"=") > _MOST_ATTRIBUTES else tag[0], source)
    if len(small) < _SHORTEST_TAG * _MANY_TAGS or small.count(b"<") < _MANY_TAGS:
        return source
    opened: dict[bytes, int] = {}
    depth = {True: 0, False: 0}  # of inline elements, of all others

    def limit(tag: re.Match[bytes]) -> bytes:
        name = tag[2].lower()
        if name in NOT_NESTING or name in _PARTS_OF_TABLES:
            return tag[0]
        is_inline = name in _INLINE
        if tag[1]:
            if opened.get(name):
                opened[name] -= 1
                depth[is_inline] -= 1
        elif depth[is_inline] >= (_MAX_INLINE_DEPTH if is_inline else _MAX_DEPTH):
            return b"<?" if any(map(opened.get, _DRAWINGS)) else b"<img"
        else:
            opened[name] = opened.get(name, 0) + 1
            depth[is_inline] += 1
        return tag[0]

    return TAG.sub(limit, source)
