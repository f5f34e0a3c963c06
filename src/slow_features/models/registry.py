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
    """Where a model type's class is, and which settings it has.

    target: "package.module:Class", a WorldModel.
    section: the class of its settings, or "package.module:Class".
    trains_on_probe_images: structured noise in its training is made of the images that the probe
    sees, as it is trained through the probe (published behaviour).
    """

    target: str
    section: type[Section] | str
    trains_on_probe_images: bool = False

    def model_class(self) -> type:
        """Import the model's module and return its class."""
        return _resolve(self.target)

    def section_class(self) -> type[Section]:
        """Return the class of the model's settings."""
        return _resolve(self.section) if isinstance(self.section, str) else self.section


def _resolve(target: str) -> type:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


MODELS: dict[str, ModelEntry] = {
    "VICReg": ModelEntry("slow_features.models.vicreg:VICReg", sections.VICRegSection),
    "SimCLR": ModelEntry("slow_features.models.simclr:SimCLR", sections.SimCLRSection),
    "RSSM": ModelEntry("slow_features.models.rssm:RSSM", sections.RSSMSection),
    "IDM": ModelEntry("slow_features.models.idm:IDM", sections.IDMSection),
    "Supervised": ModelEntry(
        "slow_features.models.supervised:Supervised",
        sections.SupervisedSection,
        trains_on_probe_images=True,
    ),
    "Random": ModelEntry("slow_features.models.random:Random", sections.RandomSection),
}


def section_name(model_type: str) -> str:
    """Name of a model type's section in params.yaml: its own name in lower case."""
    return model_type.lower()
