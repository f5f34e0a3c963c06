"""One cell with a single training step: what a process costs around its training, by phase.

    python -m benchmarks.cell DATA FOLDER [--log] [--values ...]

Prints one line of JSON with the wall-clock seconds of each phase. --log: to MLflow.
"""

from __future__ import annotations

import time

_FIRST_LINE = time.time()

import argparse  # noqa: E402  what comes before is Python's own start
import json  # noqa: E402
from pathlib import Path  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--values", nargs="*", default=[])
    arguments = parser.parse_args()
    print(json.dumps(phases(arguments)))


def phases(arguments):
    clock = Clock()
    from slow_features.config.load import load_config

    config = load_config(["params.yaml"], arguments.values).config
    clock.note("settings")
    import torch

    clock.note("import torch")
    from slow_features.data.store import open_dataset
    from slow_features.probe.evaluate import evaluate, evaluation_stream
    from slow_features.probe.stage import load_model, measure_encodings, write_evaluation
    from slow_features.results.files import WEIGHTS_FILE
    from slow_features.training.train import train

    clock.note("import the package")
    dataset = open_dataset(arguments.data)
    clock.note("open and check the data")
    train(config, dataset, arguments.folder / "train", log=arguments.log)
    clock.note("train: one step, checkpoint, results")
    model = load_model(config, arguments.folder / "train" / WEIGHTS_FILE)
    cpu = torch.device("cpu")
    evaluation = evaluate(model, config, dataset, cpu)
    encodings = measure_encodings(model, evaluation_stream(config, dataset, cpu), config.seed)
    write_evaluation(evaluation, arguments.folder / "probe", encodings)
    clock.note("probe: its smallest size")
    import psutil

    started = _FIRST_LINE - psutil.Process().create_time()
    return {"start Python": started} | clock.seconds


class Clock:
    """Seconds between one note and the next."""

    def __init__(self):
        self.seconds = {}
        self._last = time.perf_counter()

    def note(self, phase):
        now = time.perf_counter()
        self.seconds[phase] = now - self._last
        self._last = now


if __name__ == "__main__":
    main()
