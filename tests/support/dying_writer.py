"""A writer that dies at its nth write to object storage: `python tests/support/dying_writer.py PORTAL STORE N`."""

import os
import signal
import sys
from typing import Any

import obstore

from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.harvest.run_folder import unfinished_run
from pipeline.settings import load_settings
from pipeline.store.writer import create_store, open_writer


def main() -> None:
    portal, url, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
    put = obstore.put

    def dying(*arguments: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return put(*arguments, **more)

    obstore.put = dying
    settings = load_settings(portal=portal, data=url, rate=1_000_000, retries=0, backoff=0)
    store = create_store(settings.data, portal)
    with open_writer(store.root) as store:
        if len(store.harvest_ids()) == 1 or unfinished_run(store):
            night = HarvestRun.begin(settings, store, Scope())
            run_harvest(night)
            night.close()


if __name__ == "__main__":
    main()
