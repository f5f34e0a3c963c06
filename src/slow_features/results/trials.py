"""Short trainings, one of each kind that results are of: does other code give the same bytes?

Run as a program, this module answers for the version of the code that it belongs to, so that an
older revision can be asked in a process of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from slow_features import paths
from slow_features.config.load import load_config, validate
from slow_features.grid.cells import cells_of
from slow_features.grid.definition import scales
from slow_features.grid.run import stored
from slow_features.identity import settings_of_weights
from slow_features.models.registry import section_name
from slow_features.results import files
from slow_features.results.store import StoredCell
from slow_features.weights import FORMAT, checksum, read_tensors

# Two epochs, so that what happens between them counts, of batches of the real size, on which the
# way of computing depends; for the probe more sequences than an embedding has numbers, so that
# its fit is of full rank.
EPOCHS, BATCHES, PROBE_SEQUENCES = 2, 2, 640


def named_cells(names: Iterable[str] = ()) -> dict[PurePath, StoredCell]:
    """Return the cells of every scale that has results, and ours, by their names in results/.

    names: of the scales of these cells alone; older code may not know the settings of others.
    """
    asked = {name.partition("/")[0] for name in names}
    recorded = [
        scale
        for scale in scales()
        if (paths.RESULTS / files.TRAIN / scale).is_dir() and (not asked or scale in asked)
    ]
    found = {PurePath(c.path): stored(c) for scale in recorded for c in cells_of(scale)}
    return found | {paths.EXPERIMENT: StoredCell(load_config(["params.yaml"]).config)}


def identities(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the identities of training and evaluation of the cells of these names."""
    asked = [*names]
    cells = {str(name): cell for name, cell in named_cells(asked).items()}
    found = {name: cells[name] for name in asked if name in cells}
    return {name: [cell.identity, cell.evaluation] for name, cell in found.items()}


def one_of_each_kind(cells: Mapping[PurePath, StoredCell]) -> list[tuple[str, dict, bool]]:
    """Return a short trial of each kind of cell: its name, its settings, with which probes.

    Two cells are of one kind when they differ in seed, length, and rates or levels above 0 alone.
    """
    found = {}
    for name, cell in cells.items():
        settings = _shortened(cell)
        short = validate(settings)
        kind = settings_of_weights(short) | {"seed": None, "probe": settings["probing_cfg"]}
        found.setdefault(
            repr((_kind(kind), cell.adam_probe)), (str(name), settings, cell.adam_probe)
        )
    return list(found.values())


def run_trials(trials: Iterable[tuple[str, dict, bool]]) -> list[list[str]]:
    """Train and evaluate in this process's store; return the two folders of each."""
    places = []
    for name, settings, adam_probe in trials:
        print(name, flush=True)
        place = StoredCell(validate(settings), adam_probe).evaluate()
        places.append([str(place.train), str(place.probe)])
    return places


def first_difference(one: Path, other: Path) -> str | None:
    """Return the name of a file whose content is not the same in two folders, None if all are.

    Of weights the tensors count; of the rest every byte but for the identity, and for settings that
    one of the two does not know.
    """
    names = {file.name for folder in (one, other) for file in folder.iterdir()}
    names -= set(files.NOT_RECORDED) - {files.WEIGHTS_FILE}
    return next(
        (n for n in sorted(names) if not _agree(_content(one / n), _content(other / n))), None
    )


def _content(file: Path) -> Any:
    if not file.is_file():
        return None
    if file.name == files.WEIGHTS_FILE:
        return checksum(read_tensors(file, FORMAT).tensors)
    content = file.read_bytes()
    if file.name == files.SUMMARY_FILE:
        return json.loads(content) | {"identity": ""}
    identity = json.loads(content).get("identity") if file.suffix == ".json" else None
    return content.replace(json.dumps(identity).encode(), b"") if identity else content


def _agree(one: Any, other: Any) -> bool:
    """Return whether two contents are the same; of a summary's settings, those that both have."""
    if isinstance(one, dict) and isinstance(other, dict):
        had, has = (_flat(summary.pop("settings", {})) for summary in (one, other))
        if any(had[key] != has[key] for key in had.keys() & has.keys()):
            return False
    return one == other


def _flat(settings: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    sections = {k: v if isinstance(v, dict) else {"": v} for k, v in settings.items()}
    return {(name, key): value for name, own in sections.items() for key, value in own.items()}


def _shortened(cell: StoredCell) -> dict[str, Any]:
    """Return the settings of a cell, reduced to a few batches.

    Those alone that differ from their default: older code may not have the others yet.
    """
    config, probe = cell.config, cell.config.probing_cfg
    settings = {"model_type": config.model_type} | config.model_dump(exclude_defaults=True)
    batch = max(config.batch_size, probe.batch_size or config.dataset_batch_size)
    settings |= {
        key: min(getattr(config, key), BATCHES * batch)
        for key in ("dataset_size", "val_dataset_size")
    }
    short = {"sequences": PROBE_SEQUENCES, "epochs": EPOCHS, "epochs_enc": EPOCHS}
    settings["probing_cfg"] = settings.get("probing_cfg", {}) | {
        key: min(getattr(probe, key), most) for key, most in short.items()
    }
    section = section_name(config.model_type)
    settings[section] = settings.get(section, {}) | {"epochs": EPOCHS}
    return settings


def _kind(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _kind(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_kind(inner) for inner in value]
    return value > 0 if isinstance(value, float) else value


if __name__ == "__main__":
    question = {"identities": identities, "trials": run_trials}
    print(json.dumps(question[sys.argv[1]](json.loads(Path(sys.argv[2]).read_bytes()))))
