"""The project from a notebook: results as a table, trained models, batches, decoded paths.

Results and settings are read from the current folder, which is a checkout of the repository.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from slow_features import paths
from slow_features.config.load import load_config, validate
from slow_features.config.schema import Experiment, ExperimentBase
from slow_features.data.cache import data_for, dataset_spec
from slow_features.data.counters import SPLITS, Split
from slow_features.data.geometry import to_unit_square
from slow_features.data.noise import NoiseSetting
from slow_features.errors import InputError
from slow_features.grid.cells import THREE_DOTS, cells_of
from slow_features.grid.definition import scales
from slow_features.grid.run import find_cell
from slow_features.probe.result import Errors, read_paths
from slow_features.report.criteria import read_published
from slow_features.report.results import CellResult, read_cells
from slow_features.report.tables import NOT_RUN
from slow_features.results.files import PATHS_FILE, Outputs, Place
from slow_features.results.store import StoredCell

if TYPE_CHECKING:  # torch is loaded where it is used: a table takes none
    import numpy as np

    from slow_features.data.batch import Batch
    from slow_features.models.base import WorldModel

Settings = str | Sequence[str] | Mapping[str, Any] | ExperimentBase
ALL_DOTS = "all"
# The columns of a table of results, in order, with their types.
COLUMNS = {
    **dict.fromkeys(("scale", "family"), "category"),
    "alpha": "float64",
    **dict.fromkeys(("model", "variant"), "category"),
    "seed": "int64",
    "dot": "category",
    **dict.fromkeys(("error_px", "error_unit", "frame0_px", "centre_px"), "float64"),
    "published_unit": "float64",
    **dict.fromkeys(("steps", "sequences"), "int64"),
    "seconds": "float64",
    **dict.fromkeys(("machine", "git_revision"), "string"),
}


def load_results(scale: str = "all") -> pd.DataFrame:
    """Return the results in git of a scale of grids.yaml, or of all scales, as a tidy table.

    A row for each cell and dot: dot "all" is the error over all dots, and where there are three,
    each has a row as well. error_px: RMSE on rollouts; error_unit: the same on the unit square,
    px / 28; frame0_px: of the probe on the encoding of frame 0; centre_px: of always answering the
    centre; published_unit: of the paper's table 1, NaN where nothing is published; steps,
    sequences, seconds: of the training; machine: its processor.
    A cell that was not run has no row; one that cannot be read has none and is warned of.
    Raises InputError for a scale that there is not.
    """
    published = read_published()["table_1_three_dots"]
    rows: list[dict[str, Any]] = []
    for name in scales() if scale == "all" else [scale]:
        for result in read_cells(cells_of(name)):
            if result.outputs is not None:
                rows += _rows(result, result.outputs, published)
            elif result.reason != NOT_RUN:
                warnings.warn(f"{result.cell.path}: {result.reason}", stacklevel=2)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _rows(
    result: CellResult, outputs: Outputs, published: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one cell."""
    cell, found, run = result.cell, outputs.result, outputs.run
    known = published.get(cell.model_type, {}) if cell.family == THREE_DOTS else {}
    dots = list(found.pred.per_dot_px)
    for dot in [ALL_DOTS, *(dots if len(dots) > 1 else [])]:
        error = _error(found.pred, dot)
        yield {
            **cell.labels,
            "dot": dot,
            "error_px": error,
            "error_unit": to_unit_square(error),
            "frame0_px": _error(found.enc, dot),
            "centre_px": _error(found.centre, dot),
            "published_unit": known.get("average" if dot == ALL_DOTS else dot),
            "steps": outputs.summary.steps,
            "sequences": outputs.summary.sequences,
            "seconds": run.seconds,
            "machine": run.machine.get("cpu"),
            "git_revision": run.git_revision,
        }


def _error(errors: Errors, dot: str) -> float:
    return errors.rmse_px if dot == ALL_DOTS else errors.per_dot_px[dot]


def load_model(name: str | Path) -> WorldModel:
    """Return a trained model in evaluation mode.

    name: a cell, as "quick/VICReg/fixed_uniform/alpha1.25-control-seed1"; "experiment", which is
    that of params.yaml; or a folder that a training by hand has written.
    A cell's weights are those of this machine's store, or were gathered and pulled by DVC. The
    number of torch's threads becomes that of the training.
    Raises InputError when there are no weights, or weights of other settings.
    """
    from slow_features.probe.stage import load_model as load
    from slow_features.weights import read_description

    by_hand = Place.below(Path(name)).weights
    if by_hand.is_file():
        return load(validate(read_description(by_hand).get("settings", {})), by_hand)
    config = _settings_of(str(name))
    weights = StoredCell(config).find_weights()
    if weights is None:
        part = "" if str(name) == str(paths.EXPERIMENT) else f" CELLS={name}"
        raise InputError(
            f"{name}: no weights here; allowed: after make reproduce{part}, or dvc pull "
            "weights/dvc.yaml where a remote has them"
        )
    return load(config, weights)


def batches(settings: Settings, split: Split) -> Iterator[Batch]:
    """Yield the batches of a split, on the CPU: states [B, T, C, H, W], see `Batch`.

    settings: texts that change params.yaml, as ["dataset_noise=0.5"]; a mapping, as a file of
    reproduce_configs/ holds it; an Experiment; or the name of a cell, or "experiment".
    split: "train" (batches of the training), "probe" or "evaluation" (as the probe reads them).
    The sequences are made in .cache/data if they are not there. Raises InputError.
    """
    from slow_features.data.stream import EVALUATION_BATCH, BatchStream

    if split not in SPLITS:
        raise InputError(f"split = {split!r}: allowed: {', '.join(SPLITS)}")
    config = _experiment(settings)
    sequences = dataset_spec(config).sizes[split]
    training = split == "train"
    stream = BatchStream(
        data_for(config),
        split,
        NoiseSetting.from_config(config),
        config.batch_size if training else min(EVALUATION_BATCH, sequences),
        channels=config.model.channels,
        normalize=config.dataset_normalize,
        sequences=sequences,
        keep_rest=not training,
    )
    return map(stream.batch, range(len(stream)))


def decoded_paths(name: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Return true and decoded paths of the first evaluation sequences: those that a report draws.

    name: as for `load_model`; the folder also holds an evaluation. Both arrays are
    [sequences, T, dots, 2], (x, y) in px, float64. Raises InputError when there are none.
    """
    import numpy as np

    place = Place.below(Path(name))
    if not place.probe.is_dir():
        _settings_of(str(name))  # refuses what is no name at all
        place = Place.recorded(Path(name))
    found = read_paths(place.probe / PATHS_FILE)
    return np.array(found.true), np.array(found.decoded)


def _experiment(settings: Settings) -> Experiment:
    """Return the configuration that settings describe. Raises InputError."""
    if isinstance(settings, ExperimentBase):
        return settings
    if isinstance(settings, str):
        return _settings_of(settings)
    if isinstance(settings, Mapping):
        return validate(dict(settings))
    return load_config(["params.yaml"], settings).config


def _settings_of(name: str) -> Experiment:
    """Return the configuration of a cell or of the experiment. Raises InputError."""
    if name == str(paths.EXPERIMENT):
        return load_config(["params.yaml"]).config
    try:
        return find_cell(name).config
    except InputError as error:
        raise InputError(f"{name}: neither a folder of a training nor a cell ({error})") from None
