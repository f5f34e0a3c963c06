"""One full evaluation: the closed form against the published probes of 30 + 30 epochs.

The published ones are extrapolated: a few batches of each epoch are timed, and counted for all of
the 30 epochs of 10,000 sequences on rollouts, 30 on encodings, and the measurement on 10,000.
"""

from __future__ import annotations

from benchmarks.requests import request, values
from benchmarks.steps import PRECISIONS
from benchmarks.turns import Side, take_turns, workers

BATCH = 64
EPOCHS = 30  # published, of each probe
TASKS = [(t, kind) for t in ("probe_epoch", "probe_measurement") for kind in ("pred", "enc")]
# What ours, of either precision, is compared with: threads, or processes of one thread each.
RATIOS = {
    "1 thread": ("1t", "slow_1t"),
    "2 threads": ("2t", "slow_2t"),
    "machine": ("2p", "slow_2t"),
}


def measure(budget, data):
    """Return seconds of one evaluation of a VICReg by side, named as those of training steps."""
    batch = min(BATCH, budget.sequences)
    seen = budget.slow_batches * batch
    with workers(3) as (slow, *crew):
        sides = _published_sides(budget, data, batch, slow) | _our_sides(budget, data, batch, crew)
        results = take_turns(sides, budget.rounds, 0.0, budget.point_seconds)
    seconds = {side: budget.sequences / result["median"] for side, result in results.items()}
    seconds |= {f"slow_{threads}t": _published(seconds, threads) for threads in (1, 2)}
    return {
        "batch": batch,
        "timed_fraction_of_an_epoch": seen / budget.sequences,
        "seconds": seconds,
        "ratios": {
            f"{precision}, {name}": seconds[slow] / seconds[f"{precision}_{ours}"]
            for precision in PRECISIONS
            for name, (ours, slow) in RATIOS.items()
        },
        "sequences_per_second": results,
    }


def _published_sides(budget, data, batch, slow):
    """Return the parts of the published evaluation that are timed, with 1 and 2 threads."""
    texts, sides = values(budget, "VICReg", batch), {}
    for threads in (1, 2):
        for task, kind in TASKS:
            more = {"kind": kind, "batches": budget.slow_batches}
            asked = request("slow", task, texts, data, threads, **more)
            sides[f"{task}_{kind}_{threads}t"] = Side([slow], asked, budget.slow_batches * batch)
    return sides


def _our_sides(budget, data, batch, crew):
    """Return whole evaluations, with 1 and 2 threads and in 2 processes, in both precisions."""
    sides = {}
    for precision in PRECISIONS:
        texts = values(budget, "VICReg", batch, f"precision={precision}")
        one, two = (request("ours", "evaluation", texts, data, threads) for threads in (1, 2))
        for name, asked, hands in (("1t", one, 1), ("2t", two, 1), ("2p", one, 2)):
            sides[f"{precision}_{name}"] = Side(crew[:hands], asked, budget.sequences)
    return sides


def _published(seconds, threads):
    """Return the seconds of 30 + 30 epochs and of measuring both probes."""
    epochs = [seconds[f"probe_epoch_{kind}_{threads}t"] for kind in ("pred", "enc")]
    measured = [seconds[f"probe_measurement_{kind}_{threads}t"] for kind in ("pred", "enc")]
    return EPOCHS * sum(epochs) + sum(measured)
