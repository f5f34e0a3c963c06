"""Every model type in one table: the line to add for a model of your own.

Nothing here imports torch; a model's module is imported when the model is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from slow_features.config import sections
from slow_features.config.fields import Section


@dataclass(frozen=True)
class ModelEntry:
    """All that the rest of the project knows about a model type.

    target: "package.module:Class", a WorldModel.
    section: the class of its settings, or "package.module:Class".
    label: its name in a report; empty: the one in the table.
    colour, marker: of its lines in figures, as matplotlib names them; empty: one that is free.
    trains: False: it keeps its initial weights, and only a probe is fitted.
    trains_on_probe_images: structured noise in its training is made of the images that the probe
        sees, as it is trained through the probe (published behaviour).
    cost: of training on a sequence, relative to VICReg; costly cells of a grid start first.
    loss_floor: a constant in its loss that no training can lower.
    learns_distances: False: its loss looks at directions alone, so that squared distances between
        encodings say nothing.
    """

    target: str
    section: type[Section] | str
    label: str = ""
    colour: str = ""
    marker: str = ""
    trains: bool = True
    trains_on_probe_images: bool = False
    cost: float = 1.0
    loss_floor: float = 0.0
    learns_distances: bool = True

    def model_class(self) -> type:
        """Import the model's module and return its class."""
        return _resolve(self.target)

    def section_class(self) -> type[Section]:
        """Return the class of the model's settings."""
        return _resolve(self.section) if isinstance(self.section, str) else self.section


def _resolve(target: str) -> type:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


# Colours of Okabe and Ito, told apart with any colour vision; markers say the same in grey.
MODELS: dict[str, ModelEntry] = {
    "VICReg": ModelEntry(
        "slow_features.models.vicreg:VICReg",
        sections.VICRegSection,
        colour="#0072B2",
        marker="o",
    ),
    "SimCLR": ModelEntry(
        "slow_features.models.simclr:SimCLR",
        sections.SimCLRSection,
        colour="#E69F00",
        marker="s",
        learns_distances=False,
    ),
    "RSSM": ModelEntry(
        "slow_features.models.rssm:RSSM",
        sections.RSSMSection,
        label="Reconstruction (RSSM)",
        colour="#D55E00",
        marker="D",
        cost=3.0,
        loss_floor=sections.FREE_NATS,
    ),
    "IDM": ModelEntry(
        "slow_features.models.idm:IDM",
        sections.IDMSection,
        label="Inverse dynamics (IDM)",
        colour="#009E73",
        marker="^",
    ),
    "Supervised": ModelEntry(
        "slow_features.models.supervised:Supervised",
        sections.SupervisedSection,
        colour="#CC79A7",
        marker="v",
        trains_on_probe_images=True,
        cost=0.1,
    ),
    "Random": ModelEntry(
        "slow_features.models.random:Random",
        sections.RandomSection,
        label="Random features",
        colour="#7F7F7F",
        marker="X",
        trains=False,
    ),
}


def section_name(model_type: str) -> str:
    """Name of a model type's section in params.yaml: its own name in lower case."""
    return model_type.lower()
