"""One full evaluation: the closed form against the published probes of 30 + 30 epochs.

The published ones are extrapolated: a few batches of each epoch are timed, and counted for all of
the 30 epochs of 10,000 sequences on rollouts, 30 on encodings, and the measurement on 10,000.
"""

from __future__ import annotations

from benchmarks.requests import request, values
from benchmarks.turns import Side, take_turns, workers

BATCH = 64
EPOCHS = 30  # published, of each probe


def measure(budget, data):
    """Return seconds of both forms with 1 and 2 threads; the model is a VICReg."""
    with workers(2) as (slow, ours):
        return [_compare(budget, data, threads, slow, ours) for threads in (1, 2)]


def _compare(budget, data, threads, slow, ours):
    batch = min(BATCH, budget.sequences)
    texts = values(budget, "VICReg", batch)
    seen = budget.slow_batches * batch
    sides = {
        "ours": Side([ours], request("ours", "evaluation", texts, data, threads), budget.sequences)
    }
    for task in ("probe_epoch", "probe_measurement"):
        for kind in ("pred", "enc"):
            asked = request(
                "slow", task, texts, data, threads, kind=kind, batches=budget.slow_batches
            )
            sides[f"{task}_{kind}"] = Side([slow], asked, seen)
    results = take_turns(sides, budget.rounds, 0.0, budget.point_seconds)
    seconds = _seconds(results, budget.sequences)
    return {
        "threads": threads,
        "batch": batch,
        "timed_fraction_of_an_epoch": seen / budget.sequences,
        "seconds": seconds,
        "ratio": seconds["slow"] / seconds["ours"],
        "rates": results,
    }


def _seconds(results, sequences):
    once = {side: sequences / result["median"] for side, result in results.items()}
    published = EPOCHS * (once["probe_epoch_pred"] + once["probe_epoch_enc"])
    return {
        "ours": once["ours"],
        "epoch_pred": once["probe_epoch_pred"],
        "epoch_enc": once["probe_epoch_enc"],
        "slow": published + once["probe_measurement_pred"] + once["probe_measurement_enc"],
    }
