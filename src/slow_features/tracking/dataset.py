"""The data set of a run as MLflow knows data sets: a name, a digest, what decides the sequences.

Nothing is drawn or loaded: the digest is the checksum that the run has of its data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slow_features.config.schema import ExperimentBase
from slow_features.data.noise import NoiseSetting

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

DIGEST_LENGTH = 36  # all that MLflow keeps of a digest; `profile` has the whole checksum
_MADE_BY = "stages/generate.py"


@dataclass(frozen=True)
class Data:
    """What a run is trained and evaluated on.

    name: dots and noise. checksum: as manifest.json in data/ lists it for this noise. profile: what
    it is a checksum of; not how many sequences, since the data set may grow.
    """

    name: str
    checksum: str
    profile: dict[str, str | int | float]


def data_of(config: ExperimentBase, setting: str, checksum: str) -> Data:
    """Describe the data of an experiment; setting: its noise, as the tag `setting` has it."""
    noise = NoiseSetting.from_config(config)
    profile = {
        "sha256": checksum,
        "dataset_type": config.dataset_type,
        "dot_std_px": config.dataset_dot_std,
        "frames": config.n_steps,
        "frames_of_evaluation": config.val_n_steps,
        "seed": config.seed,
        "changing_noise": noise.changing,
        "fixed_noise": noise.fixed,
        "noise_source": noise.source,
    }
    return Data(f"{config.dataset_type} {setting}", checksum, profile)


def as_input(data: Data) -> DatasetInput:
    """Return the data as an input of a run, for training: the other splits are of the same."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    dataset = Dataset(
        name=data.name,
        digest=data.checksum[:DIGEST_LENGTH],
        source_type="code",
        source=json.dumps({"tags": {"mlflow.source.name": _MADE_BY}}),
        profile=json.dumps(data.profile),
    )
    return DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, "training")])
