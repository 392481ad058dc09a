"""Thai text, numbers and typed dates: one spelling for what looks the same, and never a guess."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.laws import law, troubled_texts

from parsers.thai import ARABIC_DIGITS, clean, normalise_spelling
from parsers.values import BUDDHIST_OFFSET, parse_integer, parse_number, typed_date_day, typed_dates

NIKHAHIT, AA, AM, TONE = "\u0e4d", "\u0e32", "\u0e33", "\u0e49"


@pytest.mark.parametrize(
    "pieces", [TONE + AM, TONE + NIKHAHIT + AA, NIKHAHIT + TONE + AA, AM + TONE, TONE + AM + AA, AM + AA + TONE]
)
def test_sara_am_has_one_spelling(pieces: str) -> None:
    assert clean(f"น{pieces}") == f"น{TONE}{AM}"


@pytest.mark.parametrize(
    ("printed", "right"),
    [
        ("เเขวง", "แขวง"),
        ("น่่า", "น่่า"),  # a tone mark typed twice stays as printed
        ("ก\u00a0\u200bข  ค\n", "ก ข ค"),
        ("โครงการปลูกต\uf70bนไม\uf70bใหญ\uf70aท\uf702\uf70aสวน", "โครงการปลูกต้นไม้ใหญ่ที่สวน"),
        ("ผ\uf719\uf70bเข\uf70bาร\uf70aวม ป\uf710ญหา", "ผู้เข้าร่วม ปัญหา"),
        ("น\uf714\uf711าท\uf70aวม", "น้ำท่วม"),
        ("\uf700าน \uf70fาติ", "ฐาน ญาติ"),
        ("\uf0b7 ข้อหนึ่ง", "\uf0b7 ข้อหนึ่ง"),  # a bullet of Word's, no Thai letter
    ],
)
def test_what_looks_the_same_is_spelt_the_same(printed: str, right: str) -> None:
    assert clean(printed) == right


@pytest.mark.parametrize("pieces", [AM + AA, TONE + AM, NIKHAHIT + TONE, NIKHAHIT + TONE + AA, AA + NIKHAHIT])
@pytest.mark.parametrize("last", ["", AM * 50_000, AA * 50_000])
def test_a_long_run_of_marks_costs_no_more_than_its_length(pieces: str, last: str) -> None:
    text = pieces * 50_000 + last
    start = time.process_time()
    once = normalise_spelling(text)
    assert time.process_time() - start < 2  # minutes, where it grows with the square
    assert normalise_spelling(once) == once


@law(400)
@given(troubled_texts)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert "\u0e4d\u0e32" not in once
    assert once == once.strip()
    assert "  " not in once


@law(300)
@given(st.floats(-1e9, 1e9, allow_nan=False).map(lambda number: round(number, 4)), st.integers(4, 6), st.booleans())
def test_a_number_is_read_as_printed(value: float, decimals: int, thai: bool) -> None:
    for printed in (f"{value:.{decimals}f}", f"{value:,.{decimals}f}"):
        if thai:
            printed = printed.translate(str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙"))
        assert parse_number(printed) == float(f"{value:.{decimals}f}")


@pytest.mark.parametrize("digit", ["9", "๙", "0"])
def test_a_number_too_large_to_count_is_no_number(digit: str) -> None:
    assert parse_number(digit * 5_000) == (0 if digit == "0" else None)
    assert parse_integer(digit * 5_000) == (0 if digit == "0" else None)
    assert parse_integer(digit * 9) == int(digit) * 111_111_111


@law(300)
@given(troubled_texts)
def test_what_is_no_number_is_no_number(text: str) -> None:
    value = parse_number(text)
    if value is not None:
        plain = text.translate(ARABIC_DIGITS).replace(",", "").removesuffix("%").strip()
        assert float(plain) == value


@law(400)
@given(st.integers(0, 99), st.integers(0, 99), st.one_of(st.integers(0, 99), st.integers(1000, 9999)))
def test_a_typed_date_is_read_as_day_month_buddhist_year_or_not_at_all(day: int, month: int, year: int) -> None:
    typed = f"{day}/{month}/{year:02}"
    found = typed_dates(f"{typed} : ก")
    assert len(found) == 1
    read = typed_date_day(found[0][0])
    if read is None:
        assert not (1 <= day <= 28 and 1 <= month <= 12 and 2500 <= year <= 2699)
    else:
        year_ce, month_read, day_read = map(int, read.split("-"))
        assert (day_read, month_read, year_ce + BUDDHIST_OFFSET) == (day, month, year)
