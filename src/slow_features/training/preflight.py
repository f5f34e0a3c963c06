"""What can refuse a training before it costs anything: its model, its memory, its first weights."""

from __future__ import annotations

from pathlib import Path

import psutil
import torch

from slow_features.config.schema import Experiment
from slow_features.data.geometry import IMAGE_SIZE
from slow_features.errors import InputError, MachineError
from slow_features.models.base import WorldModel
from slow_features.models.registry import MODELS, section_name
from slow_features.training.machine import choose_device
from slow_features.weights import FORMAT, read_tensors, require_same_shapes

_BYTES = 4  # of a float32


def check_model(config: Experiment, weights: Path | str | None) -> None:
    """Check device, model settings and memory, and that a file of weights is of this model.

    The model is built without its numbers, so the largest one costs no memory here. A training
    may not start from weights that its own result replaces: killed, it could not be repeated.
    Raises InputError or MachineError; writes nothing.
    """
    start, output = config.load_checkpoint_path, Path(config.output_path)
    if start and Path(start).resolve().is_relative_to(output.resolve()):
        raise InputError(
            f"load_checkpoint_path = {start}: lies in output_path = {output}, which is written; "
            "allowed: weights outside of it"
        )
    device = choose_device(config.device)
    model = _without_numbers(config)
    needed, free = least_memory(config, model), _free_memory(device)
    if needed > free:
        raise MachineError(
            f"not enough memory: this training takes at least {needed / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free on {device}; ask for less (embedding_size, "
            "rnn_layers, backbone_width_factor, the batch size, n_steps)"
        )
    if weights:
        content = read_tensors(Path(weights), FORMAT)
        require_same_shapes(content, model.state_dict(), content.tensors)


def _without_numbers(config: Experiment) -> WorldModel:
    """Return the model with the shapes of its tensors alone."""
    try:
        with torch.device("meta"):
            return MODELS[config.model_type].model_class()(config.model, dots=config.dots)
    except InputError as error:  # it begins with the key; a model does not know its section
        raise InputError(f"{section_name(config.model_type)}.{error}") from None


def least_memory(config: Experiment, model: WorldModel) -> int:
    """Return a lower bound on a training's memory in bytes.

    Weights, gradients, one state of the optimiser, and the frames of one batch; what a step needs
    between them is more, and differs from model to model.
    """
    weights = sum(parameter.numel() for parameter in model.parameters())
    frames = config.batch_size * config.n_steps * config.model.channels * IMAGE_SIZE**2
    copies = 3 if MODELS[config.model_type].trains else 1
    return _BYTES * (weights * copies + frames)


def _free_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
