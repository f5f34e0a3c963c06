"""What a stored data set is: its specification, its files and their checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from slow_features.data.counters import SPLITS, Split
from slow_features.data.geometry import dots_of
from slow_features.data.noise import NoiseSetting, NoiseSource
from slow_features.errors import InputError
from slow_features.files import NO_HANDLE_LEFT, sha256_file

FORMAT = 2  # to be raised when the same files would give other frames, or their layout changes
MANIFEST = "manifest.json"
REMEDY = "write the data set again: python stages/generate.py --folder FOLDER, or dvc repro"


@dataclass(frozen=True)
class DatasetSpec:
    """Everything that decides which trajectories are drawn.

    dot_std in px. n_steps: frames of a training sequence; val_n_steps: of the other splits.
    seed: of the train split; the others do not depend on it. sizes: sequences of each split.
    """

    dataset_type: Literal["Single", "Multiple"]
    dot_std: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    n_steps: Annotated[int, Field(ge=2)]
    val_n_steps: Annotated[int, Field(ge=2)]
    seed: Annotated[int, Field(ge=0)]
    sizes: dict[Split, Annotated[int, Field(ge=1)]]

    @property
    def dots(self) -> int:
        """Number of dots."""
        return dots_of(self.dataset_type)

    def steps(self, split: Split) -> int:
        """Number of frames T in a sequence of a split."""
        return self.n_steps if split == "train" else self.val_n_steps


class FileRecord(BaseModel):
    """Size and SHA-256 of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileRecord:
        """Measure a file."""
        return cls(bytes=path.stat().st_size, sha256=sha256_file(path))


class Manifest(BaseModel):
    """Content of manifest.json.

    noises: the settings that it serves. channels: of a frame. image_source, image_origin: where
    the images of structured noise come from, and how they were checked; None without any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    spec: DatasetSpec
    channels: int
    noises: tuple[NoiseSetting, ...]
    image_source: NoiseSource | None
    image_origin: str | None
    files: dict[str, FileRecord]

    @model_validator(mode="after")
    def _names_every_split(self) -> Self:
        if set(self.spec.sizes) != set(SPLITS):
            raise ValueError(f"spec.sizes: allowed: a number for each of {', '.join(SPLITS)}")
        return self

    def write(self, folder: Path) -> None:
        """Write manifest.json into the folder."""
        (folder / MANIFEST).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read manifest.json; InputError when it is missing, damaged or of another format."""
        path = folder / MANIFEST
        try:
            if path.exists() and not path.is_file():  # to read a pipe would wait for ever
                raise InputError(f"{path}: no file; {REMEDY}")
            manifest = cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise InputError(f"{path}: there is no data set here; {REMEDY}") from error
        except (OSError, ValidationError) as error:
            if isinstance(error, OSError) and error.errno in NO_HANDLE_LEFT:
                raise
            reason = error.strerror if isinstance(error, OSError) else _first_problem(error)
            raise InputError(f"{path}: not a manifest ({reason}); {REMEDY}") from error
        if manifest.format != FORMAT:
            raise InputError(f"{path}: format {manifest.format}, not {FORMAT}; {REMEDY}")
        return manifest

    @property
    def checksum(self) -> str:
        """SHA-256 over the manifest, and so over every file: the identity of the data set."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def check(self, folder: Path, checksums: bool) -> None:
        """Compare the files with their records: sizes, and checksums where asked for.

        Raises InputError naming the first file that is missing or differs.
        """
        for name, record in self.files.items():
            path = folder / name
            if not path.is_file():
                raise InputError(f"{path}: missing; {REMEDY}")
            if path.stat().st_size != record.bytes:
                size = path.stat().st_size
                raise InputError(f"{path}: {size} bytes instead of {record.bytes}; {REMEDY}")
            if checksums and sha256_file(path) != record.sha256:
                raise InputError(f"{path}: damaged, its SHA-256 has changed; {REMEDY}")


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    return ": ".join([*(str(part) for part in first["loc"][-2:]), first["msg"]])


def records(folder: Path, names: Iterable[str]) -> dict[str, FileRecord]:
    """Measure the named files of a folder, in alphabetical order."""
    return {name: FileRecord.of(folder / name) for name in sorted(names)}
