"""What a reader sees: the lines of a page as a browser breaks them, checked once against one."""

import time

import pytest
from support.sample_pages import HARDSHIPS, PROJECT, REPORT, page_of

from parsers import parse_page
from parsers.page import read_page

SEEN = {
    # what styles hide
    '<div style="display:block;display:none">a</div>b': ["b"],
    '<div style="display:none ! important;display:block">a</div>b': ["b"],
    '<div style="/*display:none*/">a</div>b': ["a", "b"],
    '<div style="d&#105;splay:none">a</div>b': ["b"],
    '<div style="-x-display:none">a</div>b': ["a", "b"],
    '<div hidden style="display:none">a<p hidden style="display:none">b</p></div>c': ["c"],
    # a body that is hidden at first is shown by a script
    '<body style="display:none"><p>a': ["a"],
    "<body hidden><p>a": ["a"],
    # what floats, or stands in a row of boxes, stands apart
    'a<span style="float:left">b</span><span style="FLOAT: right">c</span>d': ["a", "b", "c", "d"],
    '<a style="position:absolute" href=x>a</a>b<i style="position:relative">c</i>': ["a", "bc"],
    'a<img style="float:left" src=x>b<div style="float:left">c</div>': ["ab", "c"],
    '<div style="display:flex">a <b>b</b>c<i>d<u>e</u></i><img src=x></div>': ["a", "b", "c", "de"],
    '<span style="display:inline-flex"><b>a</b><b>b</b></span>': ["a", "b"],
    '<b style="display:inline-block;width:25%">a</b><div style="display:inline-block;width:9em">b</div>c': [
        "a",
        "b",
        "c",
    ],
    '<b style="display:inline-block">a</b><u style="display:inline">b</u>c': ["abc"],
    "a<dialog><p>b</p><input value=c></dialog>d": ["ad"],
    # boxes that a style makes cells are counted
    '<div style="display:flex"><b>a</b><b></b><img src=icon><b> <u hidden>x</u></b><b>d</b></div>': [
        "a",
        "␀",
        "␀",
        "d",
    ],
    '<div style="display:grid"><div>a</div><div>&nbsp;</div><p></p><span></span></div>': ["a", "␀", "␀", "␀"],
    '<p><b style="display:table-cell">a</b><b style="display:table-cell"> </b><b style="display:table-cell">c</b>': [
        *("a", "␀", "c")
    ],
    '<b style="display:table-cell"></b><b style="display:table-cell"></b>': ["␀", "␀"],
    '<div style="display:table-cell"><input value=1></div><div style="display:table-cell"><script>x</script></div>': [
        *("1", "␀")
    ],
    '<table><tr><td>a<td><b style="display:block"></b><td>c</table>': ["a", "␀", "c"],
    # white space that is kept
    "<pre>a\nb<br>c\r\nd</pre>": ["a", "b", "c", "d"],
    "<pre>a&#x2028;b&#12;c</pre>": ["a b c"],
    "<pre>a\n<b>b\nc</b><pre>d\ne</pre></pre>f\ng": ["a", "b", "c", "d", "e", "f g"],
    # an input of a type that no browser knows is a line of text
    "<input type=readonly value=a>b<input type=time value=10:00><input type=radio value=c><input type=image value=d>": [
        "ab10:00"
    ],
}


@pytest.mark.parametrize("page", SEEN)
def test_lines_are_those_of_a_browser(page: str) -> None:
    assert read_page(page.encode()).lines == SEEN[page]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("before", ["", "\r\n ", "<!DOCTYPE html>"])
def test_a_page_in_utf_16_needs_no_mark(codec: str, before: str) -> None:
    page = before + page_of(PROJECT)
    read = parse_page(page.encode(codec))
    assert (read.verdict, read.tables, read.encoding) == ("ok", parse_page(page.encode()).tables, codec)


def test_a_letter_that_is_damaged_in_the_footer_is_a_finding() -> None:
    page = page_of(PROJECT).encode().replace(b"</body>", b"<footer>\xe0\xb8</footer></body>")
    assert "undecodable_bytes" in [finding["rule"] for finding in parse_page(page).findings]


