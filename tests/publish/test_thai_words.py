"""The words of Thai texts."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.api import open_store
from pipeline.publish.thai_words import words_of
from pipeline.schema.columns import TABLES

TEXTS = st.text(st.sampled_from("กขคงาำเแโใไิีึืุู่้๊๋์ฯๆ๑๒3.,-() \n\tabก็น้ำไม่ได้โครงการ=\u200b"), max_size=60)


def test_every_text_of_a_store_is_its_words_joined(three_nights: Path) -> None:
    store = open_store(three_nights)
    seen = 0
    columns = [
        (name, column.name)
        for name in ("projects", "progress_reports", "kpis")
        for column in TABLES[name].columns
        if column.type == "string" and column.origin == "page"
    ]
    for name, column in columns:
        texts = store.table(name)[column]
        words = words_of(texts)
        assert words.index.equals(texts.index)
        assert words.name == column
        for text, cut in zip(texts, words, strict=True):
            if isinstance(text, str):
                assert "".join(cut) == text
                seen += len(cut) > 1
            else:
                assert cut is pd.NA
    assert seen > 100


@given(TEXTS)
def test_no_letter_of_any_text_is_lost(text: str) -> None:
    assert "".join(words_of([text])[0]) == text


def test_words_are_words_and_missing_stays_missing() -> None:
    words = words_of(pd.Series(["น้ำท่วมถนนสุขุมวิท", None, "", float("nan")], index=[5, 6, 7, 8], name="note"))
    assert list(words[5]) == ["น้ำท่วม", "ถนน", "สุขุมวิท"]
    assert list(words[7]) == []
    assert words.isna().tolist() == [False, True, False, True]
    assert words.explode().value_counts()["ถนน"] == 1


def test_nothing_is_written_into_the_users_home(tmp_path: Path) -> None:
    code = "from pipeline.publish.thai_words import words_of; print(len(words_of(['ถนน'])))"
    subprocess.run([sys.executable, "-c", code], env={"HOME": str(tmp_path)}, timeout=60, check=True)
    assert list(tmp_path.iterdir()) == []


def test_without_the_library_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pythainlp.tokenize", None)
    with pytest.raises(Exception, match=r"pip install 'bma-progress\[thai\]'"):
        words_of(["ถนน"])
