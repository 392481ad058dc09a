"""The one dictionary of tables and columns: types, units, descriptions, the portal's Thai labels.

Arrow schemas, the metadata inside the Parquet files, the documentation and the checks derive from it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

import pyarrow as pa

from pipeline.schema.agencies import NAMES_SHA256

ColumnType = Literal["string", "int", "float", "bool", "date", "instant"]
Origin = Literal["page", "lineage", "run", "derived"]

_ARROW: Final[dict[ColumnType, pa.DataType]] = {
    "string": pa.string(),
    "int": pa.int32(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.timestamp("us"),  # midnight: date32 would come out of pandas as objects that compare with nothing
    "instant": pa.timestamp("us", tz="UTC"),
}
_PANDAS: Final[dict[ColumnType, tuple[str, str]]] = {
    "string": ("unicode", "str"),
    "int": ("int32", "Int32"),  # a plain read gives nullable integers, not 2563.0
    "float": ("float64", "float64"),
    "bool": ("bool", "bool"),
    "date": ("datetime", "datetime64[us]"),
    "instant": ("datetimetz", "datetime64[us]"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its meaning, the portal's label, its unit, and where it comes from.

    origin: `page` is printed (a fact), `lineage` says where a fact comes from, `run` belongs to the harvest,
        `derived` is computed from other tables
    """

    name: str
    type: ColumnType
    description: str
    label_th: str = ""
    unit: str = ""
    personal: bool = False
    origin: Origin = "page"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its key, its columns (key first), what a row is."""

    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]


def _project_code() -> Column:
    return Column("project_code", "string", "Code of the project: 8 digits of the agency, hyphen, serial.",
                  "รหัสโครงการ", required=True)  # fmt: skip


def _kpi_code(required: bool = True) -> Column:
    return Column("kpi_code", "string", "Code of the indicator; never padded or converted to a number.",
                  "รหัสตัวชี้วัด", required=required)  # fmt: skip


def _indicator_no() -> Column:
    return Column("indicator_no", "string", "Number of the indicator: the `pid` of its page.", required=True)


_QUARTER_VALUES: Final = (
    Column("result_value", "float", "Result reported for the quarter, in the indicator's unit.", "ผลงาน"),
    Column("score", "float", "Score of the quarter; the portal leaves it empty more often than not."),
    Column("evaluation_2_1", "float", "First number of the evaluation pair (2.1).", "ผลประเมินตัวชี้วัด 2.1"),
    Column("evaluation_2_2", "float", "Second number of the evaluation pair (2.2).", "ผลประเมินตัวชี้วัด 2.2"),
)
_QUARTER: Final = Column("quarter", "int", "Quarter of the fiscal year, 1 (October) to 4 (September).", "ไตรมาสที่",
                         required=True)  # fmt: skip
_MEASURES: Final = (
    Column("name", "string", "Name of the indicator.", "ตัวชี้วัด"),
    Column("unit", "string", "Unit of target and result, as printed inside their labels.", "หน่วยนับ"),
    Column("target_value", "float", "Target, in the indicator's unit.", "ค่าเป้าหมาย"),
    Column("achieved_value", "float", "Overall result, in the indicator's unit; need not be the last quarter's.",
           "ผลงานที่ทำได้"),
    Column("kpi_type", "string", "Type of the indicator, as printed.", "ประเภทตัวชี้วัด"),
    Column("kpi_level", "string", "`output` or `outcome`.", "ตัวชี้วัดระดับผลผลิต / ผลลัพธ์"),
)  # fmt: skip
_LEVEL_PLACES: Final = (
    Column("position", "int", "Place in the printed list, from 1.", required=True),
    Column("level", "int", "Depth in the plan, 1 to 4.", required=True),
)
_LEVEL_NAMES: Final = (
    Column("strategy_code", "string", "Code in Arabic digits, such as 1.4.1.1.", required=True),
    Column(
        "name",
        "string",
        "Name, without dash and the stray % of the third level.",
        "สนับสนุนยุทธศาสตร์กรุงเทพมหานครฯ",
    ),
    Column("name_en", "string", "English name, where level 1 prints one."),
    Column(
        "plan",
        "string",
        "Which of the city's two plans the level belongs to: both use the same numbers.",
        "ด้านที่ / ยุทธศาสตร์ที่",
    ),
)
_LINEAGE: Final = (
    Column("source_url", "string", "Where the page was fetched from.", origin="lineage"),
    Column("page_sha256", "string", "SHA-256 of the page's bytes as last served.", origin="lineage"),
    Column("version_harvest_id", "string", "Harvest that first saw this version of the record.", origin="lineage"),
    Column("first_seen_at", "instant", "When the record was first seen.", origin="lineage"),
    Column("changed_at", "instant", "When this version of the record was first seen.", origin="lineage"),
    Column("checked_at", "instant", "When a harvest last confirmed this version.", origin="lineage"),
    Column("parser_version", "string", "Version of the parser that read the page.", origin="lineage"),
)


def _run_columns(*columns: tuple[str, ColumnType, str, bool]) -> tuple[Column, ...]:
    """Columns that belong to the harvest: name, type, description, whether never null."""
    return tuple(Column(name, kind, text, origin="run", required=required) for name, kind, text, required in columns)


def _derived(*columns: tuple[str, ColumnType, str, str]) -> tuple[Column, ...]:
    """Columns that are computed from others: name, type, description, unit."""
    return tuple(Column(name, kind, text, unit=unit, origin="derived") for name, kind, text, unit in columns)


def _derived_key(*columns: tuple[str, ColumnType, str]) -> tuple[Column, ...]:
    """Computed columns that are never null: name, type, description."""
    return tuple(Column(name, kind, text, origin="derived", required=True) for name, kind, text in columns)


_ALL: Final = (
    Table(
        "projects",
        "Projects, one row each.",
        ("project_code",),
        (
            _project_code(),
            Column("name", "string", "Title of the project; titles repeat across districts and years.", "ชื่อโครงการ"),
            Column(
                "agency_code", "string", "Code of the agency: the first 8 digits of the project code.", "รหัสหน่วยงาน"
            ),
            Column("agency_name", "string", "Name of the agency, without the mark of sub-offices (`** `).", "หน่วยงาน"),
            Column(
                "fiscal_year_be",
                "int",
                "Fiscal year, Buddhist era: 2563 runs from 2019-10-01 to 2020-09-30.",
                "ปีงบประมาณ",
                "year",
            ),
            Column("fiscal_year_ce", "int", "The same fiscal year, Common Era (2563 is 2020).", "ปีงบประมาณ", "year"),
            Column("progress_percent", "float", "Progress of the project.", "ความคืบหน้าโครงการ ร้อยละ", "percent"),
            Column(
                "evaluation_score",
                "float",
                "Score given by the Strategy and Evaluation Department.",
                "สยป. ประเมินโครงการ",
            ),
            Column("unit_code", "string", "First half of the unit pair: code of the responsible unit."),
            Column("unit_code_second", "string", "Second half of the unit pair; equal to the first wherever seen."),
            Column("rationale", "string", "Why the project is done.", "หลักการและเหตุผล"),
            Column("objectives", "string", "Objectives of the project.", "วัตถุประสงค์ของโครงการ"),
            Column("targets", "string", "Targets of the project.", "เป้าหมายของโครงการ"),
            Column(
                "budget_received_baht",
                "float",
                "Budget received; only the newer front end prints it.",
                "งบฯ ที่ได้รับ (บาท)",
                "baht",
            ),
            Column(
                "budget_spent_baht",
                "float",
                "Budget spent; only the newer front end prints it.",
                "งบฯ ที่ใช้ไป (บาท)",
                "baht",
            ),
            Column("start_date", "date", "First day; only the newer front end prints it.", "Start Date"),
            Column("finish_date", "date", "Last day; only the newer front end prints it.", "Finish Date"),
            Column(
                "policy_id",
                "string",
                "Number of the governor's policy; only the newer front end prints it.",
                "Policy ID",
            ),
            Column("branch_id", "string", "Number of the branch; only the newer front end prints it.", "Branch ID"),
            *_LINEAGE,
        ),
    ),
    Table(
        "contacts",
        "Contact lines of projects. Personal data: withheld by the setting publish_contacts.",
        ("project_code",),
        (
            _project_code(),
            Column("contact", "string", "The whole line, as printed.", personal=True),
            Column("contact_name", "string", "Names of people or of a unit.", personal=True),
            Column(
                "contact_phone",
                "string",
                "Telephone numbers as printed, without `โทร.` and parentheses.",
                "โทร.",
                personal=True,
            ),
        ),
    ),
    Table(
        "project_strategies",
        "The levels of the city's plan that a project serves.",
        ("project_code", "position"),
        (
            _project_code(),
            *_LEVEL_PLACES,
            Column(
                "level_label", "string", "What level 1 is called in this generation of the plan.", "ด้านที่ / ยุทธศาสตร์ที่"
            ),
            *_LEVEL_NAMES,
        ),
    ),
    Table(
        "progress_reports",
        "Progress reports of projects, as the portal shows them now.",
        ("project_code", "report_index"),
        (
            _project_code(),
            Column(
                "report_index",
                "int",
                "Place counted from 1 at the oldest report, so that it does not move.",
                required=True,
            ),
            Column("report_no", "int", "Number as printed: 1 is the newest, so it moves with every new report."),
            Column("progress_percent", "float", "Progress reported.", "ความคืบหน้าโครงการฯ ร้อยละ", "percent"),
            Column("reported_on_date", "date", "Day in the report's heading."),
            Column("note_date", "date", "The one date typed at the head of the note; null where there is none."),
            Column("note", "string", "What was done, without the leading date."),
            Column("problems", "string", "Problems; null where the portal prints ไม่มี, - or nothing.", "ปัญหาของโครงการ"),
            Column(
                "obstacles", "string", "Obstacles; null where the portal prints ไม่มี, - or nothing.", "อุปสรรคของโครงการ"
            ),
        ),
    ),
    Table(
        "plan_steps",
        "Steps of the projects' plans.",
        ("project_code", "step_no"),
        (
            _project_code(),
            Column("step_no", "int", "Number of the step.", "ขั้นตอน", required=True),
            Column("description", "string", "What is to be done."),
            Column("weight_percent", "float", "Share of the step in the whole plan.", unit="percent"),
            Column("start_date", "date", "Planned first day.", "เริ่มต้น"),
            Column("end_date", "date", "Planned last day; often the same as the first.", "สิ้นสุด"),
        ),
    ),
    Table(
        "project_kpis",
        "Indicators that projects support, as printed on the project's page.",
        ("project_code", "kpi_code"),
        (_project_code(), _kpi_code(), *_MEASURES),
    ),
    Table(
        "project_kpi_quarters",
        "Quarters of those indicators.",
        ("project_code", "kpi_code", "quarter"),
        (_project_code(), _kpi_code(), _QUARTER, *_QUARTER_VALUES),
    ),
    Table(
        "kpis",
        "Indicators, from their own pages.",
        ("kpi_code",),
        (
            _kpi_code(),
            *_MEASURES,
            Column(
                "evaluation_score",
                "float",
                "Score given by the Strategy and Evaluation Department.",
                "สยป. ตรวจประเมินตัวชี้วัด",
            ),
            Column("definition", "string", "What the indicator means.", "นิยาม หรือความหมายของตัวชี้วัด"),
            Column("summary", "string", "Summary of the year's work.", "สรุปผลการดำเนินงาน"),
            *_derived(
                ("agency_code", "string", "Code of the agency: the first 4 digits of the indicator's code.", ""),
                ("agency_name", "string", "Name of that agency, from the table agencies.", ""),
                (
                    "target_direction",
                    "string",
                    "more or less: which is better, by the words of the unit, or null.",
                    "",
                ),
                (
                    "attainment_percent",
                    "float",
                    "Result by target; null where less is better or either is missing.",
                    "percent",
                ),
            ),
            *_LINEAGE,
        ),
    ),
    Table(
        "kpi_quarters",
        "Quarters of indicators, with the quarter's report.",
        ("kpi_code", "quarter"),
        (
            _kpi_code(),
            _QUARTER,
            *_QUARTER_VALUES,
            Column("narrative", "string", "The quarter's report, as printed.", "รายงานผลฯ ไตรมาสที่"),
        ),
    ),
    Table(
        "result_list_items",
        "Items of the agencies' result lists.",
        ("agency_code", "list_name", "item_no"),
        (
            Column("agency_code", "string", "Code of the agency.", "หน่วยงาน", required=True),
            Column(
                "list_name",
                "string",
                "The list: index101, 102, 103 are dimensions 1 to 3, index11 is by strategy.",
                required=True,
            ),
            Column("item_no", "int", "Number of the item.", required=True),
            Column("heading", "string", "What stands in brackets below the item's name."),
            Column("dimension_no", "int", "Dimension of performance.", "มิติที่"),
            Column("dimension_name", "string", "Name of the dimension, as the list prints it once.", "มิติที่"),
            Column("kpi_code", "string", "The first indicator that the item links to."),
            Column("project_code", "string", "The first project that the item links to."),
            Column("name", "string", "Name of the indicator.", "ตัวชี้วัด"),
            Column("strategy", "string", "Strategy printed with the item."),
            Column("unit", "string", "Unit of target and result.", "หน่วยนับ"),
            Column("target_value", "float", "Target, in the unit.", "เป้าหมาย"),
            Column("achieved_value", "float", "Result, in the unit.", "ผลงาน"),
            Column("report", "string", "Text below the quarters that stands under no quarter's label."),
        ),
    ),
    Table(
        "result_list_links",
        "The projects and indicators that items of result lists link to.",
        ("agency_code", "list_name", "item_no", "position"),
        (
            Column("agency_code", "string", "Code of the agency.", "หน่วยงาน", required=True),
            Column("list_name", "string", "The list.", required=True),
            Column("item_no", "int", "Number of the item.", required=True),
            Column("position", "int", "Place among the item's links, from 1.", required=True),
            Column("linked_kind", "string", "project or kpi.", required=True),
            Column("linked_code", "string", "Code of the project or indicator.", required=True),
        ),
    ),
    Table(
        "result_list_quarters",
        "Quarters of the items of result lists.",
        ("agency_code", "list_name", "item_no", "quarter"),
        (
            Column("agency_code", "string", "Code of the agency.", "หน่วยงาน", required=True),
            Column("list_name", "string", "The list.", required=True),
            Column("item_no", "int", "Number of the item.", required=True),
            _QUARTER,
            *_QUARTER_VALUES,
            Column("narrative", "string", "The quarter's report, as printed.", "รายงานผลฯ ไตรมาสที่"),
        ),
    ),
    Table(
        "city_indicators",
        "Indicators of the city's development plan, from their own pages.",
        ("indicator_no",),
        (
            _indicator_no(),
            Column("fiscal_years", "string", "The fiscal years in the page's title, as printed."),
            Column(
                "printed_no", "string", "The number before the name, in Arabic digits; need not be the indicator's."
            ),
            Column("name", "string", "Name of the indicator.", "ตัวชี้วัด"),
            Column("unit", "string", "Unit, as printed inside the target's label.", "ค่าเป้าหมาย"),
            Column("target", "string", "Target, as printed: unit and number are mixed by hand.", "ค่าเป้าหมาย"),
            Column("data_kind", "string", "What kind of data the indicator is.", "ลักษณะข้อมูล"),
            Column("definition", "string", "What the indicator means.", "นิยาม หรือความหมายของตัวชี้วัด"),
            Column("method", "string", "How the indicator is computed.", "วิธีการคำนวณ หรือ เกณฑ์การประเมิน"),
            Column("source", "string", "Where its data come from, and who owns them.", "แหล่งข้อมูล/เจ้าของข้อมูล"),
            *_LINEAGE,
        ),
    ),
    Table(
        "city_indicator_strategies",
        "The levels of the city's plan that these indicators measure.",
        ("indicator_no", "position"),
        (
            _indicator_no(),
            *_LEVEL_PLACES,
            Column("level_label", "string", "What the level is called on the page.", "ด้านที่ / มิติที่ / เป้าหมายที่"),
            *_LEVEL_NAMES,
        ),
    ),
    Table(
        "plan_vs_actual",
        "Planned against reported progress at the month ends of each project's fiscal year; derived from both.",
        ("project_code", "month_end_date"),
        (
            Column("project_code", "string", "Code of the project.", "รหัสโครงการ", origin="derived", required=True),
            Column(
                "month_end_date",
                "date",
                "Last day of a month of the fiscal year.",
                "",
                origin="derived",
                required=True,
            ),
            Column(
                "planned_percent",
                "float",
                "Progress that the plan's steps, by weight and dates, lead to by that day.",
                unit="percent",
                origin="derived",
            ),
            Column(
                "reported_percent",
                "float",
                "Last progress reported on or before that day; null before the first"
                " report and for months not over yet.",
                unit="percent",
                origin="derived",
            ),
            Column(
                "variance_percent",
                "float",
                "Reported less planned: negative is behind plan.",
                unit="percent",
                origin="derived",
            ),
        ),
    ),
    Table(
        "agencies",
        "The agencies that may exist, and those whose code a page has shown; derived from the other tables.",
        ("agency_code",),
        (
            Column("agency_code", "string", "Code of the agency.", "หน่วยงาน", origin="derived", required=True),
            Column(
                "name_th",
                "string",
                "Name of the agency, as the portal prints it; null where no page seen has named it.",
                origin="derived",
            ),
            Column("name_en", "string", "English name of the agency.", origin="derived"),
            Column(
                "kind", "string", "department, district or sub_office, by the code.", origin="derived", required=True
            ),
            Column(
                "district_no",
                "string",
                "National code of the district, 1001 to 1050, by its name: the portal numbers districts in its own way.",
                origin="derived",
            ),
            Column(
                "seen", "bool", "Whether any page has shown a code of this agency.", origin="derived", required=True
            ),
        ),
    ),
    Table(
        "changes",
        "Every change of every published night; derived from the harvests. What contact lines say is withheld.",
        ("harvest_id", "change_no"),
        (
            *_derived_key(
                ("harvest_id", "string", "The harvest that saw the change."),
                ("change_no", "int", "Number of the change in its harvest, from 1."),
                ("harvest_date", "date", "Day of that harvest in Bangkok."),
                ("table", "string", "Table concerned."),
                ("key", "string", "Row concerned: the columns of its key as a JSON object."),
            ),
            *_derived(
                ("project_code", "string", "Project concerned.", ""),
                ("kpi_code", "string", "Indicator concerned.", ""),
                ("agency_code", "string", "Agency concerned.", ""),
            ),
            *_derived_key(("change", "string", "added, removed or changed.")),
            *_derived(
                ("column", "string", "Column concerned; null where the whole row was added or removed.", ""),
                ("before", "string", "Value before; of a removed row a JSON object.", ""),
                ("after", "string", "Value after; of an added row a JSON object.", ""),
            ),
            *_derived_key(("meaning", "string", "What the change means for an audit.")),
            *_derived(("detail", "string", "The finer meaning, where there is one.", "")),
            *_derived_key(("cause", "string", "portal, or parser where only our reading changed.")),
        ),
    ),
    Table(
        "red_flags",
        "Patterns that deserve a question, one row each; derived by the rules of pipeline/schema/red_flags.py.",
        ("rule", "project_code", "flag_no"),
        (
            *_derived_key(
                ("rule", "string", "Name of the rule."),
                ("project_code", "string", "Code of the project."),
                ("flag_no", "int", "Number of the flag of this rule and project, from 1."),
                ("severity", "string", "critical, major or minor."),
            ),
            *_derived(
                ("harvest_id", "string", "The harvest that saw the change, or first saw the record as it is now.", ""),
                ("evidence", "string", "The rows that show it: a JSON list of tables and keys.", ""),
                ("printed", "string", "What these rows say.", ""),
            ),
        ),
    ),
    Table(
        "project_overview",
        "How each project stands, one row each; derived from the other tables.",
        ("project_code",),
        (
            *_derived_key(("project_code", "string", "Code of the project.")),
            *_derived(
                ("name", "string", "Title of the project.", ""),
                ("agency_code", "string", "Code of the agency.", ""),
                ("agency_name", "string", "Name of the agency.", ""),
                ("fiscal_year_be", "int", "Fiscal year, Buddhist era.", "year"),
                ("progress_percent", "float", "Progress of the project.", "percent"),
                ("planned_percent", "float", "Progress that the plan leads to by the day of the harvest.", "percent"),
                ("variance_percent", "float", "Progress less planned: negative is behind plan.", "percent"),
                ("last_report_date", "date", "Latest day of a report.", ""),
                ("days_since_report", "int", "Days from that day to the day of the harvest.", "days"),
            ),
            *_derived_key(
                ("reports", "int", "Number of progress reports."),
                ("has_problems", "bool", "Whether any report names problems or obstacles."),
                ("steps", "int", "Number of steps in the plan."),
            ),
            *_derived(("weights_sum", "float", "Sum of the steps' weights.", "percent")),
            *_derived_key(
                ("kpis", "int", "Number of indicators on the project's page."),
                ("kpis_attained", "int", "How many of them reached their target, of those where it can be computed."),
            ),
            *_derived(
                ("budget_received_baht", "float", "Budget received.", "baht"),
                ("budget_spent_baht", "float", "Budget spent.", "baht"),
            ),
            *_derived_key(
                ("times_rewritten", "int", "In how many harvests history of the project was rewritten."),
                ("red_flags", "int", "Number of red flags."),
            ),
        ),
    ),
    Table(
        "pages",
        "What was looked at in a harvest, and what came; pages not looked at carry their version on.",
        ("page_key", "harvest_id"),
        _run_columns(
            ("page_key", "string", "The page: its kind and code.", True),
            ("harvest_id", "string", "The harvest: its start in UTC.", True),
            ("url", "string", "Where the page was fetched from.", True),
            ("kind", "string", "project, kpi, result_list, yii_project or city_indicator.", True),
            ("project_code", "string", "Code of the project, on pages of projects.", False),
            ("kpi_code", "string", "Code of the indicator, on pages of indicators.", False),
            ("outcome", "string", "new, changed, unchanged, not_found, blank, blocked, failed or skipped.", True),
            ("outcome_since", "string", "The first of the published harvests running with this outcome.", False),
            ("verdict", "string", "The parser's verdict; null where nothing came.", False),
            ("http_status", "int", "Status of the answer; null where nothing came.", False),
            ("page_sha256", "string", "SHA-256 of the bytes served; null where nothing came.", False),
            ("facts_sha256", "string", "SHA-256 of the record's values; in harvests/ of new versions only.", False),
            ("version_harvest_id", "string", "The harvest that holds this version's rows.", False),
            ("body_harvest_id", "string", "The harvest that holds the bytes of page_sha256.", False),
            ("record_sha256", "string", "SHA-256 of the bytes last served with this record.", False),
            ("record_body_harvest_id", "string", "The harvest that holds those bytes.", False),
            ("version_verdict", "string", "The verdict of the page that gave this version.", False),
            ("bytes", "int", "Size of the bytes served.", False),
            ("fetched_at", "instant", "When the page was fetched in this harvest.", False),
            ("error", "string", "Why nothing came.", False),
            ("evaluation_quarter", "int", "The quarter in the line of สยป.: a setting of the portal.", False),
            ("progress_percent", "float", "Progress that a project's page prints: its two pages may differ.", False),
            ("encoding", "string", "Charset the bytes were read in.", False),
            ("parser_version", "string", "Version of the parser that read the page.", False),
            ("first_seen_at", "instant", "When the record was first seen.", False),
            ("changed_at", "instant", "When this version was first seen.", False),
            ("checked_at", "instant", "When a harvest last confirmed this version.", False),
            ("misses", "int", "How many harvests running the portal said not found or blank.", True),
            ("ended_at", "instant", "When the record ended: the second miss running.", False),
            ("unclaimed", "string", "Printed lines of the record's page that no rule read, at most 20.", False),
            (
                "suspect_sha256",
                "string",
                "Hash of what a suspect page says that has not replaced a whole version.",
                False,
            ),
            ("suspect_nights", "int", "How many harvests running it said so.", False),
            ("final_url", "string", "Where the record's page came from, where a redirect led elsewhere.", False),
            ("etag", "string", "The server's validator of the record's bytes.", False),
            ("last_modified", "string", "The server's date of the record's bytes.", False),
        ),
    ),
    Table(
        "findings",
        "What was odd about the pages of a harvest.",
        ("harvest_id", "page_key", "finding_no"),
        _run_columns(
            ("harvest_id", "string", "The harvest.", True),
            ("page_key", "string", "The page.", True),
            ("finding_no", "int", "Number of the finding on its page, from 1.", True),
            ("rule", "string", "Name of the rule.", True),
            ("severity", "string", "note, warning or error.", True),
            ("table", "string", "Table concerned.", False),
            ("key", "string", "Row concerned.", False),
            ("column", "string", "Column concerned.", False),
            ("printed", "string", "What the page printed.", False),
            ("message", "string", "What is odd.", True),
        ),
    ),
)

TABLES: Final[dict[str, Table]] = {table.name: table for table in _ALL}
"""All published tables by name."""

DERIVED_TABLES: Final = ("plan_vs_actual", "agencies", "changes", "red_flags", "project_overview")
"""The tables that are computed from the facts of others: never stored as truth, never compared."""

DERIVATION_VERSION: Final = 1
"""Raise it when a derived table or column gives other values for the same facts: snapshots are then written anew."""

RECORD_TABLES: Final = tuple(name for name in TABLES if name not in ("pages", "findings", *DERIVED_TABLES))
"""The tables whose rows are facts printed on pages."""

PAGE_LEVEL_TABLES: Final = frozenset(
    table.name for table in _ALL if any(column.origin == "lineage" for column in table.columns)
)
"""The tables in which a row is a page's record, and so carries lineage."""


