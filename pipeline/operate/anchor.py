"""Anchors of a store's history outside of it: head lines that an authority has stamped, or that a command takes away."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.errors import BmaProgressError, error_text
from pipeline.operate.anchored import Anchored
from pipeline.operate.delivery import post, run_command
from pipeline.settings import Settings
from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json, write_durably
from pipeline.store.head_line import HeadLine, head_line
from pipeline.store.kept_lines import stamp_block
from pipeline.store.run_files import ANCHOR_FILE, HEAD_FILE, staging_of, write_later_sums

if TYPE_CHECKING:
    from pipeline.store.timestamp import Stamped


def anchor_harvest(store: Archive, harvest_id: str, settings: Settings) -> list[str]:
    """Anchor a harvest that was just committed, as the settings say; returns what went wrong, as sentences.

    Never raises: the harvest stands, whatever becomes of its anchor. At the end its run's later files are listed.
    """
    folder = store.root / "runs" / harvest_id
    try:
        problems = _anchor(store, folder, settings) if settings.timestamp_url or settings.anchor_command else []
        write_later_sums(folder)
    except Exception as error:  # noqa: BLE001 - see above: a full disk, a certificate nobody can read, …
        return [f"the harvest was not anchored ({error_text(error)})"]
    return problems


def _anchor(store: Archive, folder: Path, settings: Settings) -> list[str]:
    line = head_line(store)
    content = str(line) + "\n"
    problems: list[str] = []
    stamped: Stamped | None = None
    if settings.timestamp_url:
        try:
            stamp, stamped, remark = ask_for_timestamp(line, settings.timestamp_url, settings.timestamp_ca)
            content += stamp_block(stamp)
            problems += [remark] if remark else []
        except BmaProgressError as error:
            problems.append(str(error))
    not_taken: list[str] = []
    if settings.anchor_command:
        not_taken = run_command(settings.anchor_command, content.encode())
    problems += not_taken
    write_durably(folder / HEAD_FILE, content.encode(), staging_of(folder))
    result = Anchored(
        line=str(line),
        stamped_at=stamped.at.isoformat() if stamped else None,
        authority=stamped.authority if stamped else None,
        command=bool(settings.anchor_command) and not not_taken,
        problems=problems,
    )
    write_durably(folder / ANCHOR_FILE, canonical_json(asdict(result)), staging_of(folder))
    return problems


def ask_for_timestamp(line: HeadLine, address: str, ca: Path | None) -> "tuple[bytes, Stamped | None, str | None]":
    """Have a line stamped: the authority's answer, what it says, and what is to be known about it.

    address: of the authority; ca: certificates to trust instead of the system's
    Raises BmaProgressError where it gives no stamp of this line. A stamp of an authority that is not trusted here is kept.
    """
    from pipeline.store.timestamp import (  # it takes a third of a second, and few harvests need it
        TimestampError,
        UnknownAuthorityError,
        check_timestamp,
        timestamp_request,
        trusted_roots,
    )

    request = timestamp_request(line.content)
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    where = f"the time-stamp authority {urlsplit(address).hostname}"
    answer, why = post(address, content=request.as_bytes(), headers=headers)
    if why:
        raise TimestampError(f"{where} {why}, so the line was not stamped")
    try:
        return answer, check_timestamp(answer, line.content, trusted_roots(ca), request.nonce), None
    except UnknownAuthorityError as error:
        return answer, None, str(error)
