"""A run's name, parameters and tags, from its configuration."""

from __future__ import annotations

from collections.abc import Mapping

from slow_features import paths
from slow_features.config.fields import Section
from slow_features.config.schema import ExperimentBase
from slow_features.data.noise import NoiseSetting
from slow_features.models.registry import section_name
from slow_features.provenance import provenance
from slow_features.tracking import words
from slow_features.tracking.dataset import data_of
from slow_features.tracking.sink import Description

# Settings of the evaluation at the top level: with the same weights they may change.
_EVALUATION = ("val_dataset_size", "val_n_steps")
# Where a run lies in files, lists and grids. The name and the group of a run are its own already.
_PLACES = ("scale", "output_path", "safe_every_n_epochs", "wandb", "run_name", "run_group")


def describe(
    config: ExperimentBase,
    stage: str,
    identity: str,
    tags: Mapping[str, str | None],
    differs: str | None = None,
    command: str | None = None,
) -> Description:
    """Describe the run of a configuration.

    stage: the step of the pipeline that logs, as "train".
    tags: more tags, which win over those made here; those that are None are left out.
    differs: which settings it has, in words (default: which are not the defaults).
    command: what repeats the run, in Markdown, if known.
    """
    noise = NoiseSetting.from_config(config)
    own = {
        "model": config.model_type,
        "noise": noise.family,
        "noise_source": noise.source,
        "alpha": f"{noise.alpha:g}",
        "setting": words.setting(config),
        "seed": str(config.seed),
        "stage": stage,
        "identity": identity,
        "group": config.run_group,
        **evaluation_settings(config),
    }
    kept = {key: value for key, value in {**own, **tags}.items() if value is not None}
    checksum = kept.get("data_checksum")
    return Description(
        identity,
        config.run_name or words.run_name(config, tags),
        parameters(config),
        kept,
        words.note(config, tags, differs or _differences(config), command),
        data_of(config, kept["setting"], checksum) if checksum else None,
    )


def _differences(config: ExperimentBase) -> str:
    """Say which settings are not the defaults of the model type."""
    base = type(config)().model_copy(update={"model_type": config.model_type})
    return words.differences(
        *(parameters(which) | evaluation_settings(which) for which in (config, base))
    )


def parameters(config: ExperimentBase) -> dict[str, str]:
    """Return the settings of the training, by dotted key: those that its weights depend on.

    MLflow never lets a parameter change: what may change with the same weights is in tags.
    """
    apart = (*_EVALUATION, *_PLACES)
    top = {k: v for k, v in config if not isinstance(v, Section) and k not in apart}
    return _as_text({**top, **_dotted(section_name(config.model_type), config.model)})


def evaluation_settings(config: ExperimentBase) -> dict[str, str]:
    """Return the settings of the evaluation, by dotted key: tags, since they may change."""
    top = {key: getattr(config, key) for key in _EVALUATION}
    return _as_text({**top, **_dotted("probing_cfg", config.probing_cfg)})


def _dotted(name: str, section: Section) -> dict[str, object]:
    return {f"{name}.{key}": value for key, value in section}


def _as_text(settings: dict[str, object]) -> dict[str, str]:
    return {key: "null" if value is None else str(value) for key, value in settings.items()}


def origin(config: ExperimentBase) -> dict[str, str | None]:
    """Return the tags that say where this process's code comes from, and what has started it."""
    here = provenance()
    own = experiment_tags(config) if (here.dvc_stage or "").endswith("experiment-train") else {}
    return {"git_revision": here.git_revision, "dvc_experiment": here.dvc_experiment, **own}


def experiment_tags(config: ExperimentBase) -> dict[str, str]:
    """Return the tags that put what params.yaml describes beside the grid's cells."""
    return {"variant": str(paths.EXPERIMENT), "scale": config.scale}
