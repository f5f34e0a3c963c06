"""Runs whose process was killed so hard that it could not say so."""

from __future__ import annotations

from slow_features.process import has_ended
from slow_features.tracking.store import open_store, store_failures_named


def close_stale_runs() -> int:
    """Mark RUNNING runs whose process is gone as KILLED; return how many.

    A run of another host is left as it is: its process cannot be seen from here.
    Raises MachineError if MLflow's store does not work.
    """
    with store_failures_named():
        store = open_store()
        stale = [
            run.info.run_id
            for run in store.find("attributes.status = 'RUNNING'")
            if "process" in run.data.tags and has_ended(run.data.tags["process"])
        ]
        for run_id in stale:
            store.client.set_terminated(run_id, "KILLED")
    return len(stale)
