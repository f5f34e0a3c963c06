"""Measuring several sides in turns, block by block, so that a noisy machine is noisy for all."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median


class Worker:
    """A process of benchmarks.worker, with some more environment variables."""

    def __init__(self, environment):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # The profiler's messages are not ours.
            env=os.environ | {"KINETO_LOG_LEVEL": "99"} | environment,
        )

    def ask(self, request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def reply(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker ended with exit code {self._process.wait()}")
        return json.loads(line)

    def close(self):
        """End the process at once: it has nothing to lose, and unloading torch takes time."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def workers(count, **environment):
    """Start so many workers, and end them."""
    started = [Worker(environment) for _ in range(count)]
    try:
        yield started
    finally:
        for worker in started:
            worker.close()


@dataclass(frozen=True)
class Side:
    """One contestant: a request that its workers, one or several at once, all answer.

    units: what one call of one worker is worth, say 32 sequences.
    """

    workers: list[Worker]
    request: dict
    units: float

    def block(self, count):
        """Run one block; return its answer, seconds being those of the slowest worker."""
        for worker in self.workers:
            worker.ask(self.request | {"count": count})
        replies = [worker.reply() for worker in self.workers]
        return {key: max(reply[key] for reply in replies) for key in ("seconds", "megabytes")}

    def rate(self, seconds, count):
        return self.units * len(self.workers) * count / seconds


def take_turns(sides, rounds, block_seconds, point_seconds=math.inf):
    """Measure sides {name: Side} in turns; return {name: result}.

    A result has "rates", units per second of each block, their "median", and "megabytes". The
    first, uncounted block warms up. After `point_seconds` there are no more than two rounds.
    """
    started = time.monotonic()
    counts, results = {}, {}
    for name, side in sides.items():
        side.block(1)  # builds the model
        warm = side.block(1)
        counts[name] = max(1, round(block_seconds / max(warm["seconds"], 1e-6)))
        results[name] = {"rates": []}
    for turn in range(rounds):
        if turn >= 2 and time.monotonic() - started > point_seconds:
            break
        for name, side in sides.items():
            block = side.block(counts[name])
            results[name]["rates"].append(side.rate(block["seconds"], counts[name]))
            results[name]["megabytes"] = round(block["megabytes"])
    for result in results.values():
        result["median"] = median(result["rates"])
    return results


def ratio(results, fast, slow):
    """Return how many times faster one side is: the median over rounds, and the range."""
    pairs = zip(results[fast]["rates"], results[slow]["rates"], strict=True)
    ratios = [a / b for a, b in pairs]
    return {"median": median(ratios), "lowest": min(ratios), "highest": max(ratios)}
