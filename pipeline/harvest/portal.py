"""The portal's addresses: kinds of pages, their URLs and codes, and which links of a page lead to further pages."""

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs, unquote, urlencode, urljoin, urlsplit

from pipeline.errors import SettingsError, shortened
from pipeline.schema.agencies import agencies
from pipeline.schema.codes import (
    AGENCY_CODE,
    CITY_INDICATOR_NO,
    KPI_CODE,
    PROJECT_CODE,
    agency_of_code,
    full_agency_code,
)

LISTS: Final = ("index101", "index102", "index103", "index104", "index105", "index11")
"""Result lists: dimensions 1 to 5, of which 4 and 5 are only mentioned in titles, and the list by strategy."""

_LIST_PAGE: Final = re.compile(r"(index10[1-5]|index11)\.php", re.ASCII)
_YII_PAGE: Final = re.compile(r"(?:(.+)/)?frontend/web(?:/index\.php)?", re.ASCII | re.IGNORECASE)
_MEANINGLESS: Final = re.compile(r"PHPSESSID|s?sid|session_?id|_|utm_.*|fbclid|gclid", re.ASCII | re.IGNORECASE)
"""Parameters that name a visit, not a page. All others are kept: `page=2` or `year=2566` may be another list."""
_PROBE: Final = re.compile(r"([0-9]{8}|[0-9]{4}):([0-9]{1,4})(?:-([0-9]{1,4}))?", re.ASCII)
_SAME_IN_FOLDER: Final = re.compile(r"\s*(?:[\w.-]+[/?]|/\w|https?://\w)", re.ASCII)
"""A link that leads to the same page from every page of a folder: remembered by its folder, it is read once."""
_USUAL: Final = re.compile(
    r"(?:\./|(/mobile/))?((?:myproject|mykpi|index10[1-5]|index11)\.php)\?(pid|selDEP)=([0-9-]+)", re.ASCII
)
"""How nearly all links of the portal's own pages are written."""
_MOBILE: Final = ("mobile", "mobile62")
_LONGEST_URL: Final = 2_000  # servers refuse longer ones; the portal's have some hundred characters
_INVISIBLE: Final = "\ufeff\u200b\u200c\u200d\u2060"  # what copying from a web page or a word processor leaves


@dataclass(frozen=True, slots=True, order=True)
class PageRef:
    """One page of the portal: what it is, its code, the key that names it for ever, and where to fetch it.

    kind: "project", "kpi", "result_list", "yii_project", "city_indicator", or "start" for the menu whose links lead to the
        others
    """

    page_key: str
    kind: str
    code: str
    url: str

    @property
    def agency_code(self) -> str:
        """The eight digits of the agency the code belongs to: `24000000` for the indicator `2400-1013`."""
        return agency_of_code(self.code)


def agency_codes(chosen: Iterable[str] = ()) -> list[str]:
    """Eight-digit codes of the chosen agencies (given by 8 or 4 digits), or of all. Raises SettingsError."""
    codes: dict[str, None] = {}
    for given in chosen:
        code = full_agency_code(given)
        if code is None:
            raise SettingsError(
                f"{given.strip()!r} is no agency's code; give 8 digits such as 50240000, or the first 4"
            )
        codes[code] = None
    return list(codes) or [agency.agency_code for agency in agencies()]


# --- addresses of codes ---------------------------------------------------------------------------------------------


def start_refs(portal: str) -> list[PageRef]:
    """The menus to begin with. They hold no record; the newer front end's pages may be linked nowhere else."""
    return [
        PageRef("start/mobile", "start", "", f"{portal}/mobile/"),
        PageRef("start/", "start", "", f"{portal}/"),
    ]


def project_ref(portal: str, code: str) -> PageRef:
    """The page of a project."""
    return PageRef(f"project/{code}", "project", code, f"{portal}/mobile/myproject.php?pid={code}")


def kpi_ref(portal: str, code: str) -> PageRef:
    """The page of an indicator."""
    return PageRef(f"kpi/{code}", "kpi", code, f"{portal}/mobile/mykpi.php?pid={code}")


def city_indicator_ref(portal: str, number: str) -> PageRef:
    """The page of an indicator of the city's development plan, by its number."""
    key = f"city_indicator/{number}"
    return PageRef(key, "city_indicator", number, f"{portal}/mobile/mykpi2563.php?pid={number}")


