"""The results as Markdown tables."""

from __future__ import annotations

from benchmarks.evaluation import RATIOS as EVALUATION_RATIOS
from benchmarks.steps import PRECISIONS, RATIOS

TARGETS = {"VICReg": 4, "SimCLR": 4, "IDM": 4, "RSSM": 10, "Supervised": 3}


def markdown(found):
    """Return all tables of a run."""
    parts = [
        _machine(found),
        _ceilings(found),
        _throughput(found),
        _ratios(found),
        _arithmetic(found),
    ]
    parts += [_where(found), _batches(found), _evaluation(found), _around(found), *_growth(found)]
    return "\n\n".join(part for part in parts if part)


def rows(title, header, lines):
    """Return one titled Markdown table."""
    text = [f"**{title}**", "", f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return "\n".join(text + [f"| {' | '.join(map(str, line))} |" for line in lines])


def _machine(found):
    machine = found["machine"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"torch {machine['torch']} ({machine['instructions']}), Python {machine['python']}; "
        f"load {machine['load_at_start']} before the run, {found['seconds']:.0f} s in all."
    )


def _ceilings(found):
    units = {"gemm_float32": "GF/s", "gemm_bfloat16": "GF/s", "copy": "GB/s"}
    lines = [
        [f"{name.replace('_', ' ')}, {units[name]}"]
        + [f"{by[where]['median']:.0f} ({by[where]['best']:.0f})" for where in ("1t", "2t", "2p")]
        for name, by in found["ceilings"].items()
    ]
    header = ["median (best)", "1 thread", "2 threads", "2 processes"]
    return rows("Ceilings of the machine", header, lines)


def _throughput(found):
    sides = ["slow_1t", "slow_2t", "float32_1t", "float32_2t", "float32_2p"]
    sides += ["bfloat16_1t", "bfloat16_2t", "bfloat16_2p"]
    lines = [
        [point["model"], point["batch"]]
        + [f"{point['sequences_per_second'][side]['median']:.4g}" for side in sides]
        for point in found["steps"]
    ]
    header = ["model", "B", *(side.replace("_", " ") for side in sides)]
    return rows("Training steps, sequences per second", header, lines)


def _ratios(found):
    lines = []
    for point in found["steps"]:
        cells = [f"x{point['ratios'][name]['median']:.1f}" for name in RATIOS]
        lines.append([point["model"], point["batch"], *cells, f"x{TARGETS[point['model']]}"])
    header = ["model", "B", *RATIOS, "target, machine"]
    return rows("Times faster than the straightforward form", header, lines)


def _arithmetic(found):
    """One thread: the rate at which the step's own products are done, beside the ceiling."""
    lines = []
    for point in found["steps"]:
        work = {form: sum(kinds.values()) for form, kinds in point["flops_per_sequence"].items()}
        line = [point["model"], point["batch"]]
        line += [f"{work[form] / 1e6:.0f}" for form in ("slow", "ours")]
        sides = (("slow_1t", "slow", "float32"), ("float32_1t", "ours", "float32"))
        for side, form, precision in (*sides, ("bfloat16_1t", "ours", "bfloat16")):
            rate = point["sequences_per_second"][side]["median"] * work[form] / 1e9
            ceiling = found["ceilings"][f"gemm_{precision}"]["1t"]["median"]
            line.append(f"{rate:.0f} ({rate / ceiling:.0%})")
        lines.append(line)
    header = ["model", "B", "MFLOP a sequence, slow", "ours", "slow, GF/s (of ceiling)"]
    header += ["float32", "bfloat16"]
    return rows("Arithmetic of a step, 1 thread", header, lines)


def _where(found):
    lines = []
    for record in found["where"]:
        total = sum(record["seconds"].values())
        shares = [f"{seconds / total:.0%}" for seconds in record["seconds"].values()]
        line = [record["model"], record["batch"], record["precision"], f"{1e3 * total:.0f}"]
        lines.append([*line, *shares])
    kinds = list(found["where"][0]["seconds"])
    header = ["model", "B", "precision", "ms", *kinds]
    return rows("Where a step's time goes, 1 thread", header, lines)


def _batches(found):
    lines = [
        [record["noise"], record["batch"]]
        + [f"{record['sequences_per_second'][side]['median']:.4g}" for side in ("slow", "ours")]
        + [f"x{record['ratios'][side]['median']:.1f}" for side in ("ours", "frame_0")]
        for record in found["batches"]
    ]
    header = ["noise", "B", "slow, seq/s", "ours", "ratio", "ratio, frame 0 only"]
    return rows("Making batches, 1 thread", header, lines)


def _evaluation(found):
    record = found["evaluation"]
    seconds, fraction = record["seconds"], record["timed_fraction_of_an_epoch"]
    lines = []
    for name, (ours, slow) in EVALUATION_RATIOS.items():
        epochs = [seconds[f"probe_epoch_{kind}_{slow[-2:]}"] for kind in ("pred", "enc")]
        line = [name, *(f"{value:.1f}" for value in (*epochs, seconds[slow]))]
        for precision in PRECISIONS:
            ratio = record["ratios"][f"{precision}, {name}"]
            line.append(f"{seconds[f'{precision}_{ours}']:.1f} (x{ratio:.0f})")
        lines.append(line)
    title = (
        f"One full evaluation; the published probes extrapolated from {fraction:.3f} of an epoch"
    )
    header = ["", "epoch pred, s", "epoch enc, s", "published, 30 + 30 epochs, s"]
    return rows(title, [*header, *(f"closed form, {each}, s" for each in PRECISIONS)], lines)


def _around(found):
    lines = [
        [part, what, f"{seconds:.2f}"]
        for part, costs in found["around"].items()
        for what, seconds in costs.items()
    ]
    lines.append(["cell", "in all", f"{sum(found['around']['cell'].values()):.2f}"])
    return rows("Around training, seconds a cell", ["part", "what", "s"], lines)


def _growth(found):
    titles = {
        "embedding_size": "VICReg training by embedding size, sequences per second",
        "cells_at_once": "Cells at once, VICReg, one thread each, sequences per second together",
        "data": "Writing a data set",
    }
    for name, title in titles.items():
        records = found["growth"][name]
        if records:
            lines = [[f"{value:.4g}" for value in record.values()] for record in records]
            yield rows(title, list(records[0]), lines)
