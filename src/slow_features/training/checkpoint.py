"""The state of a training on disk: everything that its next step depends on, and no pickle.

All randomness is a function of (seed, step), so the model, the optimiser, the number of steps
done and the curve so far are the whole state. Written beside, synced and renamed: a kill at any
moment leaves the last checkpoint or the new one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from slow_features.errors import TrainingError
from slow_features.models.base import WorldModel
from slow_features.training.curve import LAST_GOOD, Progress
from slow_features.weights import (
    TensorFile,
    first_not_finite,
    read_tensors,
    require_same_shapes,
    write_tensors,
)

FORMAT = "slow-features checkpoint 1"


def save_checkpoint(
    file: Path,
    identity: str,
    model: WorldModel,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    """Write the training's state, replacing the last one in one step.

    Raises TrainingError, and keeps the last checkpoint, when a weight or a loss is not finite, or
    a weight so large that its square is not.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= _optimizer_tensors(optimizer)
    bad = first_not_finite(tensors)
    if bad:
        raise TrainingError(f"{bad} after step {progress.step}; {LAST_GOOD}")
    description = {"format": FORMAT, "identity": identity, "progress": progress.as_dict()}
    write_tensors(file, tensors, description)


def load_checkpoint(
    file: Path, identity: str, model: WorldModel, optimizer: torch.optim.Optimizer
) -> Progress:
    """Put the state of `file` into model and optimizer and return the progress.

    Raises InputError, and changes neither, when the file is damaged or belongs to another training.
    """
    content = read_tensors(file, FORMAT)
    if content.description.get("identity") != identity:
        raise content.problem("belongs to another training")
    own = {f"model.{name}": value for name, value in model.state_dict().items()}
    stored = {name: value for name, value in content.tensors.items() if name in own}
    try:
        require_same_shapes(content, own, stored)
        state = _optimizer_state(content, optimizer)
        progress = Progress.from_dict(content.description["progress"])
    except (KeyError, TypeError, ValueError) as error:
        raise content.problem(f"no checkpoint ({error!r})") from None
    model.load_state_dict({name.removeprefix("model."): value for name, value in stored.items()})
    optimizer.load_state_dict(state)
    return progress


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer.{index}.{name}": torch.as_tensor(value)
        for index, entries in state.items()
        for name, value in entries.items()
    }


def _optimizer_state(content: TensorFile, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {}
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in content.tensors.items():
        kind, _, rest = key.partition(".")
        if kind != "optimizer":
            continue
        index, _, name = rest.partition(".")
        fits = int(index) < len(parameters) and value.shape in (parameters[int(index)].shape, ())
        if not fits:
            raise content.problem(f"{key} does not fit the optimiser")
        state.setdefault(int(index), {})[name] = value
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
