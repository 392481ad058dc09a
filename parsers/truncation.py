"""Was a page cut off? Judged by its source alone: by how it ends, and by what this page itself closes elsewhere.

A page in which every end tag is missing may be whole: those of `<p>`, `<li>`, `<td>` and of the page itself may be left
out, and pages of the nineties do. So the last bytes are held against the habits of the page, not against a rule of HTML.
"""

import re
from typing import Final

from parsers.depth import NOT_NESTING, TAG, VOID

_END: Final = 4_096  # bytes at the end of a page that are looked at
_HABIT: Final = 3  # times a page writes, or leaves out, an end tag, from which on that is its habit

_END_OF_PAGE: Final = (b"</body", b"</html")
_USUAL_END: Final = re.compile(rb"</[a-z]+[1-6]?>\s*</body>\s*(?:</html>\s*)?\Z", re.IGNORECASE)
_END_OF_HEAD: Final = re.compile(rb"</head[\s>]")
_OPTIONAL_END: Final = re.compile(rb"</(?:p|li|t[dhr]|d[td])[\s>]")
_MAY_STAY_OPEN: Final = re.compile(rb"<(?:p|li|t[dhr]|d[td])[\s>]")
_BOXES: Final = tuple((b"<" + box, b"</" + box) for box in b"div table ul ol dl section article fieldset pre".split())
"""Elements that are closed even on pages that leave out all other ends."""
_OPENED_LAST: Final = re.compile(
    rb"<(?:h[1-6]|span|font|label|strong|small|b|i|u|a|div|section|legend|pre|table)(?:\s[^<>]*)?>\Z"
)
_HALF_LETTER: Final = re.compile(rb"[\xc0-\xff]\Z|[\xe0-\xff][\x80-\xbf]\Z|[\xf0-\xff][\x80-\xbf]{2}\Z|\xef\xbf\xbd\Z")
_HALF_REFERENCE: Final = re.compile(rb"&#x?[0-9a-f]*\Z")


def is_cut_off(source: bytes, small: bytes) -> bool:
    """Whether a page ends in the middle of a tag, a text, a comment or a box.

    source: in UTF-8; small: what of it is ASCII, in small letters
    """
    opened = small.rfind(b"<!--")  # a comment, unless a script's old wrapping
    if opened >= 0 and small.find(b"-->", opened) < 0 and small.find(b"</script", opened) < 0:
        return True
    if _USUAL_END.search(source[-80:]):
        return False
    end = source[-_END:].rstrip().lower()
    if _ends_inside(end):
        return True
    closed = _end_of_page(end)
    if closed is not None:  # a proxy, or a server's error page, may have closed what was cut off
        end = end[:closed].rstrip()
        return _ends_inside(end) or _left_open_at(small, end)
    return bool(end) and _ends_without_end_tag(small, end)


def is_open(source: bytes) -> bool:
    """Whether a document (what of it is ASCII, in small letters) with a whole head has no end tag, as in old pages."""
    return _end_of_page(source[-_END:]) is None and bool(_END_OF_HEAD.search(source))


def _end_of_page(end: bytes) -> int | None:
    """Where the page's own end tag stands."""
    return next((place for tag in _END_OF_PAGE if (place := end.rfind(tag)) >= 0), None)


def _ends_inside(end: bytes) -> bool:
    """Whether the last bytes are a piece of a tag, of a letter or of a character reference."""
    if end.endswith(b">"):
        return False
    in_tag = end.rfind(b"<") > end.rfind(b">")
    return in_tag or bool(_HALF_LETTER.search(end[-3:]) or _HALF_REFERENCE.search(end[-9:]))


def _ends_without_end_tag(source: bytes, end: bytes) -> bool:
    """Whether a page without `</body>` was cut off."""
    if any((opened := source.count(start)) and opened > source.count(end_tag) for start, end_tag in _BOXES):
        return True
    if not _OPTIONAL_END.search(source) and len(_MAY_STAY_OPEN.findall(source)) >= _HABIT:
        return False  # a page that leaves out every end that may be left out
    if b"<!doctype" in source[:200] and _END_OF_HEAD.search(source):
        return True  # written by somebody who writes ends
    if b"<html" in source[:_END] and (not end.endswith(b">") or _OPENED_LAST.search(end)):
        return True
    return _left_open_at(source, end)


def _left_open_at(source: bytes, end: bytes) -> bool:
    """Whether the end stands in an element of which the page has closed all others."""
    last = _last_tag(end)
    if last is None or last[1]:
        return False
    name = re.escape(last[2])  # a broken tag's may hold anything
    opened = len(re.findall(b"<" + name + rb"[\s>/]", source))
    closed = len(re.findall(b"</" + name + rb"[\s>]", source))
    nests = last[2] not in NOT_NESTING  # then the boxes that hold the last one are open, too
    return closed >= _HABIT and (opened - closed == 1 or (nests and opened > closed))


def _last_tag(end: bytes) -> re.Match[bytes] | None:
    """The last tag of an element that can be closed."""
    place = len(end)
    while (place := end.rfind(b"<", 0, place)) >= 0:
        last = TAG.match(end, place)
        if last is None or last[2] not in VOID:
            return last
    return None