@cache
def schema_version() -> str:
    """Names the present tables, columns, types and derivations: files written under another one may lack columns."""
    declared = [[table.name, table.key, [(column.name, column.type) for column in table.columns]] for table in _ALL]
    # a name that is known since gives other rows for the same facts
    return hashlib.sha256(json.dumps([declared, DERIVATION_VERSION, NAMES_SHA256]).encode()).hexdigest()[:12]


@cache
def page_columns(table: str) -> tuple[str, ...]:
    """The columns that a parser's row carries: what the page prints."""
    return tuple(column.name for column in TABLES[table].columns if column.origin == "page")


def frame_attributes(table: str) -> dict[str, Any]:
    """What a frame of a table knows of itself (`frame.attrs`): its title, its key, what columns mean, their units."""
    spec = TABLES[table]
    return {
        "title": spec.description,
        "key": list(spec.key),
        "columns": {column.name: column.description for column in spec.columns},
        "units": {column.name: column.unit for column in spec.columns if column.unit},
    }


@cache
def arrow_schemas(*, facts_only: bool = False) -> Mapping[str, pa.Schema]:
    """The Arrow schemas of all tables, with everything a reader needs inside: descriptions, labels, units, pandas types.

    facts_only: leave the lineage columns out, and what only pandas reads: the schemas of the small files of a harvest,
    where each kilobyte of it would be there in every harvest
    """
    if facts_only:
        return {name: _facts_of(TABLES[name], schema) for name, schema in arrow_schemas().items()}
    return {name: _arrow_schema(table) for name, table in TABLES.items()}