def test_a_link_with_a_script_is_one_link() -> None:
    page = b"<a href='mykpi.php?pid=2400-1013' onclick=\"window.open('x')\">a</a>"
    assert [link.target for link in read_page(page).links] == ["mykpi.php?pid=2400-1013"]


# --- what is left open ------------------------------------------------------------------------------------------------

LEFT_OPEN = {
    "a font in a cell": "<table><tr><td><font size=2>{}</table>",
    "boxes in a cell": "<table><tr><td><div align=left><div>{}<td>\n</table>",
    "a font in a paragraph": "<p><font color=red><span>{}</p>",
    "a font in the page": "<center><font>{}<br></center>",
    "bold words in boxes": "<div><b>{}</div>",
    "fonts among what is not shown": "<font>{}<br><script>x('ก')</script><select><option>ข</select><svg><text>ค</svg>",
}


@pytest.mark.parametrize("line", LEFT_OPEN.values(), ids=LEFT_OPEN)
def test_a_long_page_may_leave_its_elements_open(line: str) -> None:
    place = PROJECT.index(REPORT[0])
    end = place + len(REPORT) + len(HARDSHIPS) + 1
    reports = [
        text
        for number in range(1, 701)
        for text in (REPORT[0].replace("(1)", f"({number})"), *PROJECT[place + 1 : end])
    ]
    lines = [*PROJECT[:place], *reports, *PROJECT[end:]]
    read = parse_page(page_of(lines, line).encode())
    assert len(read.tables["progress_reports"]) == 700
    assert read.tables == parse_page(page_of(lines).encode()).tables
    assert (read.verdict, read.unclaimed) == ("ok", [])


OVER_AND_OVER = (
    *("<b>x", "<abbr>x", "<table>x<b>", "<table><td>", "<table><div></table>", "<div></x>", "<div><object></div>"),
    *(
        "<div><table><td></div>",
        "<pre>x\n",
        '<div style="white-space:pre">x\n',
        "<b><p>",
        "<p><font color={}>x",
        "<b id={}>x",
    ),
    *("<footer>x</footer>", "<nav>x</nav><footer>", "<optgroup>", "<ruby><rp>", "</center><svg>", "<svg><g>", "x<br>"),
    *("<td>", "<table><tr><td></td></tr>", "<li><div>", "<form><p>", "<a href=x>y", "<div hidden>", "<input value=x>"),
    *(
        "<noscript",
        "<script>alert('",
        "[ODBC Driver ",
        "<table><tr><td>",
        "<select><option>",
        "<b hidden style='display:none'>",
    ),
)


@pytest.mark.parametrize("piece", OVER_AND_OVER)
def test_one_tag_over_and_over_costs_no_more_than_its_length(piece: str) -> None:
    body = "".join(piece.replace("{}", str(number)) for number in range(80_000 // len(piece)))
    start = time.process_time()
    parse_page(body.encode())
    assert time.process_time() - start < 1  # six times that, where it grows with the square


def test_a_long_name_of_a_tag_costs_no_more_than_its_length() -> None:
    body = b"<p" + b"a" * 40_000 + b" " * 40_000 + b"<p" + b"b" * 40_000
    start = time.process_time()
    read_page(body)
    assert time.process_time() - start < 1


def test_a_tag_of_thousands_of_attributes_costs_no_more_than_its_length() -> None:
    body = b"<p " + b" ".join(b"a%d=1" % number for number in range(40_000)) + b">x<img src='" + b"x" * 200_000 + b"'>y"
    start = time.process_time()
    assert read_page(body).lines == ["xy"]
    assert time.process_time() - start < 1


@pytest.mark.parametrize("sign", ["␞8", "␞99␞", "␞" * 5_000, "&#9246;7&#9246;"])
def test_a_page_may_print_the_sign_that_marks_links(sign: str) -> None:
    body = f"<p><a href=x>ก</a> ข</p><p>{sign}</p><p><a href=y>ค</a></p>".encode()
    page = read_page(body)
    assert (page.lines[0], page.lines[-1]) == ("ก ข", "ค")
    assert [(link.target, link.leads) for link in page.links] == [("x", False), ("y", False)]
