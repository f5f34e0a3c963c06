"""Does torch.compile pay for the encoder? VICReg's steps eager and compiled, and what it costs.

    python -m benchmarks.compiled      # two minutes; needs a C++ compiler

One thread, batch 64. Each precision is measured twice with one cache of compiled code, which is
empty at first: `first` and `again` are the seconds of the first compiled step.
Prints a Markdown table.
"""

import tempfile
from pathlib import Path

from benchmarks.budget import FULL
from benchmarks.requests import request, values, write_data
from benchmarks.steps import PRECISIONS
from benchmarks.turns import Side, take_turns, workers

BATCH = 64


def measure(precision, data, cache):
    """Return the seconds of a step, eager and compiled in turns, and of the first compiled one."""
    texts = values(FULL, "VICReg", BATCH, f"precision={precision}")
    with workers(2, TORCHINDUCTOR_CACHE_DIR=str(cache)) as (eager, compiled):
        sides = {
            "eager": Side([eager], request("ours", "training_step", texts, data), 1),
            "compiled": Side([compiled], request("ours", "compiled_training_step", texts, data), 1),
        }
        first = sides["compiled"].block(1)["seconds"]
        results = take_turns(sides, FULL.rounds, FULL.block_seconds)
    return {"first": first} | {side: 1 / result["median"] for side, result in results.items()}


def table(found):
    """Return the Markdown table of {precision: (cold, warm)}."""
    lines = ["| precision | eager, ms | compiled, ms | ratio | first compiled step, s | again, s |"]
    lines.append("|---|---|---|---|---|---|")
    for precision, (cold, warm) in found.items():
        lines.append(
            f"| {precision} | {1e3 * warm['eager']:.0f} | {1e3 * warm['compiled']:.0f} "
            f"| x{warm['eager'] / warm['compiled']:.2f} | {cold['first']:.1f} "
            f"| {warm['first']:.1f} |"
        )
    return "\n".join(lines)


def main():
    with tempfile.TemporaryDirectory() as home:
        data, found = Path(home) / "data", {}
        write_data(FULL, data)
        for precision in PRECISIONS:
            cache = Path(home) / precision
            found[precision] = [measure(precision, data, cache) for _ in range(2)]
    print(table(found))


if __name__ == "__main__":
    main()
