"""From bytes to text: charsets, and texts that were damaged before the page was sent."""

import gzip
from pathlib import Path

import pytest
from support.sample_pages import KPI, LIST, PROJECT, instead, page_of

from parsers import ParsedPage, parse_page
from parsers.encoding import decode

FIXTURES = Path(__file__).parents[2] / "fixtures_html"
PAGES = {"kpi": KPI, "project": PROJECT, "list": LIST}
THAI = "โครงการปลูกต้นไม้ใหญ่ที่สวนสาธารณะ"


def bare(lines: list[str]) -> str:
    """A page that declares no charset."""
    return page_of(lines).replace("<meta charset=utf-8>", "")


def errors(page: ParsedPage) -> set[str]:
    return {finding["rule"] for finding in page.findings if finding["severity"] == "error"}


def complaints(page: ParsedPage) -> list[str]:
    return [finding["rule"] for finding in page.findings if finding["severity"] != "note"]


# --- charsets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "declared", ["", "tis-620", "windows-874", "TIS620", "iso-8859-11", "utf-8", "iso-8859-1", "x"]
)
@pytest.mark.parametrize("codec", ["utf-8", "cp874", "utf-16"])
@pytest.mark.parametrize("kind", PAGES)
def test_the_bytes_decide_whatever_is_declared(kind: str, codec: str, declared: str) -> None:
    text = bare(PAGES[kind])
    whole = parse_page(text.encode())
    in_page = text.replace("<head>", f'<head><meta http-equiv=Content-Type content="text/html; charset={declared}">')
    for body, header in ((text.encode(codec), f"text/html; charset={declared}"), (in_page.encode(codec), None)):
        page = parse_page(body, content_type=header)
        assert (page.verdict, page.tables, page.encoding) == ("ok", whole.tables, codec)
        assert complaints(page) == []


@pytest.mark.parametrize("page", sorted(FIXTURES.glob("*.html")), ids=lambda page: page.stem)
def test_every_page_may_come_in_one_byte_thai(page: Path) -> None:
    text = decode(page.read_bytes()).source.decode()
    one_byte = text.encode("cp874", "ignore")
    decoded = decode(one_byte)
    assert (decoded.source.decode(), decoded.encoding, decoded.undecodable) == (one_byte.decode("cp874"), "cp874", 0)


def test_a_byte_order_mark_is_no_text() -> None:
    assert decode(b"\xef\xbb\xbf<p>a").source == b"<p>a"
    assert decode("<p>ก".encode("utf-16")).source.decode() == "<p>ก"


@pytest.mark.parametrize("letters", [1, 2])
def test_a_letter_cut_in_half_at_the_end_is_no_other_charset(letters: int) -> None:
    body = f"<p>{THAI}".encode() + "ก".encode()[:letters]
    assert (decode(body).encoding, decode(body).undecodable) == ("utf-8", 1)


def test_a_page_in_utf_8_may_hold_a_few_other_bytes() -> None:
    body = page_of(PROJECT).encode().replace("ทำแล้ว".encode(), "ทำแล้ว".encode() + b"\xa1")
    page = parse_page(body)
    assert (page.verdict, page.encoding) == ("ok", "utf-8")
    assert complaints(page) == ["undecodable_bytes"]


@pytest.mark.parametrize(
    "body",
    [
        b"\x89PNG\r\n",
        b"\xff\xd8\xff\xe0",
        b"GIF89a",
        b"%PDF-1.4",
        b"PK\x03\x04",
        gzip.compress(b"a", mtime=0),
        bytes(100),
    ],
)
def test_what_is_no_text_is_named(body: bytes) -> None:
    assert decode(body).binary
    assert parse_page(body).verdict == "blocked"


@pytest.mark.parametrize("body", [b"", b"a\0b", "<p>ก".encode(), "<p>ก".encode("cp874"), "<p>ก".encode("utf-16")])
def test_text_is_not_taken_for_a_file(body: bytes) -> None:
    assert decode(body).binary is None


# --- whole pages that were encoded twice --------------------------------------------------------------------------------


