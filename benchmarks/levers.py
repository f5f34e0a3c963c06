"""Choices of the code, each beside the same code without it, in turns.

    python -m benchmarks.levers                  # ten minutes
    python -m benchmarks.levers pages lock       # some of them

layer: the encoder's last linear layer in float32 (accuracy, at the price of some speed); bfloat16
steps of VICReg, batch 64, one thread, on a processor that has bfloat16. emulation: such steps on a
processor that lacks it, emulated (benchmarks/rounding.py). The others are CPU seconds
of whole processes. compiler: a cell with one step, torch's compiler left out. pages: those of quick
and of the searches, no file of settings parsed twice and no sample drawn twice. driver: of two
cells that sleep, without Dask's clock and profiler. lock: `dvc repro --dry`, a scale's definition
in a file instead of among the parameters of each stage. Prints a Markdown table.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.budget import FULL
from benchmarks.requests import request, values, write_data
from benchmarks.turns import Side, take_turns, workers

BATCH = 64
PROCESSES = 5
PARAMETERS_IN_LOCK = "307d273"  # the last revision whose dvc.lock has every scale's definition
_CELL = "from benchmarks.cell import main; main()"
_WITH_COMPILER = "import slow_features.training.machine as m; m.leave_compiler_out = lambda: None; "
_EVERYTHING_TWICE = """
from slow_features.config import yaml_text
from slow_features.report import grid_figures
yaml_text._parsed = yaml_text._parsed.__wrapped__
grid_figures.picture_samples = grid_figures.picture_samples.__wrapped__
"""
_PAGES = {
    "quick": """
import sys
from pathlib import Path
from slow_features.grid.cells import cells_of
from slow_features.report.grid import write_page_about
from slow_features.report.results import Results, read_cells
write_page_about(Results("quick", read_cells(cells_of("quick"))), Path(sys.argv[1], "quick"))
""",
    "the searches": """
import sys
from pathlib import Path
from slow_features.report.search import write_search_report
write_search_report(Path(sys.argv[1], "searches"))
""",
}
_WITH_CLOCK = """
from slow_features.grid import cluster
for name in ("distributed.admin.tick.interval", "distributed.worker.profile.enabled"):
    del cluster._SETTINGS[name]
"""
_DRIVER = """
from pathlib import PurePath
from slow_features.grid.engine import Job, run_jobs
from slow_features.grid.machines import Machines
sleep = ["-c", "import time; time.sleep(60)"]
jobs = [Job(name, sleep, PurePath(f"{name}.log")) for name in ("one", "other")]
run_jobs(jobs, Machines(jobs=2), lambda state: None)
"""
_DRY = """
import os, sys
from dvc.cli import main
os.chdir(sys.argv[1])
main(["repro", "--dry", "--quiet"])
"""


def last_layer(home):
    """Return the median milliseconds of a step: the layer in bfloat16, and in float32 as it is."""
    write_data(FULL, data := home / "layer")
    texts = values(FULL, "VICReg", BATCH, "precision=bfloat16")
    with workers(2) as (rounded, exact):
        sides = {
            "rounded": Side([rounded], request("ours", "rounded_training_step", texts, data), 1),
            "as it is": Side([exact], request("ours", "training_step", texts, data), 1),
        }
        found = take_turns(sides, FULL.rounds, FULL.block_seconds)
    yield "a bfloat16 step, ms: last layer in float32", [1e3 / found[s]["median"] for s in sides]


def emulation(home):
    """Measure a step in emulated bfloat16 beside one in torch's own, and one in float32."""
    write_data(FULL, data := home / "emulation")
    exact, rounded = (
        values(FULL, "VICReg", BATCH, f"precision={p}") for p in ("float32", "bfloat16")
    )
    with workers(3) as processes:
        steps = [
            ("ours", "training_step", exact, data),
            ("ours", "emulated_training_step", rounded, data),
            ("ours", "training_step", rounded, data),
        ]
        names = ("float32", "emulated", "torch's own")
        sides = {
            name: Side([process], request(*step), 1)
            for name, process, step in zip(names, processes, steps, strict=True)
        }
        found = take_turns(sides, FULL.rounds, FULL.block_seconds)
    each = {name: 1e3 / found[name]["median"] for name in names}
    what = "a step of bfloat16 without such a processor, ms: emulated beside"
    for other in ("torch's own", "float32"):
        yield f"{what} {other}", [each[other], each["emulated"]]


def compiler(home):
    """Measure a cell's process: importing the compiler, and as it is."""
    write_data(FULL, data := home / "compiler")
    few = [f"{key}={BATCH}" for key in ("dataset_size", "val_dataset_size")]
    few += [f"probing_cfg.sequences={BATCH}", "vicreg.epochs=1", "threads=1"]
    texts = [*values(FULL, "VICReg", BATCH), *few]
    run = [data, home / "cell", "--values", *texts]
    found = _in_turns((_WITH_COMPILER + _CELL, run), (_CELL, run), root=home)
    yield "a cell's process, CPU s: compiler left out", found


def pages(home):
    """Measure the writing of two pages: everything read and drawn again, and as it is."""
    for name, code in _PAGES.items():
        found = _in_turns((_EVERYTHING_TWICE + code, [home]), (code, [home]))
        yield f"the page of {name}, CPU s: nothing parsed or drawn twice", found


def driver(home):
    """Measure the driver of two cells that sleep for a minute: with Dask's clock, and as it is."""
    found = _in_turns((_WITH_CLOCK + _DRIVER, []), (_DRIVER, []), root=home)
    yield "a driver for a minute, CPU s: no clock, no profiler", found


def lock(home):
    """Measure DVC with nothing to do in clones of two revisions: parameters, and files."""
    clones = {"HEAD": home / "files", PARAMETERS_IN_LOCK: home / "parameters"}
    for revision, clone in clones.items():
        subprocess.run(["git", "clone", "-q", ".", str(clone)], check=True)
        subprocess.run(["git", "checkout", "-q", revision], cwd=clone, check=True)
    found = _in_turns(*((_DRY, [clones[name]]) for name in (PARAMETERS_IN_LOCK, "HEAD")))
    yield "`dvc repro --dry`, CPU s: scales in files of their own", found


LEVERS = {
    f.__name__.removeprefix("last_"): f
    for f in (last_layer, emulation, compiler, pages, driver, lock)
}


def _in_turns(*sides, root=None):
    """Return the median CPU seconds of some processes, each of which has a code and arguments.

    root: where checkpoints, logs and the store go, instead of into this checkout.
    """
    seconds = [[] for _ in sides]
    for _ in range(PROCESSES):
        for side, found in zip(sides, seconds, strict=True):
            found.append(_cpu_seconds(*side, {"DVC_ROOT": str(root)} if root else {}))
    return [median(found) for found in seconds]


def _cpu_seconds(code, arguments, more):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | more,
        check=True,
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "levers", nargs="*", default=[*LEVERS], metavar="LEVER", help=str([*LEVERS])
    )
    print("| choice | without | with | ratio |\n|---|---|---|---|", flush=True)
    for name in parser.parse_args().levers:
        with tempfile.TemporaryDirectory() as home:
            for what, (without, chosen) in LEVERS[name](Path(home)):
                ratio = without / chosen
                print(f"| {what} | {without:.3g} | {chosen:.3g} | x{ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
