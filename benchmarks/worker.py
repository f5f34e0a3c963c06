"""A process that times calls on request: one JSON request a line in, one answer a line out.

The two forms run in processes of their own, so that the package's settings of the process (its
memory allocator) cannot help the straightforward form, and what one does to caches and threads
is not left behind for the other.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from functools import cache

import torch

from benchmarks import limits, ours, slow, where
from slow_features.config.load import load_config
from slow_features.data.store import open_dataset

FORMS = {"slow": slow, "ours": ours, "limits": limits, "where": where}


@cache
def _dataset(folder):
    return open_dataset(folder, verify=False)


@cache
def _call(text):
    """Return the call that a request asks for: form, task and its arguments."""
    request = json.loads(text)
    task = getattr(FORMS[request["form"]], request["task"])
    if request["form"] == "limits":
        return task(**request["arguments"])
    config = load_config(["params.yaml"], request["values"]).config
    return task(config, _dataset(request["data"]), **request["arguments"])


def answer(request):
    """Run a call `count` times; return its seconds, the process's memory, and a value if any."""
    count = request.pop("count")
    call = _call(json.dumps(request))
    torch.set_num_threads(request["threads"])
    started = time.perf_counter()
    for _ in range(count):
        value = call()
    return {
        "seconds": time.perf_counter() - started,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "value": value if request["form"] == "where" else None,
    }


def main():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