def misread(text: str, real: str, wrong: str) -> str:
    """The text as a converter leaves it that takes it for another charset; undefined bytes are controls, as in Windows."""
    return "".join(bytes((byte,)).decode(wrong, "ignore") or chr(byte) for byte in text.encode(real))


TWICE = [("utf-8", "cp874"), ("utf-8", "cp1252"), ("utf-8", "latin-1"), ("cp874", "cp1252"), ("cp874", "latin-1")]


@pytest.mark.parametrize(("real", "wrong"), TWICE)
@pytest.mark.parametrize("kind", PAGES)
def test_a_page_encoded_twice_is_read_as_it_was_meant(kind: str, real: str, wrong: str) -> None:
    text = page_of(PAGES[kind]).replace("–", "-")
    page = parse_page(misread(text, real, wrong).encode())
    assert (page.verdict, page.tables) == ("ok", parse_page(text.encode()).tables)
    assert complaints(page) == ["text_repaired"]


@pytest.mark.parametrize(("real", "wrong"), TWICE)
def test_a_page_encoded_twice_that_lost_a_letter_is_suspect(real: str, wrong: str) -> None:
    twice = misread(page_of(PROJECT).replace("–", "-"), real, wrong)
    page = parse_page(twice.replace(misread("ทำแล้ว", real, wrong), misread("ทำแ", real, wrong) + "\ufffd").encode())
    assert page.verdict == "suspect"
    assert errors(page) & {"text_misencoded", "text_lost"}


def test_a_menus_first_word_may_look_misread() -> None:
    page = parse_page(page_of(["<nav>เนื้อหา</nav>", *KPI]).encode())
    assert (page.verdict, page.findings) == ("ok", parse_page(page_of(KPI).encode()).findings)


# --- single texts that were damaged -------------------------------------------------------------------------------------