def list_ref(portal: str, name: str, agency_code: str, more: Mapping[str, str] = MappingProxyType({})) -> PageRef:
    """A result list of an agency. more: further parameters, such as the number of one of its pages"""
    further = urlencode(sorted(more.items()))
    key = f"result_list/{name}{f'?{further}' if further else ''}/{agency_code}"
    url = f"{portal}/mobile/{name}.php?selDEP={agency_code}{f'&{further}' if further else ''}"
    return PageRef(key, "result_list", agency_code, url)


def list_refs(portal: str, chosen: Iterable[str] = ()) -> list[PageRef]:
    """All result lists of the chosen agencies, or of all agencies. Raises SettingsError."""
    return [list_ref(portal, name, code) for code in agency_codes(chosen) for name in LISTS]


def yii_ref(portal: str, code: str, folder: str = "bs2568") -> PageRef:
    """The newer front end's page of a project; any folder may hold that front end, such as `bs2568` or `dp`."""
    url = f"{portal}/{folder}{'/' if folder else ''}frontend/web/index.php?project_id={code}&r=tbl-project-main%2Fview"
    return PageRef(f"yii_project/{code}", "yii_project", code, url)


def older_copy(ref: PageRef) -> PageRef | None:
    """The same page under `/mobile62/`, for one that `/mobile/` does not have; None where there is no such copy.

    A page is one page whichever copy links to it, and `/mobile/` is requested first: the copies can show other values, and
    what a harvest says must not depend on which link was met first.
    """
    if ref.kind not in ("project", "kpi", "result_list", "city_indicator") or "/mobile/" not in ref.url:
        return None
    return PageRef(ref.page_key, ref.kind, ref.code, ref.url.replace("/mobile/", "/mobile62/", 1))


# --- codes of addresses ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=16_384)  # lists and pages of an agency link to the same pages again and again
def page_ref(url: str, portal: str | None = None, base: str | None = None) -> PageRef | None:
    """The page a URL names, whatever its form, if it is of a known kind and on this portal; else None.

    portal: its address; None takes the host of the URL itself as the portal
    base: the address of the page that holds the link, for a relative one

    Host case, default port, http or https, order of parameters, fragments, `/mobile62/`, percent-encoding and letter
    case of the path do not matter; the reference always has the one usual URL. Never raises: links are typed by hand.
    """
    if len(url) > _LONGEST_URL or "=" not in url:
        return None
    usual = _USUAL.fullmatch(url)
    if usual and portal and base and _is_usual(base, portal, bool(usual[1])):  # what follows costs six times as much
        return _ref(f"mobile/{usual[2]}", {usual[3]: usual[4]}, portal)
    try:
        address = url.strip()
        if base is not None:
            path, mark, query_text = address.partition("?")
            address = urljoin(base, path.replace("\\", "/") + mark + query_text)
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return None
        if portal is None:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            portal = f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
        elif not same_portal(address, portal):
            return None
        path = path_below(parts.path, portal)
        query = meaningful_query(parts.query)
    except ValueError:
        return None
    return _ref(path, query, portal)


def _is_usual(base: str, portal: str, from_root: bool) -> bool:
    """True where a link of the usual form leads into the portal's folder `mobile`. from_root: it begins with that folder"""
    if from_root:
        return base.startswith(f"{portal}/") and portal.count("/") == 2
    folder = f"{portal}/mobile/"
    return base.startswith(folder) and "/" not in base[len(folder) :].partition("?")[0]


def _ref(path: str, query: dict[str, str], portal: str) -> PageRef | None:
    folder, _, page = path.lower().partition("/")
    if folder in _MOBILE:
        code = query.get("pid", "")
        if page == "myproject.php" and PROJECT_CODE.fullmatch(code):
            return project_ref(portal, code)
        if page == "mykpi.php" and KPI_CODE.fullmatch(code):
            return kpi_ref(portal, code)
        if page == "mykpi2563.php" and CITY_INDICATOR_NO.fullmatch(code):
            return city_indicator_ref(portal, code.lstrip("0"))
        found, agency = _LIST_PAGE.fullmatch(page), query.get("selDEP", "")
        if found and AGENCY_CODE.fullmatch(agency):
            return list_ref(
                portal, found[1], agency, {name: value for name, value in query.items() if name != "selDEP"}
            )
    newer = _YII_PAGE.fullmatch(path)
    if newer and query.get("r", "").strip("/") == "tbl-project-main/view":
        code = query.get("project_id", "")
        if PROJECT_CODE.fullmatch(code):
            return yii_ref(portal, code, newer[1] or "")
    return None


