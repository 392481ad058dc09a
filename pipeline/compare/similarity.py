"""How similar two rows of a printed list are: decides whether an edited row is the same row as before.

Each function returns 0 for rows that must not be matched; otherwise higher is more similar.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Final

Row = Mapping[str, Any]

_COMPARED_LETTERS: Final = 400  # the first letters of a text are enough to recognise it
_SAME_NOTE: Final = 0.5  # notes this similar belong to the same report, even under another date
_OWN_TEXT: Final = 0.8  # so much of a text that no other row of the list has
_MINIMUM: Final = 0.6  # the same number alone, or two fifths of the text


def text_similarity(one: str | None, other: str | None) -> float:
    """The share of three-letter sequences that two texts have in common, from 0 to 1."""
    if one == other:
        return 1.0 if one else 0.0
    if not one or not other:
        return 0.0
    sequences, others = _three_letter_sequences(one), _three_letter_sequences(other)
    return 2 * len(sequences & others) / (len(sequences) + len(others))


def _three_letter_sequences(text: str) -> set[str]:
    text = f"  {text[:_COMPARED_LETTERS]} "
    return {text[place : place + 3] for place in range(len(text) - 2)}


def report_similarity(before: Row, after: Row) -> float:
    """Two progress reports: an edited report keeps its day or most of its note."""
    note = text_similarity(before["note"], after["note"])
    if _same(before, after, "reported_on_date"):
        return 1.0 + note
    if note >= _SAME_NOTE:
        return note
    no_notes = before["note"] is None and after["note"] is None
    no_days = before["reported_on_date"] is None and after["reported_on_date"] is None
    if (no_notes and before["progress_percent"] == after["progress_percent"]) or no_days:
        return 0.1
    return 0.0


def has_moved(before: Row, after: Row, facts: Sequence[str], text: str, own_texts: Container[str]) -> float:
    """Affinity of two reports or steps at any places: positive where an edited row is surely the same one.

    facts: the compared columns; text: the column with what the row says; own_texts: texts that only one row of its list has

    That is: only dates differ; or the dates are equal, and most of the text, or there is none; or most of a text that no
    other row has.
    """
    same_text = text_similarity(before[text], after[text])
    dates = [column for column in facts if column.endswith("_date")]
    rest = [column for column in facts if column not in (text, *dates)]
    equal_dates = len([column for column in dates if before[column] == after[column]])
    same_dates = equal_dates == len(dates) and any(before[column] for column in dates)
    no_text = before[text] is None and after[text] is None
    if same_dates and (same_text >= _SAME_NOTE or no_text):
        return 3 + same_text
    if same_text == 1 and all(before[column] == after[column] for column in rest):
        return 1 + equal_dates
    own = before[text] in own_texts and after[text] in own_texts
    return same_text if own and same_text >= _OWN_TEXT else 0.0


def step_similarity(before: Row, after: Row) -> float:
    """Two steps of a plan: description, dates and number."""
    dates = _same(before, after, "start_date") + _same(before, after, "end_date")
    description = text_similarity(before["description"], after["description"])
    return _if_enough(1.5 * description + 0.1 * dates + 0.6 * _same(before, after, "step_no"))


def level_similarity(before: Row, after: Row) -> float:
    """Two levels of the city's plan: name, code and position."""
    name = text_similarity(before["name"], after["name"])
    return _if_enough(name + _same(before, after, "strategy_code") + 0.6 * _same(before, after, "position"))


def item_similarity(before: Row, after: Row) -> float:
    """Two items of a result list: linked codes, name and number."""
    links = 2.0 * _same(before, after, "kpi_code") + 0.5 * _same(before, after, "project_code")
    name = text_similarity(before["name"], after["name"])
    return _if_enough(links + 1.5 * name + 0.6 * _same(before, after, "item_no"))


def link_similarity(before: Row, after: Row) -> float:
    """Two links of an item: their position."""
    return 0.6 * _same(before, after, "position")


def at_least(score: float, similarity: Callable[[Row, Row], float]) -> Callable[[Row, Row], float]:
    """The similarity, 0 where it is below a score."""
    return lambda before, after: found if (found := similarity(before, after)) >= score else 0.0


def _same(before: Row, after: Row, column: str) -> bool:
    return before[column] is not None and before[column] == after[column]


def _if_enough(score: float) -> float:
    return score if score >= _MINIMUM else 0.0
