"""Configurations written for the authors' code: keys without a meaning here, renamed models."""

from __future__ import annotations

from typing import Any

from slow_features.config.schema import Experiment
from slow_features.config.sections import IDMSection, ProbeSection, SupervisedSection
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


def drop_keys_without_meaning(raw: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the settings without the published keys that mean nothing here, and a line for each.

    raw: nested settings as read from YAML; not changed.
    """
    kept: dict[str, Any] = {}
    notices: list[str] = []
    for key, value in raw.items():
        if key in WITHOUT_MEANING:
            notices.append(f"{key}: accepted, without effect ({WITHOUT_MEANING[key]})")
        elif isinstance(value, dict):
            inner = {k: v for k, v in value.items() if f"{key}.{k}" not in WITHOUT_MEANING}
            kept[key] = inner
            notices += [
                f"{key}.{k}: accepted, without effect ({WITHOUT_MEANING[f'{key}.{k}']})"
                for k in value
                if k not in inner
            ]
        else:
            kept[key] = value
    return kept, notices


def recognise(config: Experiment) -> tuple[Experiment, list[str]]:
    """Give published IDM and Supervised configurations their own model type.

    The published code runs IDM as VICReg with only an action loss, and Supervised as a model that
    is only evaluated (eval_only) with a fine-tuning probe (probing_cfg.full_finetune).
    """
    if config.eval_only and config.probing_cfg.full_finetune:
        return _as_supervised(config), [
            f"model_type {config.model_type} with eval_only and probing_cfg.full_finetune: "
            "read as model_type Supervised"
        ]
    if config.model_type == "VICReg" and _only_action_loss(config):
        return _as_idm(config), [
            "model_type VICReg with only an action loss: read as model_type IDM"
        ]
    return config, []


def _only_action_loss(config: Experiment) -> bool:
    others = ("sim_coeff", "std_coeff", "cov_coeff", "encoding_std_coeff", "encoding_cov_coeff")
    section = config.vicreg
    return section.action_coeff > 0 and not any(getattr(section, name) for name in others)


def _as_idm(config: Experiment) -> Experiment:
    settings = config.model_dump()
    settings["model_type"] = "IDM"
    settings["idm"] = {key: settings["vicreg"][key] for key in IDMSection.model_fields}
    settings["vicreg"] = {}
    return Experiment(**settings)


def _as_supervised(config: Experiment) -> Experiment:
    settings = config.model_dump()
    source, probe = settings[section_name(config.model_type)], settings["probing_cfg"]
    section = {key: source[key] for key in SupervisedSection.model_fields if key in source}
    section |= {key: probe[key] for key in ("lr", "epochs", "batch_size")}
    epochs_enc = probe["epochs_enc"]
    settings |= {"model_type": "Supervised", "eval_only": False, "supervised": section}
    settings[section_name(config.model_type)] = {}
    settings["probing_cfg"] = ProbeSection(epochs_enc=epochs_enc).model_dump()
    return Experiment(**settings)
