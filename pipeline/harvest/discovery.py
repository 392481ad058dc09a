"""Which pages of the portal a page leads to, and how many of them a harvest follows."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

from parsers import ParsedPage
from pipeline.harvest.leads import leads_in
from pipeline.harvest.portal import (
    LISTS,
    PageRef,
    discover,
    kpi_ref,
    list_ref,
    meaningful_query,
    page_ref,
    path_below,
    project_ref,
    same_portal,
)
from pipeline.schema.agencies import agencies_by_code
from pipeline.schema.codes import AGENCY_CODE, KPI_CODE, PROJECT_CODE, agency_of_code
from pipeline.settings import Settings

_MENU_FOLDER: Final = re.compile(r"mobile(?:62)?(?:/|$)|(?:.+/)?frontend/web(?:/|$)", re.IGNORECASE)
_MENU_FILE: Final = re.compile(r"[^.]*(?:\.(?:php|html?|aspx?|jsp))?", re.IGNORECASE)
_NO_MENU: Final = re.compile(
    r"log-?(?:in|out|off)|sign-?(?:in|up|out)|passw|delete|remove|edit|update|create|insert|save|print|pdf|excel|export|"
    r"load|sort=|order=|pid=|project_id=|my(?:project|kpi|kpi2563)\.php",
    re.IGNORECASE,
)
"""Pages that do something, show a record otherwise, or the same list in another order: they are not followed."""


def pages_found(parsed: ParsedPage, address: str, portal: str, *, is_menu: bool) -> list[PageRef]:
    """The pages of the portal that a page leads to, each once: by its links, and by what else reads as an address or a code.

    address: the one the page was served from; is_menu: it holds no record, so that further menus are followed, too
    The lists of an agency that was not known before are among them.
    """
    base = _base(address, parsed.base)
    found = {ref.page_key: ref for ref in discover(parsed.links, base, portal)}
    leads = leads_in(parsed.source)
    for lead in leads:
        for ref in _of_lead(lead, base, portal):
            found.setdefault(ref.page_key, ref)
    if is_menu:
        folder = urljoin(address, ".")
        menus = [menu_ref(link, base, portal, folder) for link in parsed.links]
        menus += [menu_ref(lead, base, portal) for lead in leads if "." in lead]
        found.update({ref.page_key: ref for ref in menus if ref})
    planned = agencies_by_code()
    for code in dict.fromkeys(ref.agency_code for ref in found.values()):
        if AGENCY_CODE.fullmatch(code) and code not in planned:
            found.update((ref.page_key, ref) for ref in (list_ref(portal, name, code) for name in LISTS))
    return list(found.values())


def _base(address: str, base: str | None) -> str:
    try:
        return urljoin(address, base) if base else address
    except ValueError:  # brackets that are no IPv6 address
        return address


def _of_lead(lead: str, base: str, portal: str) -> list[PageRef]:
    """The pages of an address or of a bare code."""
    if PROJECT_CODE.fullmatch(lead):  # eight digits and four may also be a telephone number
        return [project_ref(portal, lead)] if agency_of_code(lead).endswith("0000") else []
    if KPI_CODE.fullmatch(lead):  # so may four and four, or two years
        return [kpi_ref(portal, lead)] if agency_of_code(lead) in agencies_by_code() else []
    if AGENCY_CODE.fullmatch(lead):
        return [list_ref(portal, name, lead) for name in LISTS]
    ref = page_ref(lead, portal, base)
    return [ref] if ref else []


def menu_ref(link: str, base: str, portal: str, folder: str | None = None) -> PageRef | None:
    """A page of the portal that is of no known kind and may be a menu; else None.

    folder: only below it, and in the folders that the portal's applications have; None: anywhere on the portal
    """
    if PROJECT_CODE.fullmatch(link) or KPI_CODE.fullmatch(link):  # what a script is given: see `_of_lead`
        return None
    try:
        address = urljoin(base, link.strip().replace("\\", "/")).partition("#")[0]
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not same_portal(address, portal) or page_ref(address, portal):
            return None
        path, query = path_below(parts.path, portal), urlencode(meaningful_query(parts.query))
        above = path_below(urlsplit(folder).path, portal) if folder else ""
    except ValueError:
        return None
    is_near = folder is None or _MENU_FOLDER.match(path) or (above and path.startswith(f"{above}/"))
    text = f"{path}?{query}" if query else path
    if not is_near or not _MENU_FILE.fullmatch(path.rpartition("/")[2]) or _NO_MENU.search(text):
        return None
    slash = "/" if parts.path.endswith("/") and path else ""
    url = f"{portal}/{path}{slash}{f'?{query}' if query else ''}"
    return PageRef(f"start/{text}", "start", "", url)


class DiscoveryLimits:
    """How many menus, and how many pages of one list, a harvest follows: an endless listing must not keep it running."""

    def __init__(self, settings: Settings, planned: Iterable[str]) -> None:
        """planned: keys of the pages that are to be fetched already."""
        self._settings = settings
        self._keys: dict[str, set[str]] = {}
        self._reached: set[str] = set()
        for key in planned:
            if group := _group(key):
                self._keys.setdefault(group, set()).add(key)

    def within(self, found: Iterable[PageRef]) -> list[PageRef]:
        """The pages that may be fetched, too."""
        return [ref for ref in found if self._allows(ref.page_key)]

    def _allows(self, key: str) -> bool:
        group = _group(key)
        if group is None:
            return True
        keys = self._keys.setdefault(group, set())
        limit = self._settings.max_menu_pages if group == "menus" else self._settings.max_list_pages
        if key not in keys and len(keys) >= limit:
            self._reached.add(group)
            return False
        keys.add(key)
        return True

    def remarks(self) -> list[str]:
        """What an operator should know: which limits were reached."""
        remarks = []
        if "menus" in self._reached:
            message = (
                f"Only {self._settings.max_menu_pages:,} menus were followed: what others lead to is missing. If the portal "
                "really has more, raise the setting max_menu_pages."
            )
            remarks.append(message)
        if lists := sorted(self._reached - {"menus"}):
            named = ", ".join(lists[:3]) + (f" and {len(lists) - 3:,} more" if len(lists) > 3 else "")
            message = (
                f"Of {named} only {self._settings.max_list_pages:,} pages were followed. If the list really has more, raise "
                "the setting max_list_pages."
            )
            remarks.append(message)
        return remarks


def _group(key: str) -> str | None:
    """What is counted together: all menus, or the pages of one agency's list; None for any other page."""
    kind, _, rest = key.partition("/")
    if kind == "start":
        return "menus"
    name, mark, _ = rest.partition("?")
    return f"{name}/{key.rpartition('/')[2]}" if kind == "result_list" and mark else None
