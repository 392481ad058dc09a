"""The words of Thai texts, which stand without blanks between them: for counting, searching and comparing in a notebook.

On demand, and by the dictionary of PyThaiNLP: nothing is published that depends on where a program sees words.
"""

import os
from collections.abc import Iterable
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline.errors import BmaProgressError


def words_of(texts: Iterable[str | None]) -> "pd.Series[Any]":
    """Each text as the list of its words, blanks and punctuation among them: joined they are the text again.

    texts: a column of a frame, or any texts; a missing one stays missing. The result has the column's index and name, and
    the type `list<string>` of Arrow. Raises BmaProgressError where PyThaiNLP is not installed.
    """
    cut = _tokenizer()
    known: dict[str, list[str]] = {}  # titles and notes repeat
    found: list[list[str] | None] = []
    for text in texts:
        if not isinstance(text, str):
            found.append(None)
            continue
        if text not in known:
            known[text] = _cut(cut, text)
        found.append(known[text])
    kind: Any = pd.ArrowDtype(pa.list_(pa.string()))
    words = pd.Series(found, dtype=kind)
    if isinstance(texts, pd.Series):
        words.index, words.name = texts.index, texts.name
    return words


def _cut(cut: Any, text: str) -> list[str]:
    words = [word for word in cut(text, engine="newmm-safe", keep_whitespace=True, join_broken_num=True) if word]
    if "".join(words) != text:  # what the library leaves out or alters is put back by cutting more coarsely
        words = [text] if text else []
    return words


def _tokenizer() -> Any:
    # the dictionary comes with the package: without this the library makes a folder in the user's home
    os.environ.setdefault("PYTHAINLP_READ_ONLY", "1")
    try:
        from pythainlp.tokenize import word_tokenize
    except ImportError:
        raise BmaProgressError("this needs PyThaiNLP; get it with: pip install 'bma-progress[thai]'") from None
    return word_tokenize
