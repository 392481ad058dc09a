"""What to do after a first look at a portal, in sentences."""

from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.harvest.portal import list_refs
from pipeline.harvest.probe_result import ProbedPage
from pipeline.schema.page_kinds import RECORD_KINDS
from pipeline.settings import Settings


def advice(
    settings: Settings,
    pages: Sequence[ProbedPage],
    linked: Mapping[str, int],
    interval: float,
    stopped: str | None,
) -> tuple[bool, list[str]]:
    """Whether a harvest may follow at once, and what to do next, one sentence each.

    pages: all that were looked at; linked: pages that menus and lists lead to, by kind; interval: seconds between two
    requests; stopped: why the look ended early
    """
    whole = Counter(page.kind for page in pages if page.verdict == "ok" and page.error is None)
    problems = [*([f"The look ended early: {stopped}."] if stopped else []), *_problems(pages), *_odd_lines(pages)]
    if not any(whole[kind] for kind in RECORD_KINDS):
        problems.append("No page showed a whole record: do not harvest before that is understood.")
    sentences = problems[:]
    projects = linked.get("project", 0) + linked.get("yii_project", 0)
    if projects < max(1, whole["result_list"]):
        sentences.append(
            f"{whole['result_list']:,} lists lead to {projects:,} projects only. A sweep asks for serials over many nights: "
            "bma-progress harvest --sweep 50010000:1-7200, or the setting sweep."
        )
    if not settings.contact:
        sentences.append(
            "Set contact to an e-mail or web address: it goes into the user agent, so that the portal's people can write to "
            "you before they block the program."
        )
    requests = len(list_refs(settings.portal)) + sum(linked.get(kind, 0) for kind in RECORD_KINDS)
    minutes = requests * interval / 60
    sentences.append(
        f"A first night requests at least {requests:,} pages: {minutes:,.0f} minutes, and more for what they lead to."
    )
    if not problems:
        sentences.append(
            f"Next: bma-progress harvest --portal {settings.portal} --sample 200, then the same without --sample."
        )
    return not problems, sentences


def _problems(pages: Sequence[ProbedPage]) -> list[str]:
    """What kept pages from being read."""
    sentences = []
    blocked = [page for page in pages if page.verdict == "blocked" or page.http_status in (401, 403, 451)]
    if blocked:
        sentences.append(
            f"{len(blocked)} of {len(pages)} pages keep the program out ({_first(blocked)}): open one in a browser, and ask the "
            "portal's people to let the program in."
        )
    failed = Counter(page.error for page in pages if page.error and page not in blocked)
    if failed:
        why, _ = failed.most_common(1)[0]
        sentences.append(
            f"{failed.total()} of {len(pages)} pages did not come ({why}): try again later, or look at the network first."
        )
    odd = [page for page in pages if page.verdict == "suspect" and not page.error]
    if odd:
        sentences.append(
            f"{len(odd)} of {len(pages)} pages are not as the parser knows them ({_first(odd)}): read their findings before you "
            "publish anything; --out keeps the bytes for bma-progress parse."
        )
    return sentences


def _odd_lines(pages: Sequence[ProbedPage]) -> list[str]:
    lines = Counter(line for page in pages if page.verdict in ("ok", "suspect") for line in set(page.unclaimed))
    if not lines:
        return []
    line, count = lines.most_common(1)[0]
    return [f"No rule reads {len(lines)} different lines, the most frequent on {count} pages: {line[:80]!r}."]


def _first(pages: Sequence[ProbedPage]) -> str:
    return pages[0].file or pages[0].url
