"""The machine's ceilings, with one thread, two threads, and two processes of one thread."""

from __future__ import annotations

from benchmarks.limits import COPY_BYTES
from benchmarks.turns import Side, take_turns, workers


def measure(budget):
    """Return {"gemm_float32", "gemm_bfloat16": GF/s, "copy": GB/s} by 1t, 2t and 2p."""
    size = budget.gemm_size
    tasks = {
        f"gemm_{dtype}": ("gemm", {"dtype": dtype, "size": size}, 2 * size**3)
        for dtype in ("float32", "bfloat16")
    }
    tasks["copy"] = ("copy", {}, 2 * COPY_BYTES)
    sides = {}
    with workers(2) as (first, second):
        for name, (task, arguments, work) in tasks.items():
            for where, threads, crew in (
                ("1t", 1, [first]),
                ("2t", 2, [first]),
                ("2p", 1, [first, second]),
            ):
                asked = {"form": "limits", "task": task, "arguments": arguments, "threads": threads}
                sides[f"{name}_{where}"] = Side(crew, asked, work / 1e9)
        results = take_turns(sides, max(budget.rounds, 3), budget.block_seconds)
    found = {name: {} for name in tasks}
    for side, result in results.items():
        name, _, where = side.rpartition("_")
        found[name][where] = {"median": result["median"], "best": max(result["rates"])}
    return found
