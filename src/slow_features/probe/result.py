"""The result of one evaluation: a small JSON file whose every field is described here.

Only what the same configuration and seed reproduce is inside, so two runs write the same bytes:
no times, no machine, no git revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from slow_features.data.noise import NoiseSetting, NoiseSource
from slow_features.errors import InputError
from slow_features.files import write_json
from slow_features.probe.linear import Solver
from slow_features.probe.metrics import NAMES, dot_name

SCHEMA_VERSION = 2


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")


def _three_decimals(value: float) -> float:
    return round(value, 3) + 0.0  # + 0.0: no negative zero


Measure = Annotated[float, AfterValidator(_six_digits), Field(ge=0)]
Pixels = Annotated[float, AfterValidator(_three_decimals)]
Checksum = Annotated[str, Field(pattern=r"^[0-9a-f]+$")]


class Block(BaseModel):
    """A part of a result: frozen, complete, without unknown fields or infinities."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Errors(Block):
    """Root mean squared distances between decoded and true locations (paper, section 3)."""

    rmse_px: Measure
    """Root of the mean over sequences, time steps and dots, in px."""
    rmse_unit: Measure
    """The same on the paper's unit square: px / 28."""
    per_step_px: list[Measure]
    """Per time step, mean over sequences and dots, in px."""
    per_dot_px: dict[str, Measure]
    """Per dot, mean over sequences and time steps, in px."""
    per_dot_unit: dict[str, Measure]
    """Per dot on the unit square, the numbers of the paper's table 1."""
    per_step_per_dot_px: dict[str, list[Measure]]
    """Per dot and time step, mean over sequences, in px."""


class ProbeErrors(Errors):
    """The errors of a fitted probe, and what was found while it was fitted and evaluated."""

    solver: Solver
    """closed_form: least squares; adam: as published; own: trained with the model (Supervised)."""
    fitted_on: Annotated[int, Field(ge=0)]
    """Sequences that the probe was fitted on; 0 for a model's own probe."""
    rank: Annotated[int, Field(ge=0)] | None
    """Independent directions of the states that the closed form was fitted on; null otherwise."""
    spread: Measure
    """Standard deviation of the evaluated states relative to their root mean square."""
    collapsed: bool
    """The spread is below 0.001: the states are one constant but for rounding and noise."""


class Noise(Block):
    """The distractor noise of the sequences."""

    family: str
    """none, or {changing, fixed, mixed}_{uniform, structured}."""
    alpha: float
    """Level of the noise; the larger one where it is mixed."""
    changing: float
    """Level of the noise that changes every frame."""
    fixed: float
    """Level of the noise that is fixed within a sequence."""
    speed: float
    """Px per frame by which fixed noise moves along the width."""
    source: NoiseSource
    """What the noise is made of: uniform pixels, photographs, or CIFAR-10."""

    @classmethod
    def of(cls, noise: NoiseSetting) -> Self:
        """Describe a noise setting."""
        return cls(**{name: getattr(noise, name) for name in cls.model_fields})


class ProbeResult(Block):
    """What one model reached on sequences that neither it nor its probe has seen."""

    schema_version: Literal[2] = SCHEMA_VERSION
    """Version of this format."""
    identity: str = ""
    """Name of the evaluation, a hash of all that its numbers depend on."""
    model_type: str
    """The model type, as in the configuration."""
    dataset_type: Literal["Single", "Multiple"]
    """One dot or three."""
    noise: Noise
    """The noise of the probe's and the evaluation's sequences."""
    seed: int
    """Seed of the configuration: initial weights, training data, the probe's own draws."""
    embedding_size: Annotated[int, Field(ge=1)]
    """Size D of a state."""
    evaluated_on: Annotated[int, Field(ge=1)]
    """Sequences that the errors are measured on."""
    pred: ProbeErrors
    """The probe on rollouts: the encoding of frame 0 and the predicted states."""
    enc: ProbeErrors
    """The probe on the encoding of frame 0 alone."""
    centre: Errors
    """The error of always answering the centre, on the same sequences and steps as `pred`."""
    data_checksum: Checksum
    """Checksum of the data set."""
    weights_checksum: Checksum
    """SHA-256 of the model's weights."""

    def flat(self, encodings: Mapping[str, float]) -> dict[str, float]:
        """Return the few headline metrics by their `metrics.NAMES`, one error per dot if several.

        encodings: what else was measured of the model, of which the named ones are taken: the
        shares, where there is noise. "rank" is there for a probe in closed form alone.
        """
        flat = {
            "rmse_px": self.pred.rmse_px,
            "rmse_unit": self.pred.rmse_unit,
            "enc_rmse_px": self.enc.rmse_px,
            "centre_rmse_px": self.centre.rmse_px,
            "spread": self.pred.spread,
            "collapsed": float(self.pred.collapsed),
        }
        if self.pred.rank is not None:
            flat["rank"] = float(self.pred.rank)
        flat |= {name: value for name, value in encodings.items() if name in NAMES}
        if len(self.pred.per_dot_px) > 1:
            flat |= {dot_name(dot): value for dot, value in self.pred.per_dot_px.items()}
        return flat

    def states(self) -> str | None:
        """Return in words what the evaluation found the rollouts' states to be, None if unknown."""
        if self.pred.collapsed:
            return "collapsed to one constant"
        rank, size = self.pred.rank, self.embedding_size
        return None if rank is None else f"rank {rank} of {size}"


class Paths(Block):
    """The first sequences of the evaluation split: where the dots were and what was decoded.

    Both are [sequences][time steps][dots][x, y] in px.
    """

    dots: list[str]
    """Names of the dots."""
    true: list[list[list[tuple[Pixels, Pixels]]]]
    """The true locations."""
    decoded: list[list[list[tuple[Pixels, Pixels]]]]
    """What the probe on rollouts reads off the states."""


def write_block(file: Path, block: Block) -> None:
    """Write a result or paths as JSON, atomically; the same content gives the same bytes."""
    write_json(file, block.model_dump(mode="json"))


def read_result(file: Path) -> ProbeResult:
    """Read a result. Raises InputError when the file is not there or not a result."""
    return _read(file, ProbeResult)


def read_paths(file: Path) -> Paths:
    """Read example paths. Raises InputError when the file is not there or something else."""
    return _read(file, Paths)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a result, with every field's meaning."""
    return ProbeResult.model_json_schema()


def _read(file: Path, block: type[Block]) -> Any:
    try:
        return block.model_validate_json(file.read_bytes())
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower().removesuffix(" or directory")
        raise InputError(f"{file}: {reason}; run the probe stage first") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "content"
        raise InputError(
            f"{file}: not a {block.__name__} of this version ({place}: {first['msg']}); "
            "run the probe stage again"
        ) from None
