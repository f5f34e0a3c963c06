"""What a training leaves in MLflow (and Weights & Biases): one run, live or filled in later.

    with tracking.run(config, stage="train", identity=identity) as run:
        run.log_curve([{"step": 1, "epoch": 0, "loss": 4.2}])

Nothing here imports MLflow before a run starts: that costs about 2 seconds of a processor.
"""

from slow_features.tracking.backfill import Entry, backfill
from slow_features.tracking.live import Run, run
from slow_features.tracking.stale import close_stale_runs

__all__ = ["Entry", "Run", "backfill", "close_stale_runs", "run"]
