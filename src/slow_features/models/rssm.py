"""RSSM: a recurrent state space model that learns by reconstructing the frames.

The paper's "Reconstruction" (section 3), after Hafner et al. 2019. Here a *belief* is the
deterministic part of the state, the one that is probed, and a *sample* the stochastic part.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slow_features.config.sections import FREE_NATS, RSSMSection
from slow_features.data.batch import TimeMajorBatch
from slow_features.models.base import Optimisation, WorldModel
from slow_features.models.decoder import Decoder
from slow_features.models.encoders import build_encoder
from slow_features.models.gaussian import Gaussian, GaussianHead, kl_divergence
from slow_features.models.gru import GRU

CLIP_NORM = 1000.0


class RSSM(WorldModel):
    """Beliefs b_t, moved on by samples s_t and actions a_t, from which the frames are decoded.

    b_0 is the encoding e_0 of frame 0, and b_t = GRU(relu(linear[s_{t-1}, a_{t-1}]), b_{t-1}).
    s_0 is drawn from prior(b_0), s_t from posterior(e_t, b_t) in training and from prior(b_t) when
    predicting. Step t costs max(mean KL(prior(b_t) || posterior(e_t, b_t)), 3) plus the error of
    the frame decoded from [a sample of prior(b_t), b_t]; frame 0 costs only the latter.

    Published behaviour: a sample has the embedding's size D, and so do hidden layers; the mean of
    the KL is over batch and features, and each step's is held against 3 (it stays below 3, so that
    neither the prior's nor the posterior's nets ever learn); `scale` is a standard deviation, to
    which training adds min_var, except to the prior's of frame 0; the last layer of the
    posterior's nets has a ReLU as the prior's has; frame 0 has no posterior, and its one sample is
    both decoded and handed on.
    """

    section: RSSMSection

    def __init__(self, section: RSSMSection, dots: int) -> None:
        super().__init__(section, dots)
        size = section.state_size
        self.encoder = build_encoder(section)
        self.input = nn.Linear(size + section.action_dim, size)
        self.gru = GRU(size, size)
        self.prior = GaussianHead(size, size)
        self.posterior = GaussianHead(2 * size, size, size)
        self.decoder = Decoder(2 * size, section.channels, section.backbone_width_factor)

    def losses(self, batch: TimeMajorBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return "loss" and its terms, sums over frames divided by T - 1, without their weights.

        "reconstruction": squared error, mean over batch and pixels. "kl": mean over batch and
        features, before it is held against FREE_NATS.
        """
        encodings = self.encode(batch.states)  # [T, B, D]
        noise = _standard_normal((2, *encodings.shape), encodings, generator)
        noise[1, 0] = noise[0, 0]  # frame 0's one sample
        with self.autocast(encodings.device):
            _, samples = self._unroll(encodings.detach(), batch.actions, noise[1])
            beliefs = self._beliefs(encodings[0], samples, batch.actions)
            prior = self.prior(beliefs, self._prior_min_scales(beliefs))
            posterior = self._posterior(encodings[1:], beliefs[1:])
            states = torch.cat([prior.draw(noise[0]), beliefs], dim=-1)
            decoded = self.decoder(states.flatten(0, 1), steps=len(states))

        steps = len(batch.actions)
        errors = (decoded.view_as(batch.states) - batch.states).square()
        kl = kl_divergence(Gaussian(prior.mean[1:], prior.scale[1:]), posterior).mean(dim=(1, 2))
        terms = {"reconstruction": errors.mean() * (steps + 1) / steps, "kl": kl.mean()}
        loss = terms["reconstruction"] + kl.clamp(min=FREE_NATS).mean()
        return {"loss": loss, **terms}

    def rollout(self, frames: Tensor, actions: Tensor, generator: torch.Generator) -> Tensor:
        """Return the beliefs [T, B, D] that follow from frame 0 and the actions.

        frames: [1, B, C, H, W]; actions: [T - 1, B, 2]. Samples are drawn from the prior. Carries
        no gradient.
        """
        encoding = self.encode(frames[0]).detach()
        noise = _standard_normal((len(actions), *encoding.shape), encoding, generator)
        with self.autocast(encoding.device):
            return self._unroll(encoding[None], actions, noise)[0]

    def optimisation(self, batch_size: int, steps_per_epoch: int, epochs: int) -> Optimisation:
        """Return Adam at a constant rate, with the gradient's norm clipped at 1000.

        The published code means to cut the rate by 10 after epoch 36, but never applies it.
        """
        adam = torch.optim.Adam(
            self.parameters(), lr=self.section.learning_rate, eps=self.section.rssm_adam_epsilon
        )
        return Optimisation(adam, clip_norm=CLIP_NORM)

    @torch.no_grad()
    def _unroll(self, encodings: Tensor, actions: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Walk through time: encodings [T or 1, B, D] -> beliefs [T, B, D], samples [T - 1, B, D].

        actions: [T - 1, B, 2]; noise: [T - 1 or more, B, D], standard normal. Sample 0 is drawn
        from the prior, the others from the posterior where there are encodings for it.
        """
        beliefs, samples = [encodings[0]], []
        for t, action in enumerate(actions):
            belief = beliefs[-1]
            if 0 < t < len(encodings):
                state = self._posterior(encodings[t], belief)
            else:
                state = self.prior(belief, self._min_scale if t else 0.0)
            samples.append(state.draw(noise[t]))
            gru_input = self._gru_input(samples[-1], action)
            beliefs.append(torch.gru_cell(gru_input, belief, *self.gru.all_weights[0]))
        return torch.stack(beliefs), torch.stack(samples)

    def _beliefs(self, first: Tensor, samples: Tensor, actions: Tensor) -> Tensor:
        """Return the beliefs [T, B, D] that given samples [T - 1, B, D] lead to, with gradient.

        Equals carrying the gradient through `_unroll`: a sample carries none, so once all are
        drawn they are plain inputs, and the recurrence is an ordinary GRU over a known sequence.
        Priors, posteriors and frames, which do not feed it, can wait for all beliefs at once.
        """
        return torch.cat([first[None], self.gru(self._gru_input(samples, actions), first)])

    def _gru_input(self, sample: Tensor, action: Tensor) -> Tensor:
        return F.relu(self.input(torch.cat([sample, action], dim=-1)))

    def _prior_min_scales(self, beliefs: Tensor) -> Tensor:
        """Return what is added to the prior's scale, [T, 1, 1]: nothing at frame 0."""
        scales = beliefs.new_full((len(beliefs), 1, 1), self._min_scale)
        scales[0] = 0.0
        return scales

    def _posterior(self, encoding: Tensor, belief: Tensor) -> Gaussian:
        return self.posterior(torch.cat([encoding, belief], dim=-1), self._min_scale)

    @property
    def _min_scale(self) -> float:
        return self.section.min_var if self.training else 0.0


def _standard_normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
