"""One experiment's settings, checked: the single place for defaults, bounds and meanings.

Key names are those of the published configurations; a key of our own says "(ours)".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, create_model, model_validator

from slow_features.config.fields import Coefficient, Count, Section, number, setting
from slow_features.config.sections import ModelSection, ProbeSection
from slow_features.models.registry import MODELS, section_name

ModelType = Literal[tuple(MODELS)]
NotEmpty = Annotated[str, Field(min_length=1)]
OUTPUT_PATH = "runs/experiment"
WANDB_EXTRA = 'pip install -e ".[wandb]"'  # the project's name on a registry is not ours


def _or_default(value: Any) -> Any:
    return OUTPUT_PATH if value is None else value


class ExperimentBase(Section):
    """The settings outside the model sections."""

    scale: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")] = setting(
        "quick", "scale of the paper's grid, from grids.yaml; not of the experiment (ours)"
    )
    model_type: ModelType = setting("VICReg", "which world model is trained")
    dataset_type: Literal["Single", "Multiple"] = setting(
        "Single", "one dot, or three: action, random and stationary dot"
    )
    dataset_noise: Coefficient = setting(0.0, "alpha of noise that changes every frame")
    dataset_static_noise: Coefficient = setting(0.0, "alpha of noise fixed within a sequence")
    dataset_structured_noise: bool = setting(False, "noise is natural images, not uniform pixels")
    dataset_structured_noise_path: str | None = setting(
        None,
        "folder with CIFAR-10, binary or python version, read when structured noise is drawn; "
        "null: photographs shipped with scikit-image",
        min_length=1,
    )
    dataset_static_noise_speed: number(ge=0, le=28) = setting(
        0.0, "fixed noise moves along the width by this many px per frame"
    )
    dataset_dot_std: number(ge=0.25, le=6) = setting(1.3, "sigma of the dot, px")
    dataset_normalize: bool = setting(True, "normalise pixels, locations and actions")
    dataset_batch_size: Annotated[int, Field(ge=2, le=1_000_000)] = setting(
        64, "sequences in a training batch"
    )
    dataset_size: Count = setting(10_000, "fresh training sequences in an epoch")
    val_dataset_size: Count = setting(10_000, "sequences in the evaluation split")
    n_steps: Annotated[int, Field(ge=2, le=1000)] = setting(17, "frames in a training sequence")
    val_n_steps: Annotated[int, Field(ge=2, le=1000)] = setting(
        17, "frames in a sequence of the probe and of the evaluation"
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = setting(
        1, "seed of the initial weights, the training data and the samples in training"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "where to compute (ours)")
    threads: Annotated[int, Field(ge=1, le=1024)] = setting(
        2, "CPU threads of a training; part of the result's identity to the last bit (ours)"
    )
    precision: Literal["auto", "float32", "bfloat16"] = setting(
        "float32",
        "arithmetic of convolutions and products; auto: bfloat16 where the processor has it (ours)",
    )
    output_path: Annotated[
        str, BeforeValidator(_or_default, json_schema_input_type=NotEmpty | None)
    ] = setting(OUTPUT_PATH, f"folder that a training writes; null: {OUTPUT_PATH}", min_length=1)
    load_checkpoint_path: str | None = setting(
        None,
        "weights (.safetensors) to start from; with eval_only they are only probed",
        min_length=1,
    )
    eval_only: bool = setting(False, "do not train, only probe")
    safe_every_n_epochs: Count = setting(1, "checkpoint after every so many epochs")
    wandb: bool = setting(
        False, f"log to Weights & Biases as well as to MLflow; needs {WANDB_EXTRA}"
    )
    run_name: str | None = setting(
        None, "name of the MLflow run; null: made from the settings", min_length=1, max_length=200
    )
    run_group: str | None = setting(
        None, "tag 'group' of the MLflow run", min_length=1, max_length=200
    )

    @property
    def model(self) -> ModelSection:
        """The section of the chosen model type."""
        return getattr(self, section_name(self.model_type))

    @property
    def dots(self) -> int:
        """Number of dots in a frame."""
        return 1 if self.dataset_type == "Single" else 3

    @property
    def trains_on_probe_images(self) -> bool:
        """Whether structured noise in the training is made of the images that the probe sees."""
        return MODELS[self.model_type].trains_on_probe_images

    @property
    def batch_size(self) -> int:
        """Sequences in a training batch."""
        return getattr(self.model, "batch_size", None) or self.dataset_batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch; the rest of an epoch is dropped, as published."""
        return self.dataset_size // self.batch_size

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        for problem in _conflicts(self):
            raise ValueError(problem)
        return self


def _conflicts(config: ExperimentBase) -> list[str]:
    """Settings that are fine alone and impossible together, one line each."""
    problems = []
    section = section_name(config.model_type)
    own = f"{section}.batch_size" if getattr(config.model, "batch_size", None) else ""
    if config.batch_size > config.dataset_size:
        problems.append(
            f"{own or 'dataset_batch_size'} = {config.batch_size}: larger than the data; "
            f"allowed: at most dataset_size = {config.dataset_size}"
        )
    if config.model.channels == 3 and config.dataset_type == "Single":
        problems.append(
            f"{section}.channels = 3: does not fit dataset_type = Single; "
            "allowed: 1, or dataset_type = Multiple"
        )
    if config.model_type == "VICReg" and not any(
        value for key, value in config.vicreg if key.endswith("_coeff")
    ):
        problems.append("vicreg.sim_coeff = 0.0: every coefficient is 0; allowed: one above 0")
    finetunes = config.probing_cfg.full_finetune  # published form of Supervised: nothing is loaded
    if config.eval_only and not (config.load_checkpoint_path or finetunes):
        problems.append(
            "eval_only = True: there is nothing to probe; allowed: with load_checkpoint_path, a "
            ".safetensors file"
        )
    if finetunes and not config.eval_only:
        problems.append(
            "probing_cfg.full_finetune = True: the published form of model_type Supervised; "
            "allowed: with eval_only = true"
        )
    return problems + _conflicts_of_the_probe(config)


def _conflicts_of_the_probe(config: ExperimentBase) -> list[str]:
    own = config.probing_cfg.batch_size
    batch = own or config.dataset_batch_size
    if config.probing_cfg.solver != "adam" or batch <= config.val_dataset_size:
        return []
    return [
        f"{'probing_cfg.batch_size' if own else 'dataset_batch_size'} = {batch}: larger than an "
        f"epoch of the probe; allowed: at most val_dataset_size = {config.val_dataset_size}"
    ]


def _experiment_class() -> type[ExperimentBase]:
    sections: dict[str, Any] = {
        section_name(name): (entry.section_class(), Field(default_factory=entry.section_class()))
        for name, entry in MODELS.items()
    }
    sections["probing_cfg"] = (ProbeSection, Field(default_factory=ProbeSection))
    return create_model(
        "Experiment", __base__=ExperimentBase, __doc__=ExperimentBase.__doc__, **sections
    )


Experiment = _experiment_class()
