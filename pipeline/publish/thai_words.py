"""Split Thai texts, which are written without spaces, into words: for counting, searching and comparing in a notebook.

Words are found with the dictionary of PyThaiNLP. No published table depends on them.
"""

import os
from collections.abc import Iterable
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline.publish.extras import import_extra


def words_of(texts: Iterable[str | None]) -> "pd.Series[Any]":
    """Each text as the list of its words, spaces and punctuation included: joined, they are the text again.

    texts: a column of a frame, or any texts; a missing text stays missing. The result has the column's index and name, and
    Arrow's type `list<string>`. Raises BmaProgressError where PyThaiNLP is not installed.
    """
    tokenize = _tokenizer()
    known: dict[str, list[str]] = {}  # titles and notes repeat: each is split once
    found: list[list[str] | None] = []
    for text in texts:
        if not isinstance(text, str):
            found.append(None)
            continue
        if text not in known:
            known[text] = _words(tokenize, text)
        found.append(known[text])
    kind: Any = pd.ArrowDtype(pa.list_(pa.string()))
    words = pd.Series(found, dtype=kind)
    if isinstance(texts, pd.Series):
        words.index, words.name = texts.index, texts.name
    return words


def _words(tokenize: Any, text: str) -> list[str]:
    words = [word for word in tokenize(text, engine="newmm-safe", keep_whitespace=True, join_broken_num=True) if word]
    if "".join(words) != text:  # the library dropped or altered a letter: keep the text whole
        words = [text] if text else []
    return words


def _tokenizer() -> Any:
    # the dictionary is part of the package: without this the library creates a folder in the user's home
    os.environ.setdefault("PYTHAINLP_READ_ONLY", "1")
    return import_extra("pythainlp.tokenize", "PyThaiNLP", "thai").word_tokenize