def arrow_schema(table: str, *, facts_only: bool = False) -> pa.Schema:
    """The Arrow schema of one table; see `arrow_schemas`."""
    return arrow_schemas(facts_only=True)[table] if facts_only else arrow_schemas()[table]


def _facts_of(table: Table, schema: pa.Schema) -> pa.Schema:
    added = ("lineage",) if table.name in DERIVED_TABLES else ("lineage", "derived")
    return pa.schema([schema.field(column.name) for column in table.columns if column.origin not in added])


def _arrow_schema(table: Table) -> pa.Schema:
    fields = [
        pa.field(
            column.name,
            _ARROW[column.type],
            nullable=not column.required,
            metadata={
                key: value
                for key, value in (
                    ("description", column.description),
                    ("label_th", column.label_th),
                    ("unit", column.unit),
                    ("personal", "true" if column.personal else ""),
                )
                if value
            },
        )
        for column in table.columns
    ]
    pandas = {
        "index_columns": [],
        "column_indexes": [],
        "columns": [
            {
                "name": column.name,
                "field_name": column.name,
                "pandas_type": _PANDAS[column.type][0],
                "numpy_type": _PANDAS[column.type][1],
                "metadata": {"timezone": "UTC"} if column.type == "instant" else None,
            }
            for column in table.columns
        ],
        "creator": {"library": "pyarrow", "version": "0"},
        "pandas_version": "3",
    }
    return pa.schema(
        fields,
        metadata={
            "pandas": json.dumps(pandas, ensure_ascii=False),
            "PANDAS_ATTRS": json.dumps(frame_attributes(table.name), ensure_ascii=False),
            "title": table.description,
        },
    )
