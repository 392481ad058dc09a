"""Charts as points and rectangles for inline SVG: planned and reported progress, the changes of each night, a trend."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from pipeline.compare.classify import calendar_day, fiscal_year_end
from pipeline.schema.plan_vs_actual import planned_curve

WIDTH: Final = 360
HEIGHT: Final = 176
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 8, 8, 26
_NIGHTS_WIDTH, _NIGHTS_HEIGHT, _NIGHTS_LEFT, _NIGHTS_TOP = 600, 200, 44, 18
_MARGIN: Final = timedelta(days=92)  # how far outside its fiscal year a plan or report is drawn: a quarter


class Lines(NamedTuple):
    """One project in one snapshot: rows of plan_steps and of progress_reports."""

    steps: Sequence[dict[str, Any]]
    reports: Sequence[dict[str, Any]]


class Chart(NamedTuple):
    """The lines as SVG points. `…_before` is the earlier snapshot's line, empty where it equals the later one's."""

    label: str
    planned: str
    planned_before: str
    reported: str
    reported_before: str
    dots: list[tuple[str, str]]
    months: list[tuple[str, str]]
    grid: list[tuple[str, int]]


def draw(before: Lines, after: Lines, fiscal_year_ce: int, *, label: str) -> Chart | None:
    """The chart of one project; None where neither snapshot has a plan or report with a date."""
    first, last = fiscal_year_end(fiscal_year_ce - 1) + timedelta(days=1), fiscal_year_end(fiscal_year_ce)
    sides = [after] if before is after else [before, after]
    curves = [planned_curve(lines.steps) for lines in sides]
    reports = [_reported(lines.reports) for lines in sides]
    days = [day for line in (*curves, *reports) for day, _ in line]
    if not days:
        return None
    scale = _Scale(max(min([first, *days]), first - _MARGIN), min(max([last, *days]), last + _MARGIN))
    planned = [scale.points(_extended(curve, scale)) for curve in curves]
    reported = [scale.points(_steps(line)) for line in reports]
    return Chart(
        label=label,
        planned=planned[-1],
        planned_before=planned[0] if planned[0] != planned[-1] else "",
        reported=reported[-1],
        reported_before=reported[0] if reported[0] != reported[-1] else "",
        dots=[scale.point(day, percent) for day, percent in reports[-1] if scale.first <= day <= scale.last],
        months=[(scale.x(day), MONTHS_TH[day.month - 1]) for day in _quarters(first)],
        grid=[(scale.y(percent), percent) for percent in (0, 25, 50, 75, 100)],
    )


class Bar(NamedTuple):
    """The changes of one severity in one period."""

    severity: str
    x: str
    y: str
    width: str
    height: str


class NightChart(NamedTuple):
    """The changes of each period as stacked bars. labels: (x, text, anchor); rows: the same numbers as a table"""

    width: int
    height: int
    left: int
    severities: list[str]
    bars: list[Bar]
    grid: list[tuple[str, int]]
    labels: list[tuple[str, str, str]]
    rows: list[tuple[str, list[int]]]


def draw_nights(periods: Sequence[str], counts: Mapping[str, Sequence[int]]) -> NightChart | None:
    """The chart of what each period changed. counts: severity → changes in each period; None where there are none"""
    severities = [severity for severity, numbers in counts.items() if any(numbers)]
    if not severities:
        return None
    totals = [sum(counts[severity][place] for severity in severities) for place in range(len(periods))]
    most = _round_up(max(totals))
    step = (_NIGHTS_WIDTH - _NIGHTS_LEFT) / len(periods)
    room = _NIGHTS_HEIGHT - _NIGHTS_TOP - _BOTTOM
    bars = []
    for place in range(len(periods)):
        base = 0
        for severity in severities:
            number = counts[severity][place]
            top = _NIGHTS_TOP + room * (1 - (base + number) / most)
            bar = _NIGHTS_LEFT + step * (place + 0.15), top, min(step * 0.7, 60), room * number / most
            if number:
                bars.append(Bar(severity, *(f"{value:.1f}" for value in bar)))
            base += number
    labels = [(f"{_NIGHTS_LEFT}", periods[0], "start")]
    if len(periods) > 1:
        labels.append((f"{_NIGHTS_WIDTH}", periods[-1], "end"))
    grid = [(f"{_NIGHTS_TOP + room * (1 - share):.1f}", round(most * share)) for share in (0, 0.5, 1)]
    rows = [(period, [counts[severity][place] for severity in severities]) for place, period in enumerate(periods)]
    return NightChart(_NIGHTS_WIDTH, _NIGHTS_HEIGHT, _NIGHTS_LEFT, severities, bars, grid, labels, rows)


def sparkline(numbers: Sequence[int]) -> str:
    """The points of a small line, 60 wide and 16 high."""
    most, last = max(numbers, default=0) or 1, max(len(numbers) - 1, 1)
    return " ".join(
        f"{1 + 58 * place / last:.1f},{15 - 14 * number / most:.1f}" for place, number in enumerate(numbers)
    )


def _round_up(number: int) -> int:
    """The next even number of two digits and zeros: the top of a scale whose half is whole."""
    unit = max(2, int(f"2{'0' * (len(str(number)) - 2)}"))
    return -(-number // unit) * unit


class _Scale:
    def __init__(self, first: date, last: date) -> None:
        self.first, self.last = first, last

    def x(self, day: date) -> str:
        share = (day - self.first).days / max((self.last - self.first).days, 1)
        return f"{_LEFT + min(max(share, 0), 1) * (WIDTH - _LEFT - _RIGHT):.1f}"

    def y(self, percent: float) -> str:
        share = min(max(percent, 0), 110) / 110
        return f"{HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM):.1f}"

    def point(self, day: date, percent: float) -> tuple[str, str]:
        return self.x(day), self.y(percent)

    def points(self, line: Sequence[tuple[date, float]]) -> str:
        return " ".join(",".join(self.point(day, percent)) for day, percent in line)


def _reported(rows: Sequence[dict[str, Any]]) -> list[tuple[date, float]]:
    known = [row for row in rows if row["reported_on_date"] is not None and row["progress_percent"] is not None]
    known.sort(key=lambda row: (row["reported_on_date"], row["report_index"]))
    return [(calendar_day(row["reported_on_date"]), row["progress_percent"]) for row in known]


def _steps(line: Sequence[tuple[date, float]]) -> list[tuple[date, float]]:
    """The line as steps: a percentage counts until the next report."""
    corners = list(line[:1])
    for (_, held), (day, percent) in pairwise(line):
        corners += [(day, held), (day, percent)]
    return corners


def _extended(curve: list[tuple[date, float]], scale: _Scale) -> list[tuple[date, float]]:
    """The plan from edge to edge of the chart: 0 before its first step, its total after the last."""
    return [(scale.first, 0.0), *curve, (scale.last, curve[-1][1])] if curve else []


def _quarters(first: date) -> list[date]:
    return [first, date(first.year + 1, 1, 1), date(first.year + 1, 4, 1), date(first.year + 1, 7, 1)]


MONTHS_TH: Final = ("ม.ค.", "ก.พ.", "มี.ค.", "เม.ย.", "พ.ค.", "มิ.ย.", "ก.ค.", "ส.ค.", "ก.ย.", "ต.ค.", "พ.ย.", "ธ.ค.")
MONTHS_EN: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
