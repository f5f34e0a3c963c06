"""What a run is called, and what it says of itself in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping

from slow_features.config.schema import ExperimentBase
from slow_features.data.noise import NoiseSetting
from slow_features.tracking.charts import HEADLINE

_DOTS = {"Single": "one dot", "Multiple": "three dots"}
_WHEN = {
    "none": "no noise",
    "changing": "noise that changes every frame",
    "fixed": "noise that is fixed within a sequence",
    "mixed": "noise that changes, and noise that is fixed",
}
# What the first sentence says already.
_SAID = frozenset(
    {
        "model_type",
        "dataset_type",
        "dataset_noise",
        "dataset_static_noise",
        "dataset_structured_noise",
        "seed",
    }
)


def setting(config: ExperimentBase) -> str:
    """Return the noise setting as the grid calls it, family and level, as "fixed_uniform 1.25"."""
    noise = NoiseSetting.from_config(config)
    family = "changing_uniform" if noise.family == "none" else noise.family
    if config.dataset_type == "Multiple":
        family = "three_dots" if family == "changing_uniform" else f"three_dots {family}"
    return f"{family} {noise.alpha:g}"


def run_name(config: ExperimentBase, tags: Mapping[str, str | None]) -> str:
    """Return a name whose beginning tells runs apart: legends of charts cut the end.

    As "SimCLR fixed 1.25 control s1 quick"; published settings name no variant.
    """
    noise = NoiseSetting.from_config(config)
    when, images = noise.family.partition("_")[0], " images" if noise.structured else ""
    dots = config.dataset_type == "Multiple"
    words = [
        config.model_type,
        "3 dots" if dots else "",
        f"{when}{images} {noise.alpha:g}" if noise.alpha else "" if dots else "no noise",
        "" if (variant := tags.get("variant")) in (None, "published") else variant,
        f"s{config.seed}",
        tags.get("study") or tags.get("scale") or "",
    ]
    return " ".join(word for word in words if word)


def note(
    config: ExperimentBase,
    tags: Mapping[str, str | None],
    differs: str,
    command: str | None,
) -> str:
    """Return the run's description in Markdown.

    differs: which settings, in words. command: what repeats the run, if known.
    """
    noise = NoiseSetting.from_config(config)
    when = _WHEN[noise.family.partition("_")[0]]
    level = f" (alpha {noise.alpha:g}, {noise.source})" if noise.alpha else ""
    belongs = [f"{key} {tags[key]}" for key in ("variant", "scale", "study") if tags.get(key)]
    first = (
        f"{config.model_type} on {_DOTS[config.dataset_type]} under {when}{level}, "
        f"{', '.join([f'seed {config.seed}', *belongs])}. `{HEADLINE}` is how far a linear probe "
        "of its states is from where the dots are."
    )
    again = f"To repeat it: {command}." if command else ""
    return "\n\n".join(part for part in (first, f"Its settings are {differs}.", again) if part)


def differences(settings: Mapping[str, str], defaults: Mapping[str, str]) -> str:
    """Say which settings are not the defaults, leaving out those that every note names."""
    other = [
        f"{key} = {value}"
        for key, value in settings.items()
        if key not in _SAID and value != defaults.get(key)
    ]
    return f"the defaults, but for {', '.join(other)}" if other else "the defaults"
