"""The RSSM written straight from its formulas: one time step after the other, plain layers.

A reference for tests (in float64) and the baseline of benchmarks (in float32). Upsampling is
nn.Upsample, every convolution nn.Conv2d, the recurrence nn.GRUCell; only the encoder sees all
frames at once, as published. Shares no code with the package.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from tests.reference.slow_jepa import as_slow, sequential_encoder


class SlowDecoder(nn.Sequential):
    """[B, S] -> [B, C, 28, 28], layer after layer as the specification lists them."""

    def __init__(self, state_size: int, channels: int, width: int) -> None:
        super().__init__(
            nn.Linear(state_size, 9 * 32 * width),
            nn.ReLU(),
            nn.Unflatten(1, (32 * width, 3, 3)),
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(32 * width, 32 * width, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.BatchNorm2d(32 * width),
            nn.Upsample(scale_factor=3, mode="nearest"),
            nn.Conv2d(32 * width, 16 * width, 5, padding=2, bias=False),
            nn.ReLU(),
            nn.BatchNorm2d(16 * width),
            nn.Upsample(scale_factor=3, mode="nearest"),
            nn.Conv2d(16 * width, channels, 5, padding=2, bias=False),
            nn.Upsample(size=(28, 28), mode="bilinear", align_corners=False),
        )


class SlowRSSM(nn.Module):
    """Loss and rollout in a loop over time steps."""

    def __init__(self, section, dots: int = 1) -> None:
        super().__init__()
        self.section, self.dots = section, dots
        size, width = section.embedding_size, section.backbone_width_factor
        self.encoder = sequential_encoder(section.channels, width, size)
        self.input = nn.Linear(size + section.action_dim, size)
        self.cell = nn.GRUCell(size, size)
        self.prior_mean = nn.Linear(size, size)
        self.prior_scale = nn.Linear(size, size)
        self.posterior_mean = two_layers(2 * size, size)
        self.posterior_scale = two_layers(2 * size, size)
        self.decoder = SlowDecoder(2 * size, section.channels, width)

    def losses(self, batch, generator) -> dict[str, Tensor]:
        frames, steps = batch.states, len(batch.actions)
        encodings = self.encode(frames)
        noise = torch.randn(2, *encodings.shape, generator=generator, dtype=encodings.dtype)

        belief = encodings[0]
        state = self.sample(self.prior(belief, frame=0), noise[0, 0])
        reconstruction = self.error(state, belief, frames[0])
        clamped = kl_sum = 0.0
        for t in range(1, steps + 1):
            belief = self.step(state, batch.actions[t - 1], belief)
            prior, posterior = self.prior(belief, t), self.posterior(encodings[t], belief)
            kl = kl_divergence(prior, posterior).mean()
            kl_sum, clamped = kl_sum + kl, clamped + kl.clamp(min=3)
            decoded_from = self.sample(prior, noise[0, t])
            reconstruction = reconstruction + self.error(decoded_from, belief, frames[t])
            state = self.sample(posterior, noise[1, t])

        loss = (clamped + reconstruction) / steps
        return {"loss": loss, "reconstruction": reconstruction / steps, "kl": kl_sum / steps}

    def rollout(self, frame, actions, generator) -> Tensor:
        beliefs = [self.encoder(frame)]
        shape = (len(actions), *beliefs[0].shape)
        noise = torch.randn(shape, generator=generator, dtype=frame.dtype)
        for t in range(len(actions)):
            state = self.sample(self.prior(beliefs[t], t), noise[t])
            beliefs.append(self.step(state, actions[t], beliefs[t]))
        return torch.stack(beliefs)

    def encode(self, frames):
        return self.encoder(frames.flatten(0, 1)).view(*frames.shape[:2], -1)

    def step(self, state, action, belief):
        return self.cell(torch.relu(self.input(torch.cat([state, action], dim=1))), belief)

    def prior(self, belief, frame):
        added = self.section.min_var if self.training and frame > 0 else 0.0
        return self.gaussian(self.prior_mean(belief), self.prior_scale(belief), added)

    def posterior(self, encoding, belief):
        both = torch.cat([encoding, belief], dim=1)
        added = self.section.min_var if self.training else 0.0
        return self.gaussian(self.posterior_mean(both), self.posterior_scale(both), added)

    def gaussian(self, mean, scale, added):
        scale = nn.functional.softplus(torch.relu(scale)) + added
        return Normal(torch.relu(mean), scale, validate_args=False)

    def sample(self, gaussian, noise):
        return (gaussian.loc + gaussian.scale * noise).detach()

    def error(self, state, belief, frame):
        return (self.decoder(torch.cat([state, belief], dim=1)) - frame).pow(2).mean()


def two_layers(size_in: int, size: int) -> nn.Sequential:
    """Linear, ReLU, linear; the ReLU that follows is in SlowRSSM.gaussian."""
    return nn.Sequential(nn.Linear(size_in, size), nn.ReLU(), nn.Linear(size, size))


DECODER_LAYERS = {"linear": 0, "conv1": 4, "norm1": 6, "conv2": 8, "norm2": 10, "conv3": 12}
RENAMED = {
    "gru.": "cell.",
    "_l0": "",
    "prior.mean.0": "prior_mean",
    "prior.scale.0": "prior_scale",
    "posterior.mean": "posterior_mean",
    "posterior.scale": "posterior_scale",
}


def decoder_as_slow(tensors: dict[str, Tensor], width: int) -> dict[str, Tensor]:
    """Rename a package Decoder's parameters, buffers or gradients to SlowDecoder's.

    The package's first map is ordered (row, column, channel), here it is (channel, row, column).
    """
    slow = {}
    for key, value in tensors.items():
        layer, _, entry = key.partition(".")
        if layer == "linear":
            value = value.unflatten(0, (9, 32 * width)).transpose(0, 1).flatten(0, 1)
        slow[f"{DECODER_LAYERS[layer]}.{entry}"] = value
    return slow


def rssm_as_slow(tensors: dict[str, Tensor], width: int) -> dict[str, Tensor]:
    """Rename a package RSSM's parameters, buffers or gradients to SlowRSSM's."""
    decoder = {k.removeprefix("decoder."): v for k, v in tensors.items() if k[:8] == "decoder."}
    slow = {f"decoder.{k}": v for k, v in decoder_as_slow(decoder, width).items()}
    others = {k: v for k, v in tensors.items() if k[:8] != "decoder."}
    for key, value in as_slow("RSSM", others, width).items():
        for old, new in RENAMED.items():
            key = key.replace(old, new)
        slow[key] = value
    return slow


def slow_copy(model) -> SlowRSSM:
    """Build the slow form of a package RSSM, with its weights, statistics, dtype and mode."""
    slow = SlowRSSM(model.section, model.dots).to(next(model.parameters()).dtype)
    slow.load_state_dict(rssm_as_slow(model.state_dict(), model.section.backbone_width_factor))
    return slow.train(model.training)
