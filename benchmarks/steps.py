"""Whole training steps, the straightforward form against the package, and the whole machine."""

from __future__ import annotations

from benchmarks.flops import flops_per_sequence
from benchmarks.requests import config_of, request, values
from benchmarks.turns import Side, ratio, take_turns, workers

PRECISIONS = ("float32", "bfloat16")
# Names of sides: form or precision, then threads, or processes of one thread each.
RATIOS = {
    "float32, 1 thread": ("float32_1t", "slow_1t"),
    "bfloat16, 1 thread": ("bfloat16_1t", "slow_1t"),
    "float32, 2 threads": ("float32_2t", "slow_2t"),
    "bfloat16, 2 threads": ("bfloat16_2t", "slow_2t"),
    "float32, machine": ("float32_2p", "slow_2t"),
    "bfloat16, machine": ("bfloat16_2p", "slow_2t"),
}


def measure(budget, data):
    """Return one record for each model and batch size; all of its sides are measured in turns."""
    records = []
    for model in budget.models:
        with workers(3) as crew:
            for batch in budget.batches:
                print(f"  {model}, batch {batch}", flush=True)
                sides = sides_of(budget, data, model, batch, crew)
                records.append(_point(budget, model, batch, sides))
    return records


def sides_of(budget, data, model, batch, crew):
    """Return the sides of one point: the slow form with 1 and 2 threads, ours with 1 and 2 threads
    and as 2 processes of one thread, the latter three in both precisions."""
    slow, first, second = crew
    texts = values(budget, model, batch)
    sides = {}
    for threads in (1, 2):
        asked = request("slow", "training_step", texts, data, threads)
        sides[f"slow_{threads}t"] = Side([slow], asked, batch)
    for precision in PRECISIONS:
        chosen = [*texts, f"precision={precision}"]
        alone, both = (request("ours", "training_step", chosen, data, n) for n in (1, 2))
        sides[f"{precision}_1t"] = Side([first], alone, batch)
        sides[f"{precision}_2t"] = Side([first], both, batch)
        sides[f"{precision}_2p"] = Side([first, second], alone, batch)
    return sides


def _point(budget, model, batch, sides):
    results = take_turns(sides, budget.rounds, budget.block_seconds, budget.point_seconds)
    config = config_of(values(budget, model, batch))
    return {
        "model": model,
        "batch": batch,
        "sequences_per_second": results,
        "ratios": {name: ratio(results, *pair) for name, pair in RATIOS.items()},
        "flops_per_sequence": {form: flops_per_sequence(config, form) for form in ("slow", "ours")},
    }
