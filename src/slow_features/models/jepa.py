"""Joint-embedding predictive models: predict the encodings of later frames, not the frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from slow_features.config.sections import JepaSection, ModelSection
from slow_features.data.batch import TimeMajorBatch
from slow_features.losses.action import ActionPredictor, action_error
from slow_features.models.base import Optimisation, WorldModel
from slow_features.models.encoders import build_encoder
from slow_features.models.gru import GRU
from slow_features.optim.lars import LARS
from slow_features.optim.schedule import warmup_cosine


class EncoderPredictor(WorldModel):
    """An encoder, and a GRU on the actions that starts in the encoding of frame 0 (section 3)."""

    def __init__(self, section: ModelSection, dots: int) -> None:
        super().__init__(section, dots)
        self.encoder = build_encoder(section)
        self.predictor = GRU(section.action_dim, section.state_size, section.rnn_layers)

    def predict(self, encoding: Tensor, actions: Tensor) -> Tensor:
        """Predict the encodings of frames 1 .. T - 1, [T - 1, B, D], from that of frame 0.

        encoding: [B, D]; actions: [T - 1, B, 2].
        """
        with self.autocast(encoding.device):
            return self.predictor(actions, encoding)

    def rollout(self, frames: Tensor, actions: Tensor, generator: torch.Generator) -> Tensor:
        """Return [T, B, D]: the encoding of frame 0, then the predictions; nothing is random.

        frames: [first_frames, B, C, H, W]; actions: [T - 1, B, 2].
        """
        first = self.encode_sequence(frames)[:1]
        return torch.cat([first, self.predict(first[0], actions)])


class Term(NamedTuple):
    """One part of a loss: its name, its weight, and how to compute it if the weight is not 0."""

    name: str
    coefficient: float
    compute: Callable[[], Tensor]


class Step(NamedTuple):
    """What the terms of a loss are made of.

    encodings: [T, B, D] of all frames; predictions: [T - 1, B, D] of frames 1 .. T - 1.
    actions: [T - 1, B, 2]. generator: all of a step's randomness.
    """

    encodings: Tensor
    predictions: Tensor
    actions: Tensor
    generator: torch.Generator

    @property
    def targets(self) -> Tensor:
        """The encodings that the predictions predict, [T - 1, B, D]."""
        return self.encodings[1:]


class JepaModel(EncoderPredictor):
    """What VICReg, SimCLR and IDM share: the action predictor's term, LARS.

    A subclass adds its own loss in `terms`. Remedies: the action term beside another loss, and
    frame differences as input.
    """

    section: JepaSection

    def __init__(self, section: JepaSection, dots: int) -> None:
        super().__init__(section, dots)
        if section.action_coeff:
            self.action_predictor = ActionPredictor(section.state_size, section.action_dim)
        self.first_frames = 2 if section.frame_differences else 1

    def encode_sequence(self, frames: Tensor) -> Tensor:
        """Encode the frames of sequences, [T, B, C, H, W] -> [T, B, D].

        With frame_differences, what is encoded at t is x_t - x_(t - 1), and x_1 - x_0 at 0: fixed
        noise cancels out, and so does all that stands still (paper, conclusion).
        """
        if not self.section.frame_differences:
            return self.encode(frames)
        changes = frames[1:] - frames[:-1]
        return self.encode(torch.cat([changes[:1], changes]))

    def losses(self, batch: TimeMajorBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return "loss", the weighted sum of all terms, and each term by name, without its weight.

        A term whose coefficient is 0 is neither computed nor returned.
        """
        encodings = self.encode_sequence(batch.states)  # [T, B, D]
        predictions = self.predict(encodings[0], batch.actions)  # [T - 1, B, D]
        step = Step(encodings, predictions, batch.actions, generator)
        terms = [t for t in self.terms(step) if t.coefficient]
        values = {term.name: term.compute() for term in terms}
        loss = torch.stack([term.coefficient * values[term.name] for term in terms]).sum()
        return {"loss": loss, **values}

    def terms(self, step: Step) -> list[Term]:
        """Return the terms of the loss. "action": inverse dynamics, IDM's loss."""

        def action() -> Tensor:
            return action_error(
                self.action_predictor, step.encodings, step.predictions, step.actions
            )

        return [Term("action", self.section.action_coeff, action)]

    def optimisation(self, batch_size: int, steps_per_epoch: int, epochs: int) -> Optimisation:
        """Return LARS with the published warm-up and cosine."""
        base_lr = self.section.base_lr
        return Optimisation(
            LARS(self.parameters(), lr=base_lr),
            warmup_cosine(base_lr, batch_size, steps_per_epoch, epochs),
        )
