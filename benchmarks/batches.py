"""Making batches: the straightforward form against the package, all frames and frame 0 alone."""

from __future__ import annotations

from benchmarks.requests import FIXED_NOISE, NOISE, request, values
from benchmarks.turns import Side, ratio, take_turns, workers


def measure(budget, data):
    """Return one record for each kind of noise and batch size, with one thread."""
    records = []
    with workers(2) as (slow, ours):
        for noise, settings in {"changing uniform": NOISE, "fixed uniform": FIXED_NOISE}.items():
            for batch in budget.batches:
                texts = values(budget, "VICReg", batch, *settings)
                sides = {
                    "slow": Side([slow], request("slow", "batch", texts, data), batch),
                    "ours": Side([ours], request("ours", "batch", texts, data), batch),
                    "frame_0": Side([ours], request("ours", "first_frames", texts, data), batch),
                }
                results = take_turns(sides, max(budget.rounds, 3), min(budget.block_seconds, 0.3))
                records.append(
                    {
                        "noise": noise,
                        "batch": batch,
                        "sequences_per_second": results,
                        "ratios": {
                            name: ratio(results, name, "slow") for name in ("ours", "frame_0")
                        },
                    }
                )
    return records
