"""The page kinds that the parser knows, one declaration each."""

from collections.abc import Callable
from typing import Final, NamedTuple

from parsers.grammar import Outline, Page
from parsers.pages import city_indicator, kpi, project, result_list, yii_project
from parsers.quarters import QuarterTable


class PageKind(NamedTuple):
    """How one kind of page is read: the tables that it feeds, its sections, and the function that reads it."""

    tables: tuple[str, ...]
    sections: Outline
    read: Callable[[Page, list[QuarterTable]], None]


PAGE_KINDS: Final[dict[str, PageKind]] = {
    "project": PageKind(project.TABLES, project.SECTIONS, project.read),
    "kpi": PageKind(kpi.TABLES, kpi.SECTIONS, kpi.read),
    "result_list": PageKind(result_list.TABLES, Outline(), result_list.read),
    "city_indicator": PageKind(city_indicator.TABLES, city_indicator.SECTIONS, city_indicator.read),
    "yii_project": PageKind(yii_project.TABLES, Outline(), yii_project.read),
}
