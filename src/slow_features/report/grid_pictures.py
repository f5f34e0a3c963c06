"""The figures in the report of a scale, each with a caption that says what this scale shows."""

from __future__ import annotations

from pathlib import Path

from slow_features.data.noise import NoiseSetting
from slow_features.grid.cells import THREE_DOTS
from slow_features.models.registry import MODELS
from slow_features.report.figure3 import (
    PANELS,
    draw_figure3,
    draw_untuned,
    families_by_kind,
    figure3_alt,
    missing,
    seeds_of_points,
    untuned,
)
from slow_features.report.grid_figures import (
    all_families,
    draw_errors_by_frame,
    draw_family_paths,
    draw_noise_samples,
    errors_by_frame_alt,
    has_paths,
    missing_by_frame,
    paths_alt,
    sample_cell,
)
from slow_features.report.grid_losses import draw_loss_panels, losses_alt
from slow_features.report.mechanism import (
    draw_mechanism,
    draw_repaired,
    has_mechanism,
    has_repaired,
    mechanism_alt,
    mechanism_caption,
)
from slow_features.report.names import family_name, listed, setting_name
from slow_features.report.pictures import caption, channel_note, noise_note, path_note
from slow_features.report.results import Results
from slow_features.report.spread import spread_in_words
from slow_features.report.style import Picture, method, methods, save

_STRUCTURED = "changing_structured"


def grid_pictures(results: Results, folder: Path) -> dict[str, Picture]:
    """Draw every figure that the scale has cells for and write it into `folder`."""
    pictures = [_figure3(results, folder), _by_frame(results, folder), _samples(results, folder)]
    if has_mechanism(results):
        pictures.append(_mechanism(results, folder))
    if has_repaired(results):
        pictures.append(_repaired(results, folder))
    if untuned(results):
        pictures.append(_untuned(results, folder))
    for family in results.shown_families:
        pictures.append(_losses(results, family, folder))
        if has_paths(results, family):
            pictures.append(_paths(results, family, folder))
    return {picture.name: picture for picture in pictures}


def image_source(results: Results) -> str:
    """Return what structured noise is made of: as measured, or as the settings ask for."""
    sources = {result.finished.result.noise.source for result in results.finished}
    cell = sample_cell(results, _STRUCTURED)
    asked = NoiseSetting.from_config(cell.config).source if cell else "photographs"
    return max(sources - {"uniform"}, default=asked)


def figure3_caption(results: Results) -> str:
    """Return what the figure shows of this scale: no mark is explained that is not there."""
    spread = spread_in_words(seeds_of_points(results))
    lines, dots = families_by_kind(results)
    bands = [look.label.lower() for name, look in methods().items() if not MODELS[name].trains]
    no_noise = any(float(r.cell.alpha) == 0 for r in results.cells if r.cell.family in lines)
    absent = [family_name(family) for family in PANELS if family not in results.families]
    there = [family for family in PANELS if family in results.families]
    idle = [family_name(family) for family in there if family not in results.shown_families]
    return caption(
        f"Means over the seeds, with {spread}." if spread else "One seed: no spread.",
        "Grey columns: the methods at one level, shifted sideways about it. The centre's error "
        f"does not depend on noise; the band of {', '.join(bands)} is drawn about measured levels."
        if lines
        else "",
        "One level of noise: a row for each method and variant. 28 px are 1 on the unit square."
        if dots
        else "",
        "A cross: not run, or not for every seed." if missing(results) else "",
        "Alpha 0 is the same in all panels." if no_noise else "",
        f"Not in this scale: {listed(absent)} noise." if absent else "",
        f"Not run at all: {listed(idle)} noise." if idle else "",
        "The paper plots this figure and gives no numbers, so none stand here.",
    )


def _figure3(results: Results, folder: Path) -> Picture:
    images = image_source(results)
    return save(
        lambda width: draw_figure3(results, images, width),
        folder,
        "figure3",
        "Figure 3: error under noise",
        figure3_caption(results),
        figure3_alt(results),
    )


