"""The page that goes with a model's weights: what they are, what they reached, how to load them.

Written from what the file of weights says of itself; torch is not needed to read that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from slow_features.errors import InputError
from slow_features.probe.result import ProbeResult
from slow_features.results.files import WEIGHTS_FILE, Summary

CARD_FILE = "model_card.md"
_KEY, _CHECKSUM = "slow_features", "tensors_sha256"  # as slow_features.weights writes them


@dataclass(frozen=True)
class WeightsHeader:
    """What a file of weights says of itself. parameters: how many numbers, by part of the model."""

    description: dict[str, Any]
    parameters: dict[str, int]

    @property
    def checksum(self) -> str:
        """SHA-256 of its tensors."""
        return str(self.description.get(_CHECKSUM))


def read_header(file: Path) -> WeightsHeader:
    """Read the description and the shapes, no tensor. Raises InputError for another file."""
    try:
        with safe_open(str(file), framework="numpy") as content:
            description = json.loads((content.metadata() or {}).get(_KEY, "{}"))
            parameters: dict[str, int] = {}
            for name in content.keys():  # noqa: SIM118
                part = name.partition(".")[0]
                size = prod(content.get_slice(name).get_shape())
                parameters[part] = parameters.get(part, 0) + size
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        raise InputError(f"{file}: not a sound safetensors file ({error})") from None
    return WeightsHeader(description if isinstance(description, dict) else {}, parameters)


def stored_weights(summary: Summary, file: Path) -> Path | None:
    """Return the file if it has the very weights of the summary: another machine's may differ."""
    try:
        same = file.is_file() and read_header(file).checksum == summary.weights_checksum
    except InputError:
        return None
    return file if same else None


def model_card(summary: Summary, weights: Path | None, result: ProbeResult | None = None) -> str:
    """Return the card in Markdown.

    weights: the file that lies beside the card, None where this machine does not have it.
    Raises InputError for a file of weights that is damaged.
    """
    settings = summary.settings
    parts = [
        "---\nlicense: mit\nlibrary_name: slow-features\n---",
        f"# {settings['model_type']}, training {summary.identity}",
        "A world model of a moving dot, from a reproduction of *Joint Embedding Predictive "
        "Architectures Focus on Slow Features* (arXiv 2211.10831). It is made to be measured, and "
        "is of no use for other images.",
        "## Training\n\n" + _list(_training(summary)),
        "## Error\n\n" + _error(result),
        "## Weights\n\n" + (_weights(weights) if weights else _absent(summary)),
        f"## Settings\n\n```json\n{json.dumps(settings, indent=2, sort_keys=True)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _list(facts: dict[str, object]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _training(summary: Summary) -> dict[str, object]:
    return {
        "sequences seen": f"{summary.sequences:,}, in {summary.steps:,} steps",
        "data (SHA-256)": f"`{summary.data_checksum}`",
        "noise made of": summary.noise_source,
    }


def _error(result: ProbeResult | None) -> str:
    if result is None:
        return "Not evaluated when this card was written."
    rows = {
        "rollout: frame 0 and the predicted states": result.pred.rmse_px,
        "encoding of frame 0 alone": result.enc.rmse_px,
        "always the centre": result.centre.rmse_px,
    }
    table = "\n".join(f"| {name} | {error:.2f} |" for name, error in rows.items())
    head = "| what a linear probe decodes | RMSE, px |\n|---|---|\n"
    return f"On {result.evaluated_on:,} sequences that nothing was fitted on.\n\n{head}{table}"


def _weights(file: Path) -> str:
    header = read_header(file)
    counts = ", ".join(f"{part} {count:,}" for part, count in sorted(header.parameters.items()))
    facts = {
        "file": f"`{WEIGHTS_FILE}`, beside this card (safetensors: nothing in it is ever run)",
        "format": header.description.get("format"),
        "tensors (SHA-256)": f"`{header.checksum}`",
        "numbers": f"{sum(header.parameters.values()):,} ({counts})",
    }
    load = (
        "with the file in `mine/train/`:\n\n```python\nimport slow_features\n\n"
        'model = slow_features.load_model("mine")\n```'
    )
    return f"{_list(facts)}\n\nTo load them, {load}"


def _absent(summary: Summary) -> str:
    return (
        "Not here: git has no weights, and the machine that wrote this card did not have these. To "
        "make them, repeat the run. On a machine of the same kind the SHA-256 of the tensors is\n"
        f"`{summary.weights_checksum}`."
    )
