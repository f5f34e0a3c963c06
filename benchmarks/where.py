"""Where the time of one training step goes: data, convolutions, products, the rest, optimiser."""

from __future__ import annotations

import time
from statistics import median

from torch.profiler import ProfilerActivity, profile

from benchmarks.requests import request, values
from benchmarks.steps import PRECISIONS
from benchmarks.turns import workers
from slow_features.training.session import start_session

KINDS = {
    "convolution": ("convolution",),
    "product": ("aten::mm", "aten::addmm", "aten::bmm", "aten::linear", "aten::baddbmm"),
}


def measure(budget, data):
    """Return one record for each model and precision, at the smallest batch, with one thread."""
    batch, records = min(budget.batches), []
    with workers(1) as (worker,):
        for model in budget.models:
            for precision in PRECISIONS:
                texts = values(budget, model, batch, f"precision={precision}")
                worker.ask(request("where", "shares", texts, data) | {"count": 1})
                seconds = worker.reply()["value"]
                records.append(
                    {"model": model, "batch": batch, "precision": precision, "seconds": seconds}
                )
    return records


def shares(config, dataset, steps=3):
    """Return a call that gives the seconds of one step by kind; "rest" is what is left over:
    element by element work, BatchNorm, copies, Python."""
    session = start_session(config, dataset)
    session.model.train()
    return lambda: _median([_one_step(session, step) for step in range(steps + 1)][1:])


def _one_step(session, step):
    optimizer = session.optimisation.optimizer
    times = [time.perf_counter()]
    batch = session.batch(step)
    times.append(time.perf_counter())
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as profiler:
        times.append(time.perf_counter())
        losses = session.model.losses(batch, session.generator(step))
        optimizer.zero_grad()
        losses["loss"].backward()
        times.append(time.perf_counter())
    optimising = time.perf_counter()
    optimizer.step()
    found = {"data": times[1] - times[0], "optimiser": time.perf_counter() - optimising}
    found |= _by_kind(profiler)
    found["rest"] = times[3] - times[2] - sum(found[kind] for kind in KINDS)
    return found


def _by_kind(profiler):
    seconds = dict.fromkeys(KINDS, 0.0)
    for event in profiler.key_averages():
        for kind, names in KINDS.items():
            if any(name in event.key for name in names) and event.key.startswith("aten::"):
                seconds[kind] += event.self_cpu_time_total / 1e6
    return seconds


def _median(found):
    return {kind: median(each[kind] for each in found) for kind in found[0]}