DAMAGED = {
    "question marks": ("?" * len(THAI), "text_lost"),
    "question marks in words": ("??????? ???? 2563 ??", "text_lost"),
    "a label and question marks": ("ชื่อ : ????", "text_lost"),
    "replacement characters": ("\ufffd" * len(THAI), "text_lost"),
    "a replaced letter": ("โครงการปลูก\ufffd้นไม้", "text_lost"),
    "utf-8 as cp874": (misread(THAI, "utf-8", "cp874"), "text_misencoded"),
    "utf-8 as cp1252": (misread(THAI, "utf-8", "cp1252"), "text_misencoded"),
    "utf-8 as latin-1": (misread(THAI, "utf-8", "latin-1"), "text_misencoded"),
    "one-byte Thai as latin-1": (misread(THAI, "cp874", "latin-1"), "text_misencoded"),
    "a short word as latin-1": (misread("แห่ง", "cp874", "latin-1"), "text_misencoded"),
    "the shortest word as latin-1": (misread("คน", "cp874", "latin-1"), "text_misencoded"),
    "letters as percentages": ("%E0%B9%82%E0%B8%84%E0%B8%A3%E0%B8%87", "text_misencoded"),
    "half a reference": ("&amp;#3588;&amp;#36", "text_misencoded"),
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("place", ["เหตุผล", "นายสมมติ", "31/5/2564 : ทำแล้ว", ":สำรวจ", "โครงการทดสอบ : 50040000-2210"])
def test_a_page_with_a_damaged_text_is_suspect(place: str, damage: str) -> None:
    text, rule = DAMAGED[damage]
    new = {":": f":{text}", "โ": f"{text} : 50040000-2210", "3": f"31/5/2564 : {text}"}.get(place[0], text)
    page = parse_page(page_of(instead(PROJECT, [place], new)).encode())
    assert page.verdict == "suspect"
    assert rule in errors(page)


@pytest.mark.parametrize("unit", ["??", "???"])
def test_a_unit_of_question_marks_makes_the_page_suspect(unit: str) -> None:
    page = parse_page(page_of(KPI).replace("แห่ง :", f"{unit} :").replace("(แห่ง)", f"({unit})").encode())
    assert (page.verdict, errors(page)) == ("suspect", {"text_lost"})


@pytest.mark.parametrize("damage", ["question marks", "replacement characters", "a short word as latin-1"])
def test_a_page_of_damaged_texts_alone_is_suspect(damage: str) -> None:
    page = parse_page(page_of([DAMAGED[damage][0]] * 9).encode())
    assert (page.kind, page.verdict) == ("unknown", "suspect")
    assert errors(page) == {"unknown_kind", DAMAGED[damage][1]}


def test_a_template_of_damaged_texts_does_not_say_that_a_record_is_gone() -> None:
    lines = [*PROJECT[:3], "????????", *(line for line in PROJECT if line in ("หลักการและเหตุผล", PROJECT[-1]))]
    assert parse_page(page_of(lines).encode()).verdict == "suspect"


def test_a_text_in_one_byte_thai_within_a_page_in_utf_8_is_lost() -> None:
    before, after = (part.encode() for part in page_of(PROJECT).split("ทำแล้ว"))
    page = parse_page(before + THAI.encode("cp874") + after)
    assert (page.verdict, page.encoding) == ("suspect", "utf-8")
    assert errors(page) == {"text_lost"}


@pytest.mark.parametrize(
    "text",
    [
        "ทำแล้ว? ได้ผลหรือไม่ ??? ขอทบทวน",
        "ทำไมล่าช้า????? ขอทบทวน",
        "ดู https://example.org/?a=1&b=2",
        "ดู https://example.org/%E0%B9%82%E0%B8%84%E0%B8%A3",
        "พื้นที่ 12 m² ±5°C «ตัวอย่าง» ½ · Café Zürich",
        "เธอและเนื้อหา เนืองแน่น",
        "ห้อง A&B #3 C#",
    ],
)
def test_a_good_text_may_look_a_little_odd(text: str) -> None:
    page = parse_page(page_of(instead(PROJECT, ["เหตุผล"], text.replace("&", "&amp;"))).encode())
    assert (page.verdict, complaints(page), page.unclaimed) == ("ok", [], [])
    assert page.tables["projects"][0]["rationale"] == text


@pytest.mark.parametrize(
    "reference", ["&amp;#{};", "&amp;amp;#{};", "&amp;#x{:x};", "&amp;#X0{:X};", "\\u{:04x}", "%u{:04X}"]
)
@pytest.mark.parametrize("place", ["เหตุผล", "นายสมมติ", ":สำรวจ"])
def test_letters_written_as_numbers_are_letters(place: str, reference: str) -> None:
    written = "".join(reference.format(ord(letter)) if "ก" <= letter <= "๛" else letter for letter in place)
    page = parse_page(page_of(instead(PROJECT, [place], written)).encode())
    assert (page.verdict, page.tables) == ("ok", parse_page(page_of(PROJECT).encode()).tables)
    assert complaints(page) == ["text_repaired"]


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_of_letters_written_as_numbers_is_read(kind: str) -> None:
    text = page_of(PAGES[kind])
    written = "".join(f"&amp;#{ord(letter)};" if "ก" <= letter <= "๛" else letter for letter in text)
    assert parse_page(written.encode()).tables == parse_page(text.encode()).tables


def test_private_codes_of_old_fonts_are_letters() -> None:
    text = "โครงการปลูกต\uf70bนไม\uf70bใหญ\uf70aที\uf70aสวน"
    page = parse_page(page_of(instead(PROJECT, ["โครงการทดสอบ : 50040000-2210"], f"{text} : 50040000-2210")).encode())
    assert (page.verdict, page.tables["projects"][0]["name"]) == ("ok", "โครงการปลูกต้นไม้ใหญ่ที่สวน")


def test_a_hole_of_nul_bytes_is_said() -> None:
    body = (FIXTURES / "24000000-3051.html").read_bytes()
    start = body.index("ปัญหาของโครงการ".encode())
    holed = body[:start] + b"\0" * 400 + body[start + 400 :]
    assert "undecodable_bytes" in [finding["rule"] for finding in parse_page(holed).findings]
    assert "undecodable_bytes" not in [finding["rule"] for finding in parse_page(body).findings]
