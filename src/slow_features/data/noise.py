"""What a noise setting is: how much noise, of which kind, and its names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from slow_features.config.schema import ExperimentBase

NoiseSource = Literal["uniform", "photographs", "cifar10"]


@dataclass(frozen=True)
class NoiseSetting:
    """Distractor noise: frame = dot + fixed * F * m + changing * C * m (paper, section 3).

    changing, fixed: the paper's alpha, of noise C drawn per frame and F drawn per sequence.
    structured: noise is natural images; else uniform pixels.
    speed: fixed noise moves along the width, int(i * speed) px to the right at frame i.
    source: what the noise is made of; "uniform" unless structured.
    trains_on_probe_images: the train split draws from the images of the probe, not its own.
    """

    changing: float = 0.0
    fixed: float = 0.0
    structured: bool = False
    speed: float = 0.0
    source: NoiseSource = "uniform"
    trains_on_probe_images: bool = False

    def __post_init__(self) -> None:
        """Refuse settings that contradict themselves: two names for one kind of noise."""
        if self.structured != (self.source != "uniform"):
            raise ValueError(f"structured = {self.structured} does not fit source {self.source}")
        if self.trains_on_probe_images and not self.structured:
            raise ValueError("only structured noise is made of images")
        if self.structured and not (self.changing or self.fixed):
            raise ValueError("no noise at all cannot be structured")
        if self.speed and not self.fixed:
            raise ValueError("only fixed noise has a speed")

    @classmethod
    def from_config(cls, config: ExperimentBase) -> Self:
        """Read the noise from an experiment's settings; what has no effect is left out."""
        changing, fixed = config.dataset_noise, config.dataset_static_noise
        structured = config.dataset_structured_noise and bool(changing or fixed)
        images = "cifar10" if config.dataset_structured_noise_path else "photographs"
        return cls(
            changing=changing,
            fixed=fixed,
            structured=structured,
            speed=config.dataset_static_noise_speed if fixed else 0.0,
            source=images if structured else "uniform",
            trains_on_probe_images=structured and config.trains_on_probe_images,
        )

    @property
    def family(self) -> str:
        """Kind of noise: "none", or {changing, fixed, mixed}_{uniform, structured}."""
        if not (self.changing or self.fixed):
            return "none"
        when = "mixed" if self.changing and self.fixed else "changing" if self.changing else "fixed"
        return f"{when}_{'structured' if self.structured else 'uniform'}"

    @property
    def alpha(self) -> float:
        """Level of the noise; of mixed noise the larger of its two levels."""
        return max(self.changing, self.fixed)

    @property
    def key(self) -> str:
        """Name of this setting, as the statistics of a stored data set list it.

        Statistics are those of the train images for every model, so which images a training sees
        is no part of it.
        """
        parts = [self.family]
        parts += [f"{float(alpha)}" for alpha in (self.changing, self.fixed) if alpha]
        parts += [f"speed{float(self.speed)}"] if self.speed else []
        parts += [self.source] if self.structured else []
        return "-".join(parts)
