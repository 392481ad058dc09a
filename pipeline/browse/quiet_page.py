"""A stored page for a frame: without what a browser would run or load, of which it would otherwise complain."""

import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from parsers.depth import limit_depth
from parsers.encoding import decode

_RUN_OR_LOADED: Final = "script, link, base, iframe, frame, object, embed, meta[http-equiv], svg image, svg use"
_LOADS: Final = frozenset({"src", "srcset", "background", "poster", "data"})
_STYLE_LOADS: Final = re.compile(r"@import[^;]*;?|url\([^)]*\)?", re.IGNORECASE)


def quiet_page(body: bytes, content_type: str | None) -> bytes:
    """The page as UTF-8, its texts and its own style untouched; content_type: of the answer that brought it.

    Only for looking: headers must keep what is left inert.
    """
    decoded = decode(body, content_type)
    # a browser does not undo what the server misread
    source = body.decode(decoded.encoding, "replace").encode() if decoded.misread_as else decoded.source
    tree = LexborHTMLParser(limit_depth(source, source.lower()))
    for node in tree.css(_RUN_OR_LOADED):
        node.decompose()
    for node in tree.css("style"):
        sheet = node.text()
        if _STYLE_LOADS.search(sheet):
            node.inner_html = _STYLE_LOADS.sub("", sheet)
    for node in tree.css("*"):
        for name, value in node.attributes.items():
            if name in _LOADS or name.startswith("on") or (name == "style" and _STYLE_LOADS.search(value or "")):
                del node.attrs[name]
    return (tree.html or "").encode()
