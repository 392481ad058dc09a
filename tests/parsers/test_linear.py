"""No expression of the parser takes more than linear time, whatever a page prints over and over."""

import re
import time
from typing import Any

import pytest
from support.patterns import patterns_of, tokens_of

import parsers

PATTERNS = patterns_of(parsers)
ANYWHERE = ("contact", "encoding", "server_messages", "text_damage", "thai", "truncation", "verdict")
"""Modules whose expressions are searched for in texts; all others are matched at the start of cleaned lines."""
LENGTHS = (1_000, 8_000)
LEAST = 0.01  # seconds: what takes less says nothing of how it grows
MOST = 20  # times the time, for eight times the length; where it grows with the square it is 64 times


def seconds(pattern: re.Pattern[Any], token: str, length: int, end: str, *, anywhere: bool) -> float:
    text = token * (length // len(token)) + end
    subject = text if isinstance(pattern.pattern, str) else text.encode("utf-8", "replace")
    start = time.process_time()
    (pattern.search if anywhere else pattern.match)(subject)
    return time.process_time() - start


@pytest.mark.parametrize("name", PATTERNS)
def test_an_expression_is_linear(name: str) -> None:
    anywhere = name.split(".")[1] in ANYWHERE
    for token in tokens_of(PATTERNS[name]):
        if token.isspace() and not anywhere:  # cleaned lines have one blank between words
            continue
        for end in ("", "\x00"):
            short, long = (seconds(PATTERNS[name], token, length, end, anywhere=anywhere) for length in LENGTHS)
            if long > LEAST:
                short = max(short, seconds(PATTERNS[name], token, LENGTHS[0], end, anywhere=anywhere))
                long = min(long, seconds(PATTERNS[name], token, LENGTHS[1], end, anywhere=anywhere))
                assert long < MOST * short, f"{token[:40]!r} over and over: {short:.4f} s, then {long:.4f} s"


def test_expressions_are_found_wherever_they_are_kept() -> None:
    kept = {name.split(":")[0] for name in PATTERNS}
    assert {"parsers.contact._TELEPHONE", "parsers.server_messages._MESSAGES", "parsers.pages.PAGE_KINDS"} <= kept


@pytest.mark.parametrize("token", ["(", ", ", "1 ต่อ "])
def test_a_slow_expression_would_be_found(token: str) -> None:
    slow = re.compile(r"(?:.*x|.*y)")
    times = [min(seconds(slow, token, length, "", anywhere=True) for _ in range(3)) for length in (500, 4_000)]
    assert times[1] > MOST * times[0]
