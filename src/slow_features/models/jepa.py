"""Joint-embedding predictive models: predict the encodings of later frames, not the frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from slow_features.config.sections import JepaSection, ModelSection
from slow_features.data.batch import TimeMajorBatch
from slow_features.losses.action import ActionPredictor, action_error
from slow_features.models.base import Optimisation, WorldModel
from slow_features.models.decoder import Decoder
from slow_features.models.encoders import build_encoder
from slow_features.models.predictors import build_predictor
from slow_features.models.projectors import build_projector
from slow_features.optim.lars import LARS
from slow_features.optim.schedule import warmup_cosine


class EncoderPredictor(WorldModel):
    """An encoder, and a predictor that goes on from the encoding of frame 0."""

    def __init__(self, section: ModelSection, dots: int) -> None:
        super().__init__(section, dots)
        self.encoder = build_encoder(section)
        self.predictor = build_predictor(section)

    def predict(self, encodings: Tensor, actions: Tensor) -> Tensor:
        """Predict the encodings of frames 1 .. T - 1, [T - 1, B, D], from the first rnn_burnin.

        encodings: at least the first rnn_burnin ones, [.., B, D]; actions: [T - 1, B, 2].
        """
        with self.autocast(encodings.device):
            predictions = self.predictor(encodings[: self.section.rnn_burnin], actions)
        return predictions.to(encodings.dtype)

    def rollout(self, frames: Tensor, actions: Tensor, generator: torch.Generator) -> Tensor:
        """Return [T, B, D]: the encoding of frame 0, then the predictions; nothing is random.

        frames: [R, B, C, H, W], R = rnn_burnin; actions: [T - 1, B, 2].
        """
        encodings = self.encode(frames)
        return torch.cat([encodings[:1], self.predict(encodings, actions)])


class Term(NamedTuple):
    """One part of a loss: its name, its weight, and how to compute it if the weight is not 0."""

    name: str
    coefficient: float
    compute: Callable[[], Tensor]


class JepaModel(EncoderPredictor):
    """What VICReg, SimCLR and IDM share: a projector, common loss terms, LARS.

    A subclass adds its own loss in `terms`.
    """

    section: JepaSection

    def __init__(self, section: JepaSection, dots: int) -> None:
        super().__init__(section, dots)
        size = section.embedding_size
        self.projector = build_projector(section)
        if section.action_coeff:
            self.action_predictor = ActionPredictor(size, section.action_dim)
        if section.decoding_coeff:
            self.decoder = Decoder(size, section.channels, section.backbone_width_factor)

    def losses(self, batch: TimeMajorBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return "loss", the weighted sum of all terms, and each term by name, without its weight.

        A term whose coefficient is 0 is neither computed nor returned.
        """
        encodings = self.encode(batch.states)  # [T, B, D]
        predictions = self.predict(encodings, batch.actions)  # [T - 1, B, D]
        terms = [t for t in self.terms(batch, encodings, predictions) if t.coefficient]
        values = {term.name: term.compute() for term in terms}
        loss = torch.stack([term.coefficient * values[term.name] for term in terms]).sum()
        return {"loss": loss, **values}

    def terms(self, batch: TimeMajorBatch, encodings: Tensor, predictions: Tensor) -> list[Term]:
        """Return the terms of the loss: encodings [T, B, D], predictions [T - 1, B, D].

        "action": inverse dynamics. "decoding": a decoder's error on the states of the rollout,
        which are detached, so that only the decoder learns from it.
        """
        return [
            Term(
                "action",
                self.section.action_coeff,
                lambda: action_error(self.action_predictor, encodings, predictions, batch.actions),
            ),
            Term(
                "decoding",
                self.section.decoding_coeff,
                lambda: self._decoding_error(batch.states, encodings, predictions),
            ),
        ]

    def optimisation(self, batch_size: int, steps_per_epoch: int, epochs: int) -> Optimisation:
        """Return LARS with the published warm-up and cosine."""
        base_lr = self.section.base_lr
        return Optimisation(
            LARS(self.parameters(), lr=base_lr),
            warmup_cosine(base_lr, batch_size, steps_per_epoch, epochs),
        )

    def _decoding_error(self, frames: Tensor, encodings: Tensor, predictions: Tensor) -> Tensor:
        states = torch.cat([encodings[:1], predictions]).detach()
        decoded = self.decoder(states.flatten(0, 1))  # [T * B, C, 28, 28]
        return F.mse_loss(decoded, frames.flatten(0, 1))
