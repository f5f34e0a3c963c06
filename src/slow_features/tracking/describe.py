"""A run's name, parameters and tags, from its configuration."""

from __future__ import annotations

from collections.abc import Mapping

from slow_features.config.fields import Section
from slow_features.config.schema import ExperimentBase
from slow_features.data.noise import NoiseSetting
from slow_features.models.registry import section_name
from slow_features.provenance import provenance
from slow_features.tracking.sink import Description


def describe(
    config: ExperimentBase, stage: str, identity: str, tags: Mapping[str, str | None]
) -> Description:
    """Describe the run of a configuration.

    stage: the step of the pipeline that logs, as "train".
    tags: more tags, which win over those made here; those that are None are left out.
    """
    noise = NoiseSetting.from_config(config)
    own = {
        "model": config.model_type,
        "noise": noise.family,
        "noise_source": noise.source,
        "alpha": f"{noise.alpha:g}",
        "seed": str(config.seed),
        "stage": stage,
        "identity": identity,
        "group": config.run_group,
    }
    name = f"{own['model']} {own['noise']} {own['alpha']} seed {own['seed']}"
    if tags.get("variant") not in (None, "published"):
        name += f" {tags['variant']}"
    kept = {key: value for key, value in {**own, **tags}.items() if value is not None}
    return Description(identity, config.run_name or name, parameters(config), kept)


def parameters(config: ExperimentBase) -> dict[str, str]:
    """Return the top-level settings and the chosen model's section, by dotted key.

    The other models' sections changed nothing, and the probe's settings may change after the
    training: MLflow never lets a parameter change.
    """
    section = section_name(config.model_type)
    top = {key: value for key, value in config if not isinstance(value, Section)}
    inner = {f"{section}.{key}": value for key, value in config.model}
    return {key: "null" if value is None else str(value) for key, value in {**top, **inner}.items()}


def origin() -> dict[str, str | None]:
    """Return the tags that say where this process's code comes from."""
    here = provenance()
    return {"git_revision": here.git_revision, "dvc_experiment": here.dvc_experiment}
