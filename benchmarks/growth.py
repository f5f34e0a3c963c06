"""How cost grows: with the embedding's size, with cells at once, with sequences on disk."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.requests import request, values, write_data
from benchmarks.turns import Side, take_turns, workers

BATCH = 64


def measure(budget, data):
    """Return three lists of records; empty ones where the budget asks for nothing."""
    return {
        "embedding_size": [_embedding(budget, data, size) for size in budget.embedding_sizes],
        "cells_at_once": [_cells(budget, data, count) for count in budget.cells_at_once],
        "data": [_data(budget, size) for size in budget.data_sizes],
    }


def _embedding(budget, data, size):
    """Return sequences per second of VICReg training with embeddings of this size, one thread."""
    batch = min(BATCH, max(budget.batches))
    texts = values(budget, "VICReg", batch, f"vicreg.embedding_size={size}")
    with workers(2) as (slow, ours):
        sides = {
            "slow": Side([slow], request("slow", "training_step", texts, data), batch),
            "float32": Side([ours], request("ours", "training_step", texts, data), batch),
        }
        results = take_turns(sides, 2, budget.block_seconds)
    return {"embedding_size": size} | {side: result["median"] for side, result in results.items()}


def _cells(budget, data, count):
    """Return sequences per second of so many processes of one thread together, and memory."""
    batch = min(BATCH, max(budget.batches))
    texts = values(budget, "VICReg", batch)
    with workers(count) as crew:
        side = Side(crew, request("ours", "training_step", texts, data), batch)
        result = take_turns({"all": side}, 3, 3 * budget.block_seconds)["all"]
    return {"cells": count, "all": result["median"], "megabytes_each": result["megabytes"]}


def _data(budget, size):
    """Return the seconds and bytes that a data set of so many training sequences takes."""
    with tempfile.TemporaryDirectory() as home:
        started = time.perf_counter()
        write_data(budget, Path(home) / "data", size)
        seconds = time.perf_counter() - started
        files = [file.stat().st_size for file in (Path(home) / "data").iterdir()]
    return {"sequences": size, "seconds": seconds, "megabytes": sum(files) / 1e6}
