"""The portal's addresses: kinds of pages, their URLs and codes, and which links of a page lead to further pages."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urljoin, urlsplit

from pipeline.errors import SettingsError

PROJECT_CODE: Final = re.compile(r"[0-9]{8}-[0-9]{4}", re.ASCII)
KPI_CODE: Final = re.compile(r"[0-9]{4}-[0-9]{3,4}", re.ASCII)
AGENCY_CODE: Final = re.compile(r"[0-9]{8}", re.ASCII)
LISTS: Final = ("index101", "index102", "index103", "index11")
"""Result lists: dimensions 1, 2 and 3, and the list by strategy."""

_LIST_PAGE: Final = re.compile(r"(index10[123]|index11)\.php", re.IGNORECASE)
_PROBE: Final = re.compile(r"([0-9]{8}):([0-9]{1,4})-([0-9]{1,4})", re.ASCII)
_MOBILE: Final = ("mobile", "mobile62")


@dataclass(frozen=True, slots=True, order=True)
class PageRef:
    """One page of the portal: what it is, its code, the key that names it for ever, and where to fetch it."""

    page_key: str
    kind: str
    code: str
    url: str


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency of the administration; the name is null where no page seen has named it."""

    agency_code: str
    stem: str
    name_th: str | None


@cache
def agencies() -> tuple[Agency, ...]:
    """The reference table of agencies: the departments seen on pages, and the fifty districts."""
    with (Path(__file__).parent / "agencies.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(Agency(row["agency_code"], row["agency_code"][:4], row["name_th"] or None) for row in csv.DictReader(stream))


def agency_codes(chosen: Iterable[str] = ()) -> list[str]:
    """Eight-digit codes of the chosen agencies (given by 8 or 4 digits), or of all. Raises SettingsError."""
    codes = []
    for text in chosen:
        text = text.strip()
        code = f"{text}0000" if re.fullmatch(r"[0-9]{4}", text, re.ASCII) else text
        if not AGENCY_CODE.fullmatch(code):
            raise SettingsError(f"{text!r} is no agency's code; give 8 digits such as 50240000, or the first 4")
        codes.append(code)
    return codes or [agency.agency_code for agency in agencies()]


def project_ref(portal: str, code: str) -> PageRef:
    """The page of a project."""
    return PageRef(f"project/{code}", "project", code, f"{portal}/mobile/myproject.php?pid={code}")


def kpi_ref(portal: str, code: str) -> PageRef:
    """The page of an indicator."""
    return PageRef(f"kpi/{code}", "kpi", code, f"{portal}/mobile/mykpi.php?pid={code}")


def list_ref(portal: str, name: str, agency_code: str) -> PageRef:
    """A result list of an agency."""
    key = f"result_list/{name}/{agency_code}"
    return PageRef(key, "result_list", agency_code, f"{portal}/mobile/{name}.php?selDEP={agency_code}")


def yii_ref(portal: str, code: str) -> PageRef:
    """The newer front end's page of a project."""
    url = f"{portal}/bs2568/frontend/web/index.php?project_id={code}&r=tbl-project-main%2Fview"
    return PageRef(f"yii_project/{code}", "yii_project", code, url)


def page_ref(url: str, portal: str) -> PageRef | None:
    """The page a URL names, whatever its form, if it is of a known kind and on this portal; else None.

    Host case, default port, http or https, order of parameters, fragments, `/mobile62/` and percent-encoding do not
    matter; the reference always has the one usual URL. Never raises.
    """
    try:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not same_portal(url, portal):
            return None
        prefix = urlsplit(portal).path.rstrip("/")
        if not parts.path.startswith(f"{prefix}/"):
            return None
        path = parts.path.removeprefix(prefix).strip("/").split("/")
        query = {name: values[-1].strip() for name, values in parse_qs(parts.query).items()}
    except ValueError:
        return None
    if len(path) == 2 and path[0] in _MOBILE:
        code = query.get("pid", "")
        if path[1] == "myproject.php" and PROJECT_CODE.fullmatch(code):
            return project_ref(portal, code)
        if path[1] == "mykpi.php" and KPI_CODE.fullmatch(code):
            return kpi_ref(portal, code)
        name, agency = _LIST_PAGE.fullmatch(path[1]), query.get("selDEP", "")
        if name and AGENCY_CODE.fullmatch(agency):
            return list_ref(portal, name[1].lower(), agency)
    if path[-3:] == ["frontend", "web", "index.php"] and query.get("r", "").replace("%2F", "/") == "tbl-project-main/view":
        code = query.get("project_id", "")
        if PROJECT_CODE.fullmatch(code):
            return yii_ref(portal, code)
    return None


def same_portal(url: str, portal: str) -> bool:
    """Whether a URL stays on the portal: the same host and port; http and https are one."""
    try:
        one, other = urlsplit(url), urlsplit(portal)
        return (one.hostname, _port(one.scheme, one.port)) == (other.hostname, _port(other.scheme, other.port))
    except ValueError:
        return False


def _port(scheme: str, port: int | None) -> int:
    # http on 80 and https on 443 are the same portal
    return 80 if port is None or (scheme, port) in (("http", 80), ("https", 443)) else port


def discover(links: Iterable[str], base: str, portal: str) -> Iterator[PageRef]:
    """The pages of the portal that a page's links lead to, each once, in page order."""
    seen: set[str] = set()
    for link in links:
        try:
            url = urljoin(base, link)
        except ValueError:
            continue
        ref = page_ref(url, portal)
        if ref and ref.page_key not in seen:
            seen.add(ref.page_key)
            yield ref


def code_ref(text: str, portal: str) -> PageRef | None:
    """The page of a bare project or indicator code, or of a URL."""
    if PROJECT_CODE.fullmatch(text):
        return project_ref(portal, text)
    if KPI_CODE.fullmatch(text):
        return kpi_ref(portal, text)
    return page_ref(text, portal)


def read_pages_file(file: Path, portal: str) -> list[PageRef]:
    """Project or indicator codes or URLs, one a line; `#` begins a comment. Raises SettingsError with the line."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise SettingsError(f"the file of pages {file} cannot be read ({reason}); check its name") from None
    refs: dict[str, PageRef] = {}
    for number, line in enumerate(lines, 1):
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        ref = code_ref(text, portal)
        if ref is None:
            raise SettingsError(
                f"{file}, line {number}: {text[:80]!r} is no project code, no indicator code and no page of {portal}; correct the line"
            )
        refs[ref.page_key] = ref
    if not refs:
        raise SettingsError(f"the file of pages {file} names no page; write one code or URL a line")
    return list(refs.values())


def probe_refs(text: str, portal: str) -> list[PageRef]:
    """The projects of a range of serials, such as `50240000:3500-3600`. Raises SettingsError."""
    found = _PROBE.fullmatch(text.strip())
    if not found or int(found[2]) > int(found[3]):
        raise SettingsError(f"{text!r} is no range of serials; write an agency's code and two numbers, such as 50240000:3500-3600")
    return [project_ref(portal, f"{found[1]}-{serial:04d}") for serial in range(int(found[2]), int(found[3]) + 1)]