def meaningful_query(query: str) -> dict[str, str]:
    """The parameters of a query, in order of name, without those that name a visit and no page.

    PHP takes the last of several parameters of one name.
    """
    values = {name: found[-1].strip() for name, found in sorted(parse_qs(query).items())}
    return {name: value for name, value in values.items() if not _MEANINGLESS.fullmatch(name)}


def path_below(path: str, portal: str) -> str:
    """The path inside the portal, without doubled slashes and dots; empty outside of it."""
    prefix = urlsplit(portal).path
    steps: list[str] = []
    for step in unquote(path).split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    first = [step for step in prefix.split("/") if step]
    return "/".join(steps[len(first) :]) if steps[: len(first)] == first else ""


def same_portal(url: str, portal: str) -> bool:
    """True where a URL is on the portal: the same host and port; http and https count as one."""
    try:
        one, other = urlsplit(url), urlsplit(portal)
        return _host(one.hostname) == _host(other.hostname) and _port(one.scheme, one.port) == _port(
            other.scheme, other.port
        )
    except ValueError:
        return False


def _host(name: str | None) -> str | None:
    return name.rstrip(".") if name else None


def _port(scheme: str, port: int | None) -> int:
    # http on 80 and https on 443 are the same portal
    return 80 if port is None or (scheme, port) in (("http", 80), ("https", 443)) else port


def discover(links: Iterable[str], base: str, portal: str) -> Iterator[PageRef]:
    """The pages of the portal that a page's links lead to, each once, in page order.

    links: as written in the page; base: the address the page was served from
    """
    seen: set[str] = set()
    folder = _folder(base.partition("?")[0])
    for link in links:
        ref = page_ref(link, portal, folder if _SAME_IN_FOLDER.match(link) else base)
        if ref and ref.page_key not in seen:
            seen.add(ref.page_key)
            yield ref


@lru_cache(maxsize=64)
def _folder(base: str) -> str:
    """The folder of an address."""
    try:
        return urljoin(base, ".")
    except ValueError:  # brackets that are no IPv6 address
        return base


# --- what a user asks for -----------------------------------------------------------------------------------------


def code_ref(text: str, portal: str) -> PageRef | None:
    """The page of a bare project or indicator code, or of a URL."""
    if PROJECT_CODE.fullmatch(text):
        return project_ref(portal, text)
    if KPI_CODE.fullmatch(text):
        return kpi_ref(portal, text)
    return page_ref(text, portal)


def read_pages_file(file: Path, portal: str) -> list[PageRef]:
    """Project or indicator codes or URLs, one a line; `#` begins a comment. Each page once, in the file's order.

    Raises SettingsError that names the first line that is no page and counts the others.
    """
    refs: dict[str, PageRef] = {}
    wrong: list[str] = []
    for number, line in enumerate(_lines(file), 1):
        text = line.split("#", 1)[0].strip().strip(_INVISIBLE).strip()
        if not text:
            continue
        ref = code_ref(text, portal)
        if ref is None:
            wrong.append(f"line {number}: {shortened(text)!r}")
        else:
            refs.setdefault(ref.page_key, ref)
    if wrong:
        more = f" (and {len(wrong) - 1} more lines)" if len(wrong) > 1 else ""
        raise SettingsError(
            f"{file}, {wrong[0]} is no project code, no indicator code and no page of {portal}{more}; correct the file"
        )
    if not refs:
        raise SettingsError(f"the file of pages {file} names no page; write one code or URL a line")
    return list(refs.values())


def _lines(file: Path) -> list[str]:
    try:
        raw = file.read_bytes()
        # Windows' editors write UTF-16 when asked for "Unicode"
        encoding = "utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        text = raw.decode(encoding)
    except OSError as error:
        raise SettingsError(f"the file of pages {file} cannot be read ({error.strerror}); check its name") from None
    except UnicodeDecodeError:
        raise SettingsError(f"the file of pages {file} is no UTF-8 text; save it as UTF-8") from None
    return re.split(r"\r\n|\r|\n", text)


def probe_refs(text: str, portal: str) -> list[PageRef]:
    """The projects of a range of serials, such as `50240000:3500-3600` (or one: `5024:3500`). Raises SettingsError."""
    found = _PROBE.fullmatch(text.strip())
    if found:
        agency, first, last = agency_codes([found[1]])[0], int(found[2]), int(found[3] or found[2])
        if first <= last:
            return [project_ref(portal, f"{agency}-{serial:04d}") for serial in range(first, last + 1)]
    raise SettingsError(
        f"{text!r} is no range of serials; write an agency's code and two numbers, such as 50240000:3500-3600"
    )
