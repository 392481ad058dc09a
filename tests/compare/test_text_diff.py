"""The changed words of a Thai text: nothing is lost, no mark is separated from its letter."""

import time
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.compare.text_diff import Piece, changed_words, split_words

THAI = "".join(chr(code) for code in range(0x0E01, 0x0E5C) if unicodedata.category(chr(code)) != "Cn")
texts = st.text(st.sampled_from(THAI + " 0123456789,./()abc=\n\u0301"), max_size=60)


def text_without(pieces: list[Piece], without: str) -> str:
    return "".join(piece.text for piece in pieces if piece.operation != without)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(before=texts, after=texts)
def test_the_pieces_make_up_both_texts(before: str, after: str) -> None:
    pieces = changed_words(before, after)
    assert text_without(pieces, "added") == before
    assert text_without(pieces, "removed") == after
    assert all(piece.text for piece in pieces)
    assert all(one.operation != other.operation for one, other in pairwise(pieces))


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    words=st.lists(st.sampled_from(["ก่อสร้าง", "น้ำ", "แล้ว", "ที่", "ผู้", "เสร็จ", "กำลัง", "25 %", " "]), min_size=2),
    place=st.integers(0),
)
def test_no_piece_begins_with_a_mark(words: list[str], place: int) -> None:
    other = [*words]
    other[place % len(words)] = "ปรับปรุงแก้ไข"
    for piece in changed_words("".join(words), "".join(other)):
        assert unicodedata.category(piece.text[0]) != "Mn"
        assert piece.text[0] != "ำ"
        assert piece.text[-1] not in "เแโใไ"


@pytest.mark.parametrize(
    ("before", "after", "removed", "added"),
    [
        ("สำรวจความต้องการ", "สำรวจความต้องการและออกแบบแล้ว", [], ["และออกแบบแล้ว"]),
        ("ดำเนินการแล้ว 45 แห่ง", "ดำเนินการแล้ว 50 แห่ง", ["45"], ["50"]),
        ("งบประมาณ 1,407.52 บาท", "งบประมาณ 1,408.52 บาท", ["1,407.52"], ["1,408.52"]),
        ("อยู่ระหว่างการก่อสร้าง", "ก่อสร้างแล้วเสร็จ", None, None),
    ],
)
def test_words_and_numbers_change_whole(
    before: str, after: str, removed: list[str] | None, added: list[str] | None
) -> None:
    pieces = changed_words(before, after)
    if removed is not None:
        assert [piece.text for piece in pieces if piece.operation == "removed"] == removed
        assert [piece.text for piece in pieces if piece.operation == "added"] == added
    assert "ก่อสร้าง" in split_words("อยู่ระหว่างการก่อสร้าง") or "ก่อ" in split_words("อยู่ระหว่างการก่อสร้าง")


def test_one_changed_word_in_a_long_text_is_found_quickly() -> None:
    text = "กรุงเทพมหานครมีความเจริญเติบโตด้านเศรษฐกิจตามกระแสโลกาภิวัฒน์ ส่งผลให้ประชากรเพิ่มขึ้นอย่างรวดเร็ว " * 500
    began = time.perf_counter()
    pieces = changed_words(text, text[:20_000] + "ใหม่" + text[20_000:])
    assert time.perf_counter() - began < 1
    assert "".join(piece.text for piece in pieces if piece.operation == "added") != ""
    assert sum(len(piece.text) for piece in pieces if piece.operation != "same") < 60
