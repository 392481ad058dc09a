"""A store verified as `bma-progress verify --deep` does it."""

from pathlib import Path

from pipeline.harvest.verify_rows import RowCheck
from pipeline.store.verify import verify_store
from pipeline.store.verify_bytes import VerifyProblem


def verify_deeply(root: Path) -> list[VerifyProblem]:
    return verify_store(root, deep=True, rows=RowCheck())
