"""Lines of `head` that were kept elsewhere, held against a store: what `verify --expect` says of each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pipeline.errors import StoreDamagedError
from pipeline.store.catalog import Catalog
from pipeline.store.head_line import later_harvests, missing_history
from pipeline.store.kept_lines import KeptLine
from pipeline.store.signatures import SignatureError, check_signature
from pipeline.store.timestamp import Stamped, TimestampError, check_timestamp, trusted_roots
from pipeline.store.verify_bytes import RESTORE, VerifyProblem

_DO_NOT_TRUST: Final = "as it is, it proves nothing: compare with the file that was kept first"


def compare_with_lines(
    catalog: Catalog, lines: Sequence[KeptLine], timestamp_ca: Path | None, allowed_signers: Path | None
) -> tuple[list[VerifyProblem], list[str]]:
    """What shows that the store lacks the history of some lines, and sentences about the lines that it contains."""
    problems: list[VerifyProblem] = []
    contained: list[str] = []
    try:
        for kept in lines:
            stamped, wrong = _stamps(kept, timestamp_ca)
            signed, forged = _signatures(kept, allowed_signers)
            problems += wrong + forged
            if problem := missing_history(catalog, kept.line):
                problems.append(problem)
            else:
                contained += [_contained(catalog, kept), *(_proven(kept, one) for one in stamped), *signed]
    except StoreDamagedError as error:
        problems.append(VerifyProblem("--expect", str(error), RESTORE))
    return problems, contained


def _contained(catalog: Catalog, kept: KeptLine) -> str:
    id_ = kept.line.harvest_id
    if later := later_harvests(catalog, kept.line):
        return f"the store goes on from the line's harvest {id_} with {later:,} harvest(s)"
    return f"the store ends with the line's harvest {id_}"


def _stamps(kept: KeptLine, ca: Path | None) -> tuple[list[Stamped], list[VerifyProblem]]:
    """The time-stamps of a line that hold, and what is wrong with the others."""
    stamped: list[Stamped] = []
    problems: list[VerifyProblem] = []
    for stamp in kept.stamps:
        try:
            stamped.append(check_timestamp(stamp, kept.line.content, trusted_roots(ca)))
        except TimestampError as error:
            problems.append(VerifyProblem(f"the line of {kept.line.harvest_id}", str(error), _DO_NOT_TRUST))
    return stamped, problems


def _signatures(kept: KeptLine, allowed: Path | None) -> tuple[list[str], list[VerifyProblem]]:
    """Sentences about the signatures of a line that hold, or that nobody checks; and what is wrong with the others."""
    if allowed is None:
        number = len(kept.signatures)
        return [f"{number:,} signature(s) were not checked: give --allowed-signers FILE"] if number else [], []
    sentences: list[str] = []
    problems: list[VerifyProblem] = []
    for signature in kept.signatures:
        try:
            sentences.append(f"{check_signature(kept.line.content, signature, allowed)} has signed the line")
        except SignatureError as error:
            problems.append(VerifyProblem(f"the line of {kept.line.harvest_id}", str(error), _DO_NOT_TRUST))
    if not kept.signatures:
        problems.append(VerifyProblem(f"the line of {kept.line.harvest_id}", "nobody has signed it", _DO_NOT_TRUST))
    return sentences, problems


def _proven(kept: KeptLine, stamped: Stamped) -> str:
    return (
        f"{stamped.authority} has stamped the line at {stamped.at:%Y-%m-%d %H:%M:%S} UTC: harvest {kept.line.harvest_id} and "
        "all before it have not been altered since; this does not prove that the portal served those pages, nor anything "
        "about later harvests"
    )
