"""The figures in the report of a scale, each with a caption that says what this scale shows."""

from __future__ import annotations

from pathlib import Path

from slow_features.data.noise import NoiseSetting
from slow_features.grid.cells import THREE_DOTS
from slow_features.models.registry import MODELS
from slow_features.report.figure3 import (
    draw_figure3,
    draw_untuned,
    missing,
    seeds_of_points,
)
from slow_features.report.grid_figures import (
    draw_errors_by_frame,
    draw_family_paths,
    draw_noise_samples,
    sample_cell,
    setting_name,
)
from slow_features.report.grid_losses import draw_loss_panels
from slow_features.report.mechanism import draw_mechanism, has_mechanism, mechanism_caption
from slow_features.report.pictures import caption, channel_note, noise_note, path_note
from slow_features.report.results import Results
from slow_features.report.spread import spread_in_words
from slow_features.report.style import Picture, method, methods, save

_STRUCTURED = "changing_structured"


def grid_pictures(results: Results, folder: Path) -> dict[str, Picture]:
    """Draw every figure that the scale has cells for and write it into `folder`."""
    pictures = [
        _figure3(results, folder),
        save(
            draw_errors_by_frame(results),
            folder,
            "errors_by_frame",
            "Error by time step",
            "Frame 0 is seen, the others are predicted; one level of each family, first seed.",
        ),
        _samples(results, folder),
    ]
    if has_mechanism(results):
        pictures.append(_mechanism(results, folder))
    if any(r.cell.variant == "untuned" for r in results.cells):
        pictures.append(_untuned(results, folder))
    for family in results.families:
        pictures.append(_losses(results, family, folder))
        pictures += _paths(results, family, folder)
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
    bands = [look.label.lower() for name, look in methods().items() if not MODELS[name].trains]
    no_noise = any(
        float(result.cell.alpha) == 0 and result.cell.family != THREE_DOTS
        for result in results.cells
    )
    return caption(
        f"Means over the seeds, with {spread}." if spread else "One seed: no spread.",
        "Grey columns: the methods at one level, shifted sideways about it. The centre's error "
        f"does not depend on noise; the band of {', '.join(bands)} is drawn about measured levels.",
        "A cross: not run, or not for every seed." if missing(results) else "",
        "Alpha 0 is the same in all panels." if no_noise else "",
        "The paper plots this figure and gives no numbers, so none stand here.",
    )


def _figure3(results: Results, folder: Path) -> Picture:
    return save(
        draw_figure3(results, image_source(results)),
        folder,
        "figure3",
        "Figure 3: error against the level of noise",
        figure3_caption(results),
    )


def _mechanism(results: Results, folder: Path) -> Picture:
    return save(
        draw_mechanism(results),
        folder,
        "mechanism",
        "What the embeddings hold: noise or dot",
        mechanism_caption(results),
    )


def _untuned(results: Results, folder: Path) -> Picture:
    return save(
        draw_untuned(results),
        folder,
        "untuned",
        "Hyper-parameters tuned at one level only (appendix A.5)",
        "Changing uniform noise: solid with the published hyper-parameters of each level, "
        "dashed with those of one level for all.",
    )


def _samples(results: Results, folder: Path) -> Picture:
    return save(
        draw_noise_samples(results),
        folder,
        "samples",
        "Samples of every noise family",
        caption(
            "Sequence 0 of the evaluation as a model sees it, every second frame.",
            noise_note(image_source(results)),
            channel_note(3),
        ),
    )


def _losses(results: Results, family: str, folder: Path) -> Picture:
    return save(
        draw_loss_panels(results, family),
        folder,
        f"losses_{family}",
        f"Loss curves: {family.replace('_', ' ')}",
        caption(
            "Each loss over its first value, for all levels and seeds: a line that stays at 1 is a "
            "network that has hardly moved.",
            *[
                f"Of {method(name).label} without the constant {MODELS[name].loss_floor:g} "
                "that it costs at least."
                for name in {r.cell.model_type: None for r in results.cells}
                if MODELS[name].loss_floor
            ],
            "A part of a loss may be noise that no model can predict.",
        ),
    )


def _paths(results: Results, family: str, folder: Path) -> list[Picture]:
    figure = draw_family_paths(results, family)
    if not figure:
        return []
    setting = setting_name(family, results.reference_level(family))
    text = caption(
        "The best and the worst of the eight stored sequences of each method, over frame 0, the "
        "only one that the rollout sees.",
        path_note(3 if family == THREE_DOTS else 1),
    )
    return [save(figure, folder, f"paths_{family}", f"True and decoded paths: {setting}", text)]
