"""The quick road and the tree give the same lines and links, for every page that the quick road takes."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.laws import KINDS, injured_pages, law, markups, printings

from parsers import parse_page, plain
from parsers.page import _read_tree, read_page
from parsers.plain import plain_lines

FIXTURES = Path(__file__).parents[2] / "fixtures_html"
PAGES = sorted(FIXTURES.rglob("*.html"))


COMPILED = plain._weave_in_c is not None
needs_c = pytest.mark.skipif(not COMPILED, reason="parsers/_speedups.c is not compiled")


def in_python(body: bytes) -> tuple[list[str], list[str]] | None:
    """What is read where parsers/_speedups.c is not compiled."""
    compiled = plain._weave_in_c, plain._nests_in_c
    plain._weave_in_c = plain._nests_in_c = None
    try:
        return plain_lines(body)
    finally:
        plain._weave_in_c, plain._nests_in_c = compiled


def is_plain(body: bytes) -> bool:
    """Whether the quick road takes a page; where it does, both roads must agree."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    quick = plain_lines(body)
    assert in_python(body) == quick
    if quick is None:
        return False
    tree = _read_tree(body, "utf-8", False)
    assert quick == (tree.lines, tree.links)
    assert tree.undecodable == 0
    return True


def test_the_module_in_c_is_compiled_where_it_must_be() -> None:
    assert COMPILED or not os.environ.get("REQUIRE_SPEEDUPS")


def test_most_saved_pages_are_plain() -> None:
    taken = [page.name for page in PAGES if is_plain(page.read_bytes())]
    assert "24000000-2964.html" in taken
    assert len(taken) > len(PAGES) / 2


