"""Does torch.compile pay for the encoder? VICReg's steps eager and compiled, and what it costs.

    python -m benchmarks.compiled      # three minutes; needs a C++ compiler

One thread, batch 64. Each precision runs in two processes that share an empty cache of compiled
code, which the first one fills: `first` and `again` are the seconds of the first compiled step.
Prints a Markdown table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.budget import FULL
from benchmarks.requests import config_of, values, write_data
from benchmarks.steps import PRECISIONS

BATCH, STEPS = 64, 15


def sessions(precision, data):
    """Return an eager and a compiled training of the same settings."""
    from slow_features.data.store import open_dataset
    from slow_features.training.session import start_session

    config = config_of(values(FULL, "VICReg", BATCH, f"precision={precision}", "threads=1"))
    eager, compiled = (start_session(config, open_dataset(data)) for _ in range(2))
    compiled.model.encoder.compile()
    for session in (eager, compiled):
        session.model.train()
    return {"eager": eager, "compiled": compiled}


def measure(precision, data, steps):
    """Return the seconds of a step of both, in turns, and of the first compiled one."""
    contestants = sessions(precision, data)
    seconds = {name: [] for name in contestants}
    for step in range(steps + 1):
        for name, session in contestants.items():
            seconds[name].append(timed_step(session, step))
    medians = {name: median(each[1:]) for name, each in seconds.items()}
    return medians | {"first": seconds["compiled"][0]}


def timed_step(session, step):
    """Do one update and return its seconds."""
    from slow_features.training.loop import train_step

    started = time.perf_counter()
    train_step(session, step)
    return time.perf_counter() - started


def in_a_process(precision, data, cache):
    """Measure in a process of its own, with a folder for compiled code."""
    command = [sys.executable, "-m", "benchmarks.compiled", "--only", precision, "--data", data]
    environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(cache)}
    ended = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(ended.stdout.splitlines()[-1])


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PRECISIONS, help="one precision, in this process")
    parser.add_argument("--data", help="a data set that is there")
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments.only, arguments.data, STEPS)))
        return
    with tempfile.TemporaryDirectory() as home:
        data, found = str(Path(home) / "data"), {}
        write_data(FULL, Path(data))
        for precision in PRECISIONS:
            cache = Path(home) / precision
            found[precision] = [in_a_process(precision, data, cache) for _ in range(2)]
    print(table(found))


if __name__ == "__main__":
    main()