def _by_frame(results: Results, folder: Path) -> Picture:
    return save(
        lambda width: draw_errors_by_frame(results, width),
        folder,
        "errors_by_frame",
        "Error by time step",
        caption(
            "Frame 0 is seen, the others are predicted; one level of each family, first seed. "
            "Start known, moves not: least squares from where the dot was at first; with three "
            "dots, of all three.",
            missing_by_frame(results),
        ),
        errors_by_frame_alt(results),
    )


def _mechanism(results: Results, folder: Path) -> Picture:
    return save(
        lambda width: draw_mechanism(results, width),
        folder,
        "mechanism",
        "What the embeddings hold: noise or dot",
        mechanism_caption(results),
        mechanism_alt(results),
    )


def _repaired(results: Results, folder: Path) -> Picture:
    return save(
        lambda width: draw_repaired(results, width),
        folder,
        "remedies",
        "What repaired embeddings hold at fixed noise",
        "Shares of the variance as in the figure above; each remedy stands with the variants of "
        "the same method that fail. Right of a bar: the probe's error on rollouts.",
        mechanism_alt(results, remedies=True),
    )


def _untuned(results: Results, folder: Path) -> Picture:
    return save(
        lambda width: draw_untuned(results, width),
        folder,
        "untuned",
        "Hyper-parameters tuned at one level only (appendix A.5)",
        "Changing uniform noise: solid with the published hyper-parameters of each level, "
        "dashed with those of one level for all.",
        "The same in numbers: the table of all cells, changing uniform noise.",
    )


def _samples(results: Results, folder: Path) -> Picture:
    there = [setting_name(f, sample_cell(results, f).alpha) for f in all_families()]
    absent = [family_name(f) for f in all_families() if f not in results.families]
    return save(
        lambda width: draw_noise_samples(results, width),
        folder,
        "samples",
        "Samples of every noise family",
        caption(
            "Sequence 0 of the evaluation as a model sees it; above, the number of the frame.",
            noise_note(image_source(results)),
            channel_note(3),
            f"Not in this scale, and shown as another one has it: {listed(absent)}."
            if absent
            else "",
        ),
        f"A row of frames for each noise: {listed(there)}. Noise of a level above 1 is brighter "
        "than much of the dot; fixed noise is the same picture in every frame.",
    )


def _losses(results: Results, family: str, folder: Path) -> Picture:
    levels = sorted({r.cell.alpha for r in results.cells if r.cell.family == family}, key=float)
    one = f" {levels[0]}" if len(levels) == 1 else ""
    return save(
        lambda width: draw_loss_panels(results, family, width),
        folder,
        f"losses_{family}",
        f"Loss curves: {family_name(family)}{one}",
        caption(
            "Each loss over its first value, for all levels and seeds: a line that stays at 1 is a "
            "network that has hardly moved.",
            *[
                f"For {method(name).label} the constant {MODELS[name].loss_floor:g} that it costs "
                "at least is subtracted."
                for name in {r.cell.model_type: None for r in results.cells}
                if MODELS[name].loss_floor
            ],
            "A part of a loss may be noise that no model can predict.",
        ),
        losses_alt(results, family),
    )


def _paths(results: Results, family: str, folder: Path) -> Picture:
    setting = setting_name(family, results.reference_level(family))
    return save(
        lambda width: draw_family_paths(results, family, width),
        folder,
        f"paths_{family}",
        f"True and decoded paths: {setting}",
        caption(
            "First row: the same sequence for every method. Below: of the eight stored sequences "
            "the best and the worst of each. Drawn over frame 0, the only one that the rollout "
            "sees; with the RMSE of the sequence.",
            path_note(3 if family == THREE_DOTS else 1),
        ),
        paths_alt(results, family),
    )