PLAIN = [
    "",
    "ก",
    "<p>ก</p>ข",
    "<div>ก<span>ข</span> ค<br>ง</div>",
    "a<!-- x -->b<!---->c<img src=x>d",
    "<p>น้\u0e4d<b>า</b></p><p>&amp;lt; &nbsp;x &copy &&& &#39;</p>",
    "<table><tr><td></td><td> <b></b>\n</td><td>&nbsp;</td><td>\u3000</td><td>x</td></tr></table>",
    "<table><tbody><tr><th><br></th><td><table><tr><td></td></tr></table></td></tr></tbody></table>",
    "<ul><li>ก</li> <li><ul><li>ข</li></ul></li></ul><dl><dt>ก</dt><dd>ข</dd></dl>",
    "<b>ก</b>&nbsp;<b>ข</b>ค&nbsp;<p>&nbsp;</p>\u00a0<i>ง</i><i> \u00a0</i>จ<ul><li>&nbsp; \u00a0\n</li></ul>",
    "<table><tr><td>&nbsp;</td><td>\n&nbsp;<br></td><td>\u00a0</td><td><b>&nbsp;</b></td><td>ก&nbsp;</td></tr></table>",
    "a<!--[if lt IE 9]><script src=x></script><p>y</p><![endif]-->b<!-- > -- <b> -->c<!----->d<!-- <!-- -->e",
    "<script><!--\nif (a<b) document.write('<p>')\n//--></SCRIPT>x<style><!-- p > b {} --></style>y<IFRAME src=x><p></iframe>",
    "<form><input name=q><input type=text value=''><input type=checkbox value=1></form>x",
    "a&#8211;b&#x201C;c&#150;d&#39;&mdash;",
    "<script>if (a < b) document.write('<p>x</p>')</script><noscript><p>x</p></noscript>y",
    "<!DOCTYPE html>\n<html><head><title>x</title><style>p > b {}</style></head>\n<body class='a'>ก</body></html>\n",
    '<A HREF="mykpi.php?pid=1&amp;y=2&z=3" title=y>ก</A>',
    "<A HREF=mykpi.php?pid=2200-1002&x=y/>ก</A><a href=a=b>ข</a><p title=a= class=b>ค</p>",
    "<a href=' x '>ก</a><a name=top></a><a href=''>ข</a><input type=hidden value=x>",
    "<p>a > b</p>\x08<p>\x1c</p><p>\u200b</p>␀<p>x</p>",
    "<table><tr><td>\u200b</td><td><b>&nbsp;</b> \ufeff</td><td>ก\u200b</td></tr></table><p>เป้าหมาย：１<b>\u200b</b>๐</p>",
]
REPAIRED = {
    "an element left open": "<div>ก",
    "an end tag of nothing": "ก</div>ข",
    "wrong order": "<div><section>ก</div>ข</section>ค",
    "a no-break blank in a table's row": "<table><tr>&nbsp;<td>ก</td></tr></table>",
    "a no-break blank before the page": "&nbsp;<html><body>ก</body></html>",
    "a comment that ends at once": "a<!-->b--><b>c</b>",
    "a comment that ends at once, too": "a<!--->b--><b>c</b>",
    "a comment that ends otherwise": "a<!-- x --!>b<!-- -->c",
    "a comment without an end": "a<!-- <b>x</b>",
    "a script in a comment in a script": "<script><!-- <script></script> --></script>a",
    "a reference without an end in an address": "<a href='x?a=1&amp_b=2&copy_c=3'>ก</a>",
    "the sign between lines": "<p>␤x</p>",
    "the sign between lines, alone in a cell": "<table><tr><td>␤</td><td>\u200b␤</td><td>x</td></tr></table>",
    "an end tag of another name": "<b><a href=1><div><i>x</b></div></a></i>",
    "an end tag of another name, in a form": "<form><b>a</i></form>b",
    "a number of thousands of digits": f"<p>&#{'9' * 5_000};</p>",
    "a letter behind thousands of zeros": f"<p>&#{'0' * 5_000}65;</p>",
    "a box in a paragraph": "<p>ก<div>ข</div>ค</p>ง",
    "a rule in a paragraph": "<p>ก<hr>ข</p>ค",
    "a heading in a heading": "<h2>ก<h3>ข</h3>ค</h2>ง",
    "a link in a link": "<a href=1>ก<a href=2>ข</a>ค</a>",
    "a link around a box in a paragraph": "<p><a href=1>ก<div>ข</div></a></p>",
    "text in a row": "<table><tr>ก<td>ข</td></tr></table>",
    "text between rows": "<table><tr><td>ข</td></tr>ก</table>",
    "a form in a table": "<table><form><tr><td>ข</td></tr></form></table>",
    "a cell in no row": "<div>ก<td>ข</td>ค</div>",
    "an item in an item": "<li>ก<div><li>ข</li></div></li>ค",
    "a form in a form": "<form>ก<form>ข</form>ค</form>ง",
    "text after the body": "<html><body>ก</body>ข</html>",
    "text in the head": "<html><head>ก</head><body>ข</body></html>",
    "a quoted angle": """<p title="a > b">ก</p>""",
    "a quoted tag": """<p title="> <b c">ก</p>""",
    "a tag without its end": "<p>ก</p<p>ข</p>",
    "a letter in two halves": b"<p>\xe0\xb8<b>\x81</b></p>",
    "a reference in two halves": "<p>&am<b>p;</b></p>",
    "a character by its number": "<p>&#1;&#xFDD0;</p>",
    "not shown": "<div hidden>ก</div>ข",
    "not shown by its style": "<div style='display:&#110;one'>ก</div>ข",
    "a comment that hides the end of a script": "<script><!-- <script> </script> --></script>ก",
    "a comment of two signs": "<!--> ก -->ข",
    "preformatted": "<pre>ก\nข</pre>",
    "a list to choose from": "<select><option>ก</select>ข",
    "an unknown element": "<o:p>ก</o:p>",
    "no bytes of a text": b"<p>\x00\xff</p>",
}


