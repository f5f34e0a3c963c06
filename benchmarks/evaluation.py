"""One full evaluation: the closed form against the published probes of 30 + 30 epochs.

The published ones are extrapolated: a few batches of each epoch are timed, and counted for all of
the 30 epochs of 10,000 sequences on rollouts, 30 on encodings, and the measurement on 10,000.
"""

from __future__ import annotations

from benchmarks.requests import request, values
from benchmarks.turns import Side, take_turns, workers

BATCH = 64
EPOCHS = 30  # published, of each probe
TASKS = [(t, kind) for t in ("probe_epoch", "probe_measurement") for kind in ("pred", "enc")]
RATIOS = {
    "1 thread": ("ours_1t", "slow_1t"),
    "2 threads": ("ours_2t", "slow_2t"),
    "machine": ("ours_2p", "slow_2t"),
}


def measure(budget, data):
    """Return seconds of one evaluation of a VICReg by side, named as those of training steps."""
    batch = min(BATCH, budget.sequences)
    texts = values(budget, "VICReg", batch)
    seen = budget.slow_batches * batch
    sides = {}
    with workers(3) as (slow, first, second):
        for threads in (1, 2):
            for task, kind in TASKS:
                more = {"kind": kind, "batches": budget.slow_batches}
                asked = request("slow", task, texts, data, threads, **more)
                sides[f"{task}_{kind}_{threads}t"] = Side([slow], asked, seen)
            asked = request("ours", "evaluation", texts, data, threads)
            sides[f"ours_{threads}t"] = Side([first], asked, budget.sequences)
        alone = request("ours", "evaluation", texts, data)
        sides["ours_2p"] = Side([first, second], alone, budget.sequences)
        results = take_turns(sides, budget.rounds, 0.0, budget.point_seconds)
    seconds = {side: budget.sequences / result["median"] for side, result in results.items()}
    seconds |= {f"slow_{threads}t": _published(seconds, threads) for threads in (1, 2)}
    return {
        "batch": batch,
        "timed_fraction_of_an_epoch": seen / budget.sequences,
        "seconds": seconds,
        "ratios": {name: seconds[slow] / seconds[ours] for name, (ours, slow) in RATIOS.items()},
        "sequences_per_second": results,
    }


def _published(seconds, threads):
    """Return the seconds of 30 + 30 epochs and of measuring both probes."""
    epochs = [seconds[f"probe_epoch_{kind}_{threads}t"] for kind in ("pred", "enc")]
    measured = [seconds[f"probe_measurement_{kind}_{threads}t"] for kind in ("pred", "enc")]
    return EPOCHS * sum(epochs) + sum(measured)
