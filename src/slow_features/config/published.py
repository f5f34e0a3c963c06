"""Configurations written for the authors' code: keys without a meaning here, renamed models."""

from __future__ import annotations

from typing import Any

from slow_features.config.schema import Experiment
from slow_features.config.sections import IDMSection, SupervisedSection
from slow_features.errors import InputError, shorten
from slow_features.models.registry import section_name

# Keys of the published code that change nothing here, with the reason that the user reads.
WITHOUT_MEANING = {
    "eval_mpcs": "planning is not part of this reproduction",
    "probe_mpc": "planning is not part of this reproduction",
    "quick_debug": "shorten a run with <model>.epochs and dataset_size",
    "eval_at_the_end_only": "the probe always runs once, after training",
    "vicreg.prediction_diff_coeff": "the published code ignores it",
    "rssm.action_coeff": "the published code ignores it",
    "rssm.log_recontructed_image": "the report shows decoded frames",
    "rssm.log_reconstructed_image": "the report shows decoded frames",
}
# The terms of VICReg's loss that a published IDM does without.
_LOSS_OF_VICREG = (
    "sim_coeff", "std_coeff", "cov_coeff", "encoding_std_coeff", "encoding_cov_coeff",
    "time_std_coeff", "time_cov_coeff", "sigreg_coeff",
)  # fmt: skip
_OWN_OF_THE_PROBE = ("lr", "epochs", "batch_size")  # of Supervised, where it is published


def drop_keys_without_meaning(raw: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the settings without the published keys that mean nothing here, and a line for each.

    A key that asks for nothing (0, false, null) needs no line.
    raw: nested settings as read from YAML; not changed.
    """
    kept: dict[str, Any] = {}
    asked: list[str] = []
    for key, value in raw.items():
        if key in WITHOUT_MEANING:
            asked += [key] * bool(value)
        elif isinstance(value, dict):
            kept[key] = {k: v for k, v in value.items() if f"{key}.{k}" not in WITHOUT_MEANING}
            asked += [f"{key}.{k}" for k, v in value.items() if k not in kept[key] and v]
        else:
            kept[key] = value
    return kept, [f"{key}: accepted, without effect ({WITHOUT_MEANING[key]})" for key in asked]


def recognise(config: Experiment) -> tuple[dict[str, Any], list[str]]:
    """Return the nested settings with published IDM and Supervised under their own model type.

    The published code runs IDM as VICReg with only an action loss, and Supervised as a model that
    is only evaluated (eval_only) with a fine-tuning probe (probing_cfg.full_finetune). A setting
    that finds no place in the recognised configuration is named in a notice.
    Raises InputError for a fine-tuned RSSM, which is no Supervised.
    """
    source = section_name(config.model_type)
    if config.eval_only and config.probing_cfg.full_finetune:
        if config.model_type == "RSSM":
            raise InputError(
                "model_type = RSSM: with eval_only and probing_cfg.full_finetune, which is the "
                "published form of Supervised; allowed: VICReg or SimCLR"
            )
        from_probe = {f"probing_cfg.{key}": f"supervised.{key}" for key in _OWN_OF_THE_PROBE}
        from_model = {
            f"{source}.{key}": f"supervised.{key}"
            for key in SupervisedSection.model_fields
            if key not in _OWN_OF_THE_PROBE
        }
        spent = ["model_type", "eval_only", "probing_cfg.full_finetune"]
        form = f"{config.model_type} with eval_only and probing_cfg.full_finetune"
        return _read_as("Supervised", form, config, from_model | from_probe, spent)
    if config.model_type == "VICReg" and _only_action_loss(config):
        moves = {f"vicreg.{key}": f"idm.{key}" for key in IDMSection.model_fields}
        spent = ["model_type", *(f"vicreg.{key}" for key in _LOSS_OF_VICREG)]
        return _read_as("IDM", "VICReg with only an action loss", config, moves, spent)
    return config.model_dump(), []


def _only_action_loss(config: Experiment) -> bool:
    section = config.vicreg
    return section.action_coeff > 0 and not any(getattr(section, key) for key in _LOSS_OF_VICREG)


def _read_as(
    model_type: str, form: str, config: Experiment, moves: dict[str, str], spent: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """Move settings to where `model_type` has them; name those that come to nothing.

    moves: from the published key to ours. spent: keys that say which model it is, and no more.
    """
    given, defaults = _flat(config), _flat(Experiment())
    source = section_name(config.model_type)
    emptied = [*moves, *spent, *(key for key in given if key.startswith(f"{source}."))]
    settings = given | {key: defaults[key] for key in emptied}
    settings |= {target: given[key] for key, target in moves.items()}
    settings["model_type"] = model_type
    counts = {target: key for key, target in moves.items()}
    lost = [
        key
        for key, value in given.items()
        if key not in moves and key not in spent and value not in (defaults[key], settings[key])
    ]
    reasons = {key: f"{counts[key]} counts" for key in counts}
    notices = [f"model_type {form}: read as model_type {model_type}"] + [
        f"{key} = {shorten(given[key])}: accepted, without effect "
        f"({reasons.get(key, f'a {model_type} has no such setting')})"
        for key in lost
    ]
    return _nested(settings), notices


def _flat(config: Experiment) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.model_dump().items():
        section = isinstance(value, dict)
        flat |= {f"{key}.{k}": v for k, v in value.items()} if section else {key: value}
    return flat


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        section, _, name = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[name] = value
    return nested