@pytest.mark.parametrize("page", PLAIN)
def test_a_plain_page_takes_the_quick_road(page: str) -> None:
    assert is_plain(page.encode())


def test_a_cell_that_shows_nothing_is_an_empty_one() -> None:
    cells = "<table><tr><td>\u200b</td><td> &nbsp;\ufeff</td><td>ก</td></tr></table>".encode()
    assert plain_lines(cells) == (["␀", "␀", "ก"], [])
    assert read_page(b"<div>" + cells).lines == ["␀", "␀", "ก"]


@pytest.mark.parametrize("case", REPAIRED)
def test_a_page_that_a_browser_repairs_is_the_trees(case: str) -> None:
    page = REPAIRED[case]
    assert plain_lines(page if isinstance(page, bytes) else page.encode()) is None


@pytest.mark.parametrize("kind", KINDS)
@law(30)
@given(st.data())
def test_both_roads_agree_in_any_markup(kind: str, data: st.DataObject) -> None:
    records, printer = KINDS[kind]
    is_plain(data.draw(markups()).write(printer(data.draw(records), data.draw(printings))))


@law(150)
@given(injured_pages())
def test_both_roads_agree_on_injured_pages(body: bytes) -> None:
    is_plain(body)


# Pages of arbitrary nesting: what stands in what decides whether a browser repairs.
WORDS = (
    *("ก", "a b", " ", "\n  ", "&nbsp;", "&", "&am", "p;", "\u00a0", "\u200b", "␀", "␤", "x &lt; y", "&notit;", "\x1c"),
    *("<br>", "<hr>", "<wbr>", "<img src=x>", "<!-- c -->", "<!-->", "<meta charset=utf-8>", "<title>x</title>", "<p>"),
    *("<script>a<b</script>", "<input type=hidden>", "<input value=ข>", "<select><option>1</select>", "</div>", "</p>"),
)
BOXES = (
    *("p h2 li dt dd td tr tbody table ul dl div summary section form span b a button".split()),
    *("a href=x", "a href='y?a=1&amp;b'", "div hidden", "td colspan=2"),
)
nested = st.recursive(
    st.sampled_from(WORDS),
    lambda inner: st.builds(
        lambda box, parts, end: f"<{box}>{''.join(parts)}</{end or box.split(' ')[0]}>",
        st.sampled_from(BOXES),
        st.lists(inner, max_size=3),
        st.sampled_from((*[None] * 9, "b", "i", "span")),
    ),
    max_leaves=8,
)
frames = st.sampled_from(
    (
        "{}",
        "<html><body>{}</body></html>",
        "<html><head>{}</head><body></body></html>",
        "<body></body>{}",
        "<table><tr>{}</tr></table>",
    )
)


@law(600)
@given(frames, st.lists(nested, max_size=3))
def test_both_roads_agree_whatever_stands_in_what(frame: str, parts: list[str]) -> None:
    is_plain(frame.replace("{}", "".join(parts)).encode())


@st.composite
def elements(draw: st.DrawFn) -> bytes:
    """The letters of elements in each other, mostly in order."""
    letters, waiting = bytearray(), bytearray()
    for _ in range(draw(st.integers(0, 20))):
        if waiting and draw(st.booleans()):
            letters.append(waiting.pop() + 1)
        elif draw(st.integers(0, 9)):
            kind = draw(st.sampled_from(("b", "i", "a", "button", "p", "h", "form", "div", "td")))
            letters += plain._OPEN[kind]
            waiting += plain._OPEN[kind]
        else:
            letters += draw(st.sampled_from((plain._RULE, plain._DOCTYPE, plain._HEAD, plain._CLOSE["div"])))
    return bytes(letters + bytearray(letter + 1 for letter in reversed(waiting)))


@needs_c
@law(300)
@given(elements())
def test_elements_nest_alike_in_c(letters: bytes) -> None:
    assert plain._nests_in_c(letters, plain._TRAITS) == plain._nests_in_python(letters, plain._TRAITS)


