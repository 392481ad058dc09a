"""A quick road for plain pages: the text a browser would show, without a tree.

Most pages are well formed: each element is closed where it was opened, tables hold rows and rows hold cells. Of such a
page the texts, their breaks and their cells can be read off the tags as they come, in less time than building a tree
takes. `plain_lines` does so only after it has proved that no repair rule of HTML has anything to do: every tag becomes
one letter of a *skeleton*, and the skeleton must cancel out to nothing. Every other page is the tree's, in
`parsers.page`. Both roads give the same lines and links: tests/test_plain.py.

Where parsers/_speedups.c is compiled, its two functions stand for `_weave_in_python` and `_nests_in_python`.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from html.entities import html5
from itertools import product
from typing import Final, NamedTuple, TypeVar

from parsers.thai import clean, mend_spelling

try:
    from parsers._speedups import nests as _nests_in_c
    from parsers._speedups import weave as _weave_in_c
except ImportError:  # they are not compiled
    _nests_in_c = _weave_in_c = None  # type: ignore[assignment]

BREAK: Final = "␤"  # printable on purpose: one isprintable() then tells whether a page holds invisible characters
EMPTY_CELL: Final = "␀"
"""A line that stands for a table cell (or a box of a grid) without text: cells must be counted."""

NO_VALUE_INPUTS: Final = frozenset("hidden button submit reset image checkbox radio file password range color".split())
"""Inputs that print nothing of the record; an input of a type that no browser knows is a line of text."""

# --- the skeleton: one letter a tag ---------------------------------------------------------------------------------

_BLOCKS: Final = (
    "p h li dt dd td th tr tbody thead tfoot table ul ol dl div center legend summary figcaption section article nav "
    "header footer main aside blockquote address figure details fieldset form body html"
).split()
_INLINE: Final = (
    "span b i u s em strong small big font label sub sup tt code abbr cite q var kbd samp mark time ins del dfn acronym"
).split()
_KINDS: Final = ("a", "button", *_INLINE, *_BLOCKS)
_TEXT, _SPACE, _NOTHING, _LINE_END, _RULE, _DOCTYPE, _HEAD, _HEAD_END, _NO_BREAK = (bytes([n]) for n in range(1, 10))
_OPEN: Final = {kind: bytes([16 + 2 * place]) for place, kind in enumerate(_KINDS)}
_CLOSE: Final = {kind: bytes([letter[0] + 1]) for kind, letter in _OPEN.items()}
_VOID: Final = frozenset((b"br", b"hr", b"img", b"wbr", b"meta", b"link", b"base", b"input"))
_RAW: Final = frozenset(  # what they hold is no markup, and is not shown
    (b"script", b"style", b"title", b"noscript", b"iframe", b"noframes", b"noembed")
)
_COMMENT: Final = b"!----"
"""The shortest comment, as a tag without its angles: all comments mean the same."""


def _letters() -> dict[bytes, bytes]:
    letters = dict.fromkeys(_VOID - {b"input"}, _NOTHING)
    letters |= {b"br": _LINE_END, b"hr": _RULE, b"head": _HEAD, b"/head": _HEAD_END}
    kinds = {name: name for name in _KINDS} | {f"h{n}": "h" for n in range(1, 7)}
    del kinds["h"]
    for name, kind in kinds.items():
        letters[name.encode()] = _OPEN[kind]
        letters[f"/{name}".encode()] = _CLOSE[kind]
    return letters


_LETTERS: Final = _letters()


def _one(opened: str, closed: str = "", *others: bytes) -> bytes:
    """A set of letters, for a regular expression: start tags, end tags, and others."""
    letters = [*(_OPEN[kind] for kind in opened.split()), *(_CLOSE[kind] for kind in closed.split()), *others]
    return b"[" + re.escape(b"".join(letters)) + b"]"


_GROUPS: Final = "tbody thead tfoot"
_FOLLOWS: Final = {  # what may come next in a table: a browser moves all else out of it
    _one("table"): _one(f"tr {_GROUPS}", "table"),
    _one(_GROUPS): _one("tr", _GROUPS),
    _one("tr"): _one("td th", "tr"),
    _one("", "td th"): _one("td th", "tr"),
    _one("", "tr"): _one("tr", f"{_GROUPS} table"),
    _one("", _GROUPS): _one(_GROUPS, "table"),
}
_PRECEDES: Final = {  # what must stand before: else a browser drops the tag, or ends an element for it
    _one("td th"): _one("tr", "td th"),
    _one("tr"): _one(f"table {_GROUPS}", "tr"),
    _one(_GROUPS): _one("table", _GROUPS),
    _one("li"): _one("ul ol", "li"),
    _one("dt dd"): _one("dl", "dt dd"),
}
_MISPLACED_AFTER: Final = re.compile(
    _one(f"table tr {_GROUPS}", f"td th tr {_GROUPS}")
    + b"(?:%b)" % b"|".join(b"(?<=%b)(?!%b)" % rule for rule in _FOLLOWS.items())
)
_MISPLACED: Final = re.compile(
    _one(f"td th tr {_GROUPS} li dt dd")
    + b"(?:%b)" % b"|".join(b"(?<=%b)(?<!%b%b)" % (tag, before, tag) for tag, before in _PRECEDES.items())
)
_ALL: Final = frozenset(range(256))
_FRAME: Final = [_DOCTYPE, _OPEN["html"], _HEAD, _HEAD_END, _OPEN["body"], _CLOSE["body"], _CLOSE["html"]]
_NO_FRAME: Final = bytes(_ALL - set(b"".join(_FRAME)))


def _frames() -> dict[bytes, tuple[bytes, bytes]]:
    """The ways in which a document frames its page: all letters of the frame → those before the page, those behind."""
    frames = {b"": (b"", b"")}
    for doctype, html_, head in product((b"", _DOCTYPE), (False, True), (b"", _HEAD + _HEAD_END)):
        before = doctype + _OPEN["html"] * html_ + head + _OPEN["body"]
        behind = _CLOSE["body"] + _CLOSE["html"] * html_
        frames[before + behind] = before, behind
    return frames


_FRAMES: Final = _frames()
# how a browser lets elements stand in others
_PHRASES: Final = ("a", "button", *_INLINE)
_OF_PHRASES: Final = ("p", "h")  # whatever else stands in them ends them early
_NOT_IN_THEMSELVES: Final = ("a", "button", "form")  # the outer one is ended, or the inner one dropped
_UNPAIRED: Final = _RULE + _DOCTYPE + _HEAD + _HEAD_END
_ITSELF: Final = [
    (_OPEN[kind] * 2, bytes(_ALL - {_OPEN[kind][0], _CLOSE[kind][0]})) for kind in _NOT_IN_THEMSELVES
]  # twice open, and all other letters
_PAIRS: Final = {kind: _OPEN[kind] + _CLOSE[kind] for kind in _KINDS}
_COMMON_PAIRS: Final = [_PAIRS[kind] for kind in ("td", "th", "tr", "li", "div")]
_PHRASE_LETTERS: Final = b"".join(letters[kind] for kind in _PHRASES for letters in (_OPEN, _CLOSE))
_ROUNDS: Final = 12


_PHRASE, _HOLDS_PHRASES, _NOT_IN_ITSELF, _ALONE = 1, 2, 4, 8


def _traits() -> bytes:
    """The same as traits of each letter; end tags have none."""
    traits = dict.fromkeys(range(256), 0)
    for trait, kinds in ((_PHRASE, _PHRASES), (_HOLDS_PHRASES, _OF_PHRASES), (_NOT_IN_ITSELF, _NOT_IN_THEMSELVES)):
        for kind in kinds:
            traits[_OPEN[kind][0]] |= trait
    for letter in _UNPAIRED:
        traits[letter] |= _ALONE
    return bytes(traits.values())


_TRAITS: Final = _traits()

# --- what the letters print -----------------------------------------------------------------------------------------

_BREAKS, _CELL_START, _CELL_END, _EMPTY = (bytes([code]) for code in range(2, 6))
_ENCODED_BREAK: Final = BREAK.encode()
_ENCODED_EMPTY: Final = EMPTY_CELL.encode()


_CELLS: Final = (_OPEN["td"], _OPEN["th"])
_INLINE_LETTERS: Final = _NOTHING + _PHRASE_LETTERS


def _printed(code: int) -> int:
    letter = bytes([code])
    if letter in (_SPACE, _NO_BREAK):
        return 0x20
    if letter in _CELLS:
        return _CELL_START[0]
    if letter in (_CLOSE["td"], _CLOSE["th"]):
        return _CELL_END[0]
    return _BREAKS[0]


_PRINTED: Final = bytes(map(_printed, range(256)))
_WRAPPED: Final = re.compile(rb"\n *")
_BREAK_RUN: Final = re.compile(rb"[\x02-\x04]+")
_EMPTY_CELL: Final = re.compile(_CELL_START + _BREAKS + b"*" + _CELL_END)
_REFERENCE: Final = re.compile(rb"&[#a-zA-Z0-9]*;?")
_NO_BREAK_BLANKS: Final = re.compile(rb"(?:[ \t-\r]|&nbsp;|\xc2\xa0)*")
_BLANKS: Final = b" \t\n\v\f\r&\xc2"  # what a text without words begins with

# --- single tags ----------------------------------------------------------------------------------------------------

_BLANK = rb"[ \t\n\r\f]"
_NAME = rb"[a-zA-Z_:][-a-zA-Z0-9_:.]*"
_VALUE = rb"""(?:"[^"]*"|'[^']*'|[^ \t\n\r\f"'=<>`][^ \t\n\r\f"'<>`]*)"""
_TAG_NAME: Final = re.compile(rb"/?[a-zA-Z][a-zA-Z0-9]*")
_ATTRIBUTE: Final = re.compile(rb"%b++(%b)(?:%b*+=%b*+(%b))?" % (_BLANK, _NAME, _BLANK, _BLANK, _VALUE))
_TAG_END: Final = re.compile(rb"%b*+(/?)" % _BLANK)
_STYLES_APART: Final = re.compile(rb"display|visibility|white-space|&", re.IGNORECASE)
_FLOATS: Final = re.compile(rb"float|position", re.IGNORECASE)  # makes a box of an inline element
_OPEN_NAMES: Final = "|".join(name for name in html5 if not name.endswith(";"))  # of references that need no `;`
_ODD_IN_LINK: Final = re.compile(rb"&(?!amp;|(?!(?:%b)_)[a-zA-Z0-9_]+=)|\r" % _OPEN_NAMES.encode())
_MOST: Final = 10_000  # tags remembered, and runs of letters; a portal's pages share some hundreds
_LONGEST: Final = 500  # bytes of one
_LONGEST_REFERENCE: Final = 40


class _Tag(NamedTuple):
    """What a tag means: its letter, a link's target, the name (as written) of what holds no markup."""

    letter: bytes
    target: str | None = None
    raw: bytes = b""


class _Run(NamedTuple):
    """What the letters between two texts print, and those of them that open and close elements."""

    printed: bytes
    structure: bytes


_Made = TypeVar("_Made")
_Woven = tuple[bytes, list[bytes], list[str]]


class _NotPlainError(Exception):
    """The page needs a repair rule of HTML, or holds something that this road does not know."""


class _Memory(dict[bytes, _Made]):
    """What was made of tags, or of the letters between two texts: most of them come again on every page."""

    def __init__(self, make: Callable[[bytes], _Made]) -> None:
        self._make = make

    def __missing__(self, key: bytes) -> _Made:
        made = self._make(key)
        _keep(self, key, made)
        return made


def _keep(memory: dict[bytes, _Made], key: bytes, made: _Made) -> None:
    if len(memory) >= _MOST:
        memory.clear()
    if len(key) <= _LONGEST:
        memory[key] = made


def plain_lines(source: bytes) -> tuple[list[str], list[str]] | None:
    """The printed lines of a page in UTF-8 and its links' targets; None where only a tree can tell."""
    if b"\0" in source or (b"\xef" in source and b"\xef\xbf\xbd" in source):  # to look for one byte is far quicker
        return None
    try:
        woven, structures, links = _weave(source)
        return (_print(source, woven, structures), links) if _is_sound(structures) else None
    except (_NotPlainError, UnicodeDecodeError):
        return None


def lines_of(printed: str, *, blanks_are_single: bool = False) -> list[str]:
    """The lines of a text in right spelling that has `BREAK` between them, cleaned."""
    lines = [line for line in map(str.strip, printed.split(BREAK)) if line]
    if not printed.isprintable():
        lines = [line if line.isprintable() and "  " not in line else _clean_line(line) for line in lines]
        return [line for line in lines if line]
    if blanks_are_single or "  " not in printed:
        return lines
    return [" ".join(line.split()) if "  " in line else line for line in lines]


def _clean_line(line: str) -> str:
    line = " ".join(line.split())
    return line if line.isprintable() else clean(line)


def _weave(source: bytes) -> _Woven:
    """The texts of a page with what the tags print between them, the structures between the texts, and the links."""
    if _weave_in_c is None:
        return _weave_in_python(source)
    woven = _weave_in_c(source, _tags, _references, _runs, _INLINE_LETTERS)
    if woven is None:
        raise _NotPlainError
    return woven


def _weave_in_python(source: bytes) -> _Woven:
    skeleton, texts, links = _take_apart(source)
    if any(_ENCODED_BREAK in text for text in texts if b"\xe2" in text):
        raise _NotPlainError
    printed, structures = zip(*map(_runs.__getitem__, skeleton.split(_TEXT)), strict=True)
    return _interlace(printed, texts), list(structures), links


def _interlace(printed: Sequence[bytes], texts: list[bytes]) -> bytes:
    """The texts with what is printed around them; some blanks may be double."""
    adjoining = [place for place, between in enumerate(printed) if not between]
    if not all(_may_adjoin(texts[place - 1], texts[place]) for place in adjoining if 0 < place < len(texts)):
        raise _NotPlainError
    pieces = [b""] * (2 * len(texts) + 1)
    pieces[::2] = printed
    pieces[1::2] = texts
    return _dereferenced(_WRAPPED.sub(b" ", b"".join(pieces)))


def _may_adjoin(text: bytes, following: bytes) -> bool:
    """Whether two texts stay what they are without the tags between them: not halves of a letter or of a reference."""
    if following[0] & 0xC0 == 0x80:
        return False
    last = _REFERENCE.fullmatch(text, text.rindex(b"&")) if b"&" in text else None
    return last is None or last[0].endswith(b";")


def _take_apart(source: bytes) -> tuple[bytes, list[bytes], list[str]]:
    """The skeleton of a page, the texts that stand where it has `_TEXT`, and the links."""
    pieces = iter(source.split(b"<"))
    letters: list[bytes] = []
    texts: list[bytes] = []
    links: list[str] = []
    first = next(pieces)
    if first and not first.isspace():
        letters.append(_TEXT)
        texts.append(first)
    blank = _blank_pieces.get
    add_letter, add_text = letters.append, texts.append
    for piece in pieces:
        letter = blank(piece)
        if letter is None:
            if piece.startswith(b"!--"):
                tag, text = _COMMENT, _skip_comment(piece, pieces)
            else:
                tag, end, text = piece.partition(b">")
                if not end:
                    raise _NotPlainError
            letter, target, raw = _tags[tag]
            if target is not None:
                links.append(target)
            elif raw:
                text = _skip_raw(pieces, raw.lower())
            if text and not (text[0] in _BLANKS and _NO_BREAK_BLANKS.fullmatch(text)):
                add_text(text)
                letter += _TEXT
            else:
                if text and not text.isspace():
                    letter += _NO_BREAK
                elif text and letter in _INLINE_LETTERS:
                    letter += _SPACE
                if target is None and not raw and tag != _COMMENT:
                    _keep(_blank_pieces, piece, letter)
        add_letter(letter)
    return b"".join(letters), texts, links


def _skip_comment(piece: bytes, pieces: Iterator[bytes]) -> bytes:
    """Go on behind a comment that begins in `piece`; returns the text there."""
    held = [piece[3:]]
    while b"-->" not in held[-1]:
        following = next(pieces, None)
        if following is None:
            raise _NotPlainError
        held.append(following)
    held[-1], _, text = held[-1].partition(b"-->")
    if held[0].startswith((b">", b"->")) or any(b"--!>" in part for part in held):  # ends there
        raise _NotPlainError
    return text


def _skip_raw(pieces: Iterator[bytes], name: bytes) -> bytes:
    """Go on behind the end tag of an element that holds no markup; returns the text there."""
    has_comment = False
    for piece in pieces:
        if piece[:1] == b"/" and piece[1 : len(name) + 1].lower() == name:
            if piece[len(name) + 1 : len(name) + 2] == b">":
                return piece[len(name) + 2 :]
            break
        if has_comment and piece[:6].lower() == b"script":  # a script in a comment in a script hides its end
            break
        has_comment = has_comment or piece.startswith(b"!--")
    raise _NotPlainError


def _read_tag(tag: bytes) -> _Tag:
    """Read a tag, given without its angles. Raises _NotPlainError."""
    if tag == _COMMENT:
        return _Tag(_NOTHING)
    if tag[:8].lower() == b"!doctype":
        return _Tag(_DOCTYPE)
    found = _TAG_NAME.match(tag)
    if not found:
        raise _NotPlainError
    name, place = found[0].lower(), found.end()
    attributes: dict[bytes, bytes] = {}
    while attribute := _ATTRIBUTE.match(tag, place):
        place = attribute.end()
        value = attribute[2] or b""
        attributes.setdefault(attribute[1].lower(), value.strip(value[:1]) if value[:1] in (b"'", b'"') else value)
    end = _TAG_END.fullmatch(tag, place)
    if not end:
        raise _NotPlainError
    closes = end[1]
    if name in _RAW and not closes:
        return _Tag(_NOTHING, raw=found[0])
    has_value = (
        attributes.get(b"value") and attributes.get(b"type", b"").decode().strip().lower() not in NO_VALUE_INPUTS
    )
    shows_nothing = name == b"input" and not has_value
    letter = _NOTHING if shows_nothing else _LETTERS.get(name)
    if (
        letter is None
        or b"hidden" in attributes
        or _STYLES_APART.search(attributes.get(b"style", b""))
        or (letter in _PHRASE_LETTERS and _FLOATS.search(attributes.get(b"style", b"")))
        or (name[:1] == b"/" and attributes)
        or (closes and name not in _VOID)
    ):
        raise _NotPlainError
    target = attributes.get(b"href") if name == b"a" else None
    if not target:
        return _Tag(letter)
    if _ODD_IN_LINK.search(target):
        raise _NotPlainError
    return _Tag(letter, target.replace(b"&amp;", b"&").decode().strip())


def _read_run(run: bytes) -> _Run:
    return _Run(_printed_run(run), _structure(run))


def _structure(run: bytes) -> bytes:
    """Of the letters between two texts those that open and close elements. Raises _NotPlainError where one is misplaced."""
    letters = run.translate(None, _SPACE + _NOTHING).replace(_NO_BREAK, _TEXT)
    between_texts = _TEXT + letters + _TEXT
    in_frame = _NO_BREAK in run and any(letter in run for letter in _FRAME)  # a browser opens a page's body at any text
    if in_frame or _MISPLACED.search(between_texts) or _MISPLACED_AFTER.search(between_texts):
        raise _NotPlainError
    return letters.translate(None, _LINE_END + _TEXT)


def _is_sound(structures: list[bytes]) -> bool:
    """Whether a browser would build just the tree that the tags say. structures: see `_structure`"""
    skeleton = b"".join(structures)
    frame = _FRAMES.get(skeleton.translate(None, _NO_FRAME))
    if frame is None or not (structures[0].startswith(frame[0]) and structures[-1].endswith(frame[1])):
        return False
    return (_nests_in_python if _nests_in_c is None else _nests_in_c)(skeleton, _TRAITS)


def _nests_in_python(letters: bytes, traits: bytes) -> bool:
    """Whether each element ends, after all that stands in it, and holds only what it may. traits: see `_traits`"""
    if any(twice in letters.translate(None, others) for twice, others in _ITSELF):
        return False
    # most of it goes by pairs, and quicker than letter by letter: first what may stand anywhere
    letters = _without_pairs(letters, [_PAIRS[kind] for kind in _PHRASES if _OPEN[kind] in letters])
    if not any(letter in _PHRASE_LETTERS for letter in set(letters)):
        if any(_OPEN[kind] in letters.replace(_PAIRS[kind], b"") for kind in _OF_PHRASES):
            return False
        letters = _without_pairs(letters, [_PAIRS[kind] for kind in _OF_PHRASES])
        letters = _without_pairs(letters.translate(None, _UNPAIRED), _COMMON_PAIRS)
    waiting: list[int] = []  # for their end tags
    holding_phrases = 0
    for letter in letters:
        trait = traits[letter]
        if holding_phrases and not (trait & _PHRASE or letter & 1):
            return False
        if trait & _ALONE:
            if holding_phrases:
                return False
        elif letter & 1:  # an end tag's is odd, and the next after its start tag's
            if not waiting or waiting.pop() != letter - 1:
                return False
            holding_phrases -= bool(traits[letter - 1] & _HOLDS_PHRASES)
        else:
            waiting.append(letter)
            holding_phrases += bool(trait & _HOLDS_PHRASES)
    return not waiting


def _without_pairs(letters: bytes, pairs: list[bytes]) -> bytes:
    """The letters without elements that hold nothing, and so on, as deep as most pages go."""
    for _ in range(_ROUNDS):
        before = len(letters)
        for pair in pairs:
            letters = letters.replace(pair, b"")
        if len(letters) == before:
            break
    return letters


def _print(source: bytes, woven: bytes, structures: list[bytes]) -> list[str]:
    """The printed lines of a page."""
    text = mend_spelling(woven.decode())
    lines = lines_of(text, blanks_are_single=_weave_in_c is not None)
    shows_all = text.count(BREAK) - text.startswith(BREAK) - text.endswith(BREAK) < len(lines)
    if shows_all or not any(cell in structure for structure in structures for cell in _CELLS):
        return lines
    # a cell that holds only invisible characters, or blanks of other kinds, is an empty one
    skeleton, texts, _ = _take_apart(source)
    runs, texts = _without_blank_texts(skeleton.split(_TEXT), texts)
    return lines_of(mend_spelling(_interlace([_runs[run].printed for run in runs], texts).decode()))


def _printed_run(run: bytes) -> bytes:
    """What the letters between two texts print."""
    printed = run.translate(_PRINTED, _INLINE_LETTERS)
    breaks = printed.replace(b" ", b"")
    if not breaks:
        return printed[:1]
    breaks = _EMPTY_CELL.sub(_EMPTY, breaks).replace(_EMPTY, _BREAKS + _EMPTY + _BREAKS)
    return _BREAK_RUN.sub(_ENCODED_BREAK, breaks).replace(_EMPTY, _ENCODED_EMPTY)


def _dereferenced(text: bytes) -> bytes:
    return _REFERENCE.sub(lambda found: _references[found[0]], text) if b"&" in text else text


def _referenced(reference: bytes) -> bytes:
    """What a reference such as `&amp;` or `&#8211;` stands for. Raises _NotPlainError for what is rather a tree's."""
    if len(reference) > _LONGEST_REFERENCE:  # it may be a number of thousands of digits
        raise _NotPlainError
    character = html.unescape(reference.decode())
    is_sign = reference.endswith(b";") and len(character) == 1 and character.isprintable() and not character.isalnum()
    if character in ("\n", "\t", " ", BREAK, EMPTY_CELL) or (b"#" in reference and not is_sign):
        raise _NotPlainError
    return character.encode()


def _without_blank_texts(runs: list[bytes], texts: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Letters and texts without the texts that show nothing."""
    kept: list[bytes] = []
    letters = list(runs)
    for place, text in enumerate(texts):
        shown = _dereferenced(text).decode()
        if (shown.strip() and shown.isprintable()) or clean(shown):
            kept.append(text)
            letters[place] += _TEXT
        elif any(map(str.isspace, shown)):
            letters[place] += _SPACE
    return b"".join(letters).split(_TEXT), kept


_tags: Final = _Memory(_read_tag)
_blank_pieces: Final[dict[bytes, bytes]] = {}  # a tag and the blank behind it → letters
_references: Final = _Memory(_referenced)
_runs: Final = _Memory(_read_run)
