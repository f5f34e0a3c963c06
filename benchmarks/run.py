"""Measure the package against the straightforward form and print the tables.

    python -m benchmarks.run             # everything, half an hour on two cores: make bench
    python -m benchmarks.run --quick     # the headline, 3 to 4 minutes: make bench-quick

Run it from the root of the checkout, on a machine with nothing else to do. Writes the same
numbers to benchmarks/results/NAME.json; its keys are described in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks import around, batches, ceilings, evaluation, growth, machine, steps, where
from benchmarks.budget import FULL, QUICK
from benchmarks.requests import write_data
from benchmarks.table import markdown

RESULTS = Path("benchmarks/results")


def measure(budget):
    """Return everything that a budget measures, as JSON values."""
    started = time.perf_counter()
    found = {"machine": machine.describe()}
    with tempfile.TemporaryDirectory() as home:
        data = Path(home) / "data"
        write_data(budget, data)
        for name, part in (
            ("ceilings", lambda: ceilings.measure(budget)),
            ("steps", lambda: steps.measure(budget, data)),
            ("where", lambda: where.measure(budget, data)),
            ("batches", lambda: batches.measure(budget, data)),
            ("evaluation", lambda: evaluation.measure(budget, data)),
            ("around", lambda: around.measure(budget, data)),
            ("growth", lambda: growth.measure(budget, data)),
        ):
            print(f"{time.perf_counter() - started:5.0f} s: {name}", flush=True)
            found[name] = part()
    return found | {"seconds": time.perf_counter() - started}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the headline alone")
    parser.add_argument("--name", help="of the result file (default: full or quick)")
    arguments = parser.parse_args()
    found = measure(QUICK if arguments.quick else FULL)
    name = arguments.name or ("quick" if arguments.quick else "full")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    print("\n" + markdown(found))


if __name__ == "__main__":
    main()