@needs_c
def test_more_tags_than_have_a_place_in_c() -> None:
    body = "".join(f"<p class=c{number}>{number}</p>" for number in range(9_000)).encode()
    assert is_plain(body + body)


@needs_c
@pytest.mark.parametrize(
    ("given_", "error"),
    [
        ({"tags": {b"b": (b"\x10", None)}}, TypeError),
        ({"tags": {b"b": (b"", None, b"")}}, TypeError),
        ({"tags": {b"b": ["\x10", None, b""]}}, TypeError),
        ({"tags": {}}, KeyError),
        ({"references": {b"&amp;": "&"}}, TypeError),
        ({"references": {}}, KeyError),
        ({"runs": {b"\x10": b""}}, TypeError),
        ({"runs": {b"\x10": (b"", None)}}, TypeError),
        ({"runs": {}}, KeyError),
    ],
)
def test_what_is_looked_up_in_c_must_have_its_shape(given_: dict[str, Any], error: type[Exception]) -> None:
    good = {
        "tags": {b"b": (b"\x10", None, b"")},
        "references": {b"&amp;": b"&"},
        "runs": {b"": (b"", b""), b"\x10": (b"", b"")},
    }
    source = b"<b>&amp;"
    assert plain._weave_in_c(source, *good.values(), b"") == (b"&", [b"", b""], [])
    with pytest.raises(error):
        plain._weave_in_c(source, *{**good, **given_}.values(), b"")


def test_what_was_read_before_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [page.read_bytes() for page in PAGES]
    with_memory = [read_page(page) for page in pages]
    monkeypatch.setattr(plain, "_MOST", 0)  # nothing stays remembered
    assert [read_page(page) for page in pages] == with_memory


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "_MOST", 50)
    memories = (plain._tags, plain._blank_pieces, plain._references, plain._runs)
    for memory in memories:
        memory.clear()
    for number in range(300):
        link = f"<a href='p{number}'>ก</a><p class=c{number}> </p><p title='{'x' * 400}{number}'>ข &x{number};</p>"
        assert is_plain((link + "<br>" * number).encode())
    for memory in memories:
        assert 0 < len(memory) <= 50
        assert all(len(tag) <= plain._LONGEST for tag in memory)


@pytest.mark.parametrize(
    "page",
    [
        b"<b" + b" " * 300_000 + b">x</b>",
        b"<b a" + b" " * 300_000 + b"!>x</b>",
        b"<b a=" + b" " * 300_000 + b">x</b>",
        b"<div>" * 60_000 + b"x" + b"</div>" * 60_000,
        b"<b>" * 60_000 + b"x" + b"</b>" * 60_000,
        b"<p>" + "\u0e4d\u0e33\u0e33\u0e48".encode() * 25_000 + b"</p>",
        b"<p>" + "\u0e4d\u0e48\u0e33".encode() * 30_000 + b"</p>",
        b"<p>" + "\u0e4d\u0e48".encode() * 30_000 + "\u0e32</p>".encode(),
        b"<!--" * 80_000,
        b"<script>" + b"<!--<script" * 30_000,
        b"&a" * 150_000,
        b"a\n \n" * 60_000,
    ],
)
def test_odd_pages_cost_no_more_than_their_length(page: bytes) -> None:
    for read in (plain_lines, in_python, lambda body: parse_page(body).verdict):
        start = time.process_time()
        read(page)
        assert time.process_time() - start < 1  # a third of a megabyte; the machine may be busy


def test_deep_and_wide_pages_cost_no_more_than_their_length() -> None:
    deep = b"<div>" * 4_000 + b"x" + b"</div>" * 4_000
    wide = "<p>ก <b>ข</b></p>\n".encode() * 20_000
    assert plain_lines(deep) == (["x"], [])
    found = plain_lines(wide)
    assert found is not None
    assert found[0] == ["ก ข"] * 20_000
