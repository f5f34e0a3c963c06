"""One batch through the code, every shape printed: python -m slow_features.walkthrough

The calls are those that a training step and a probe make, one after the other, on fresh networks.
docs/walkthrough.md explains what is printed here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from slow_features.config.load import load_config
from slow_features.config.schema import Experiment
from slow_features.data.batch import Batch, TimeMajorBatch
from slow_features.data.cache import dataset_spec
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import open_dataset, write_dataset
from slow_features.data.stream import BatchStream
from slow_features.losses.prediction import prediction_error
from slow_features.losses.vicreg import covariance, variance_hinge
from slow_features.models.registry import MODELS
from slow_features.models.vicreg import VICReg
from slow_features.probe.closed_form import fit_closed_form
from slow_features.probe.features import States
from slow_features.training.session import build_model, seeded_generator

SETTINGS = (
    "dataset_noise=1.5",
    "dataset_batch_size=32",
    "dataset_size=32",
    "val_dataset_size=32",
    "probing_cfg.sequences=32",
    "vicreg.epochs=1",
)
THREE_DOTS = ("dataset_type=Multiple", "vicreg.channels=3")
SEQUENCE = 1  # whose dot is shown: its x and y are far apart
CPU = torch.device("cpu")


def walk() -> Iterator[str]:
    """Yield the lines of the walkthrough: one batch of 32 sequences, the published sizes."""
    torch.set_num_threads(1)  # one order of summing, so one set of numbers
    config = load_config([], SETTINGS).config
    batch = first_batch(config)
    yield from loaded(batch)
    yield from corner()
    yield from three_dots()
    yield "VICReg"
    yield from vicreg(config, batch.time_major())
    yield "loss terms of every model that is trained, fresh networks"
    yield from all_losses(batch.time_major())


def first_batch(config: Experiment, normalize: bool = True) -> Batch:
    """Write a data set of one batch and return that batch, as a training gets it."""
    noise, channels = NoiseSetting.from_config(config), config.model.channels
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data")
        write_dataset(dataset_spec(config), [noise], path, channels)
        stream = BatchStream(
            open_dataset(path), "train", noise, config.batch_size, CPU, channels, normalize
        )
        return stream.batch(0)


def loaded(batch: Batch) -> Iterator[str]:
    """Yield the batch as the loader makes it, and as a model takes it."""
    yield "batch, as loaded"
    yield row("states", batch.states, "B, T, C, H, W")
    yield row("locations", batch.locations, "B, T, dots, (x, y)")
    yield row("actions", batch.actions, "B, T - 1, dots, (x, y)")
    turned = batch.time_major()
    yield "batch, time first"
    yield row("states", turned.states, "T, B, C, H, W")
    yield row("locations", turned.locations, "T, B, dots, (x, y)")
    yield row("actions", turned.actions, "T - 1, B, (x, y): of dot 1 alone")


def corner() -> Iterator[str]:
    """Yield where a dot is in px and where its brightest pixel lies in the array."""
    batch = first_batch(load_config([], [*SETTINGS, "dataset_noise=0"]).config, normalize=False)
    x, y = batch.locations[SEQUENCE, 0, 0].tolist()
    frame = batch.states[SEQUENCE, 0, 0]  # [H, W], a clean dot
    line, column = divmod(int(frame.argmax()), frame.shape[1])
    yield "where x and y count from"
    yield f"  dot of sequence {SEQUENCE} at frame 0: x = {x:.2f} px, y = {y:.2f} px"
    yield f"  its brightest pixel: frame[{line}, {column}], row {line} from the top"


def three_dots() -> Iterator[str]:
    """Yield the same shapes with three dots in three channels."""
    batch = first_batch(load_config([], [*SETTINGS, *THREE_DOTS]).config)
    yield "three dots"
    yield row("states", batch.states, "a channel for each dot")
    yield row("locations", batch.locations, "action, random, stationary dot")
    yield row("actions", batch.actions, "the last dot's are 0")
    yield row("actions, time first", batch.time_major().actions, "of dot 1 alone")


def vicreg(config: Experiment, batch: TimeMajorBatch) -> Iterator[str]:
    """Yield what happens to the batch in VICReg, and in the probe on its states."""
    model = build_model(config, CPU)
    seen: list[str] = []

    def note(_: nn.Module, frames: tuple[Tensor], embeddings: Tensor) -> None:
        seen.append(row("into the encoder", frames[0], "T * B, C, H, W"))
        seen.append(row("out of the encoder", embeddings, "T * B, D"))

    model.encoder.register_forward_hook(note)
    encodings = model.encode(batch.states)
    predictions = model.predict(encodings[0], batch.actions)
    yield from seen
    yield row("encodings", encodings, "T, B, D")
    yield row("the predictor starts in", encodings[0], "B, D: frame 0")
    yield row("predictions", predictions, "T - 1, B, D: frames 1 to 16")
    yield from vicreg_terms(model, encodings, predictions)
    yield from probed(torch.cat([encodings[:1], predictions]), batch)


def vicreg_terms(model: VICReg, encodings: Tensor, predictions: Tensor) -> Iterator[str]:
    """Yield VICReg's three terms and their weighted sum."""
    section, later = model.section, encodings[1:]
    parts = {
        "sim": (section.sim_coeff, prediction_error(predictions, later)),
        "std": (section.std_coeff, variance_hinge(later)),
        "cov": (section.cov_coeff, covariance(later)),
    }
    yield row("targets of the loss", later, "T - 1, B, D: frames 1 to 16")
    for name, (weight, value) in parts.items():
        yield row(name, value, f"a number, {shown(value)}, times {weight:g}")
    total = sum(weight * value for weight, value in parts.values())
    yield row("loss", total, f"their sum, {shown(total)}")


def probed(states: Tensor, batch: TimeMajorBatch) -> Iterator[str]:
    """Yield what the linear probe reads and answers."""
    yield "probe"
    probe = fit_closed_form([States(states.detach(), batch.locations)]).pred
    yield row("states", states, "T, B, D: encoding 0, 16 predictions")
    yield row("weight", probe.weight, "dots * 2, D")
    yield row("decoded locations", probe.decode(states), "T, B, dots, (x, y)")


@torch.no_grad()
def all_losses(batch: TimeMajorBatch) -> Iterator[str]:
    """Yield the loss terms of every model type that is trained, by name."""
    for model_type in (name for name, entry in MODELS.items() if entry.trains):
        model = build_model(load_config([], [*SETTINGS, f"model_type={model_type}"]).config, CPU)
        terms = model.losses(batch, seeded_generator(CPU, seed=1, counter=0))
        numbers = ", ".join(f"{name} {shown(value)}" for name, value in terms.items())
        yield f"  {model_type:<10} {numbers}"


def row(what: str, tensor: Tensor, axes: str) -> str:
    """Return one line: what it is, its shape, what its axes are."""
    return f"  {what:<23} {list(tensor.shape)!s:<21} {axes}"


def shown(value: Tensor) -> str:
    """Return a number with three digits, which do not depend on the machine."""
    return f"{value.item():.3g}"


if __name__ == "__main__":
    for text in walk():
        print(text)
