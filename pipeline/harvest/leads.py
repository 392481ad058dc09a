"""Where a page leads beside its links: addresses in frames, options, forms, data attributes, scripts; codes as text.

The portal's HTML has never been seen, so whatever reads as an address or a code is a lead: one that leads nowhere costs one
request. Everything is read from the source, so that it does not matter which element holds it.
"""

import re
from collections.abc import Iterator
from html import unescape
from itertools import islice, product
from typing import Final
from urllib.parse import urlencode

from selectolax.lexbor import LexborHTMLParser, LexborNode

from parsers.depth import limit_depth

_MOST: Final = 5_000
"""Leads of one page: a list of all projects of an agency has less."""
_LONGEST: Final = 300  # characters before and after `.php` that can belong to an address
_ENDS: Final = bytes.maketrans(b"\t\n\r\"'<>()=,;`{}|", b" " * 16)  # what stands around an address
_AFTER: Final = re.compile(rb"(?:\?[^\s\"'<>`{}|]*)?")
_SERIAL: Final = re.compile(rb"-([0-9]{3,4})(?![0-9-])")
"""The end of a code. It begins with a letter that is rare, so that a page is searched in a tenth of a millisecond."""
_AGENCY: Final = re.compile(r"[0-9]{4}0000")
_LEADING: Final = re.compile(rb"<(?:i?frame|form|option|meta(?=[^<>]*refresh))", re.IGNORECASE)
_REFRESH: Final = re.compile(r"""url\s*=\s*['"]?([^\s"']+)""", re.IGNORECASE)
_DIGITS: Final = frozenset(b"0123456789")
_VALUED_INPUTS: Final = ("", "hidden", "text", "number")


def leads_in(source: bytes) -> list[str]:
    """The addresses and codes in a page's source, each once, in no order; relative addresses are as written.

    source: in UTF-8; none are looked for where it has no markup
    A bare code is a project's, an indicator's, or an agency's that stands in an `<option>`.
    """
    found: dict[str, None] = {}
    if b"<" not in source:
        return []
    for raw in _addresses(source):
        found[unescape(raw.decode("utf-8", "replace").replace("\\/", "/").replace("\\u0026", "&"))] = None
    if _LEADING.search(source):
        found.update(dict.fromkeys(_of_elements(source)))
    found.update((code.decode(), None) for code in _codes(source))
    return list(islice(found, _MOST))


def _of_elements(source: bytes) -> Iterator[str]:
    """The leads that only a tree shows: what stands in frames, or in place of the page; forms; agencies to choose from."""
    tree = LexborHTMLParser(limit_depth(source, source.lower()), scripting=True)
    for frame in tree.css("frame[src], iframe[src]"):
        yield frame.attributes.get("src") or ""
    for refresh in tree.css('meta[http-equiv="refresh" i]'):
        if found := _REFRESH.search(refresh.attributes.get("content") or ""):
            yield found[1]
    yield from _form_addresses(tree)
    values = (option.attributes.get("value") or "" for option in tree.css("option[value]"))
    yield from filter(_AGENCY.fullmatch, map(str.strip, values))


def _addresses(source: bytes) -> Iterator[bytes]:
    """What reads as the address of a PHP page, with its query where it has one."""
    place = source.find(b".php")
    while place >= 0:
        end = place + len(b".php")
        before = source[max(0, place - _LONGEST) : place]
        begin = place - len(before) + before.translate(_ENDS).rfind(b" ") + 1
        after = _AFTER.match(source, end, end + _LONGEST)
        if begin < place and after:
            yield source[begin : after.end()].rstrip(b"\\).,;")
        place = source.find(b".php", end)


def _codes(source: bytes) -> Iterator[bytes]:
    """The codes of projects and indicators that stand alone; `pid=…` is part of an address, which may lead elsewhere."""
    for serial in _SERIAL.finditer(source):
        place = start = serial.start()
        while start > 0 and place - start < 9 and source[start - 1] in _DIGITS:
            start -= 1
        length = place - start
        stands_alone = source[max(0, start - 1) : start] != b"-" and source[max(0, start - 3) : start] != b"id="
        if stands_alone and (length == 4 or (length == 8 and len(serial[1]) == 4)):
            yield source[start : serial.end()]


def _form_addresses(tree: LexborHTMLParser) -> Iterator[str]:
    """The addresses that forms with GET lead to, for every choice that they offer."""
    for form in tree.css("form"):
        if (form.attributes.get("method") or "get").strip().lower() != "get":
            continue
        choices: dict[str, list[str]] = {}
        for control in form.css("input[name], select[name]"):
            name, values = control.attributes.get("name") or "", _values(control)
            if name and values:
                choices[name] = values
        if any(len(values) > 1 for values in choices.values()) or form.css_first("select") is not None:
            action = (form.attributes.get("action") or "").partition("?")[0].strip()
            for chosen in islice(product(*choices.values()), _MOST):
                yield f"{action}?{urlencode(list(zip(choices, chosen, strict=True)))}"


def _values(control: LexborNode) -> list[str]:
    if control.tag == "input":
        kind = (control.attributes.get("type") or "").strip().lower()
        return [control.attributes.get("value") or ""] if kind in _VALUED_INPUTS else []
    options = control.css("option")
    return [value for one in options if (value := one.attributes.get("value", one.text(strip=True)))]
