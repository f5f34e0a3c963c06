"""The joint-embedding models twice more: in Python loops, and in the straightforward torch form.

`*_by_loops` are the formulas entry by entry, for tiny sizes. `SlowVICReg`, `SlowSimCLR`, `SlowIDM`
and `SlowSupervised` are whole models as one would first write them: a plain nn.Sequential encoder,
nn.GRU, and losses in a loop over time steps. They are the reference of the tests (in float64) and
the baseline of the benchmarks (in float32), and share no code with the package.
"""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def mean_squared_error_by_loops(predicted: Tensor, true: Tensor) -> float:
    """Mean of (p - t)^2 over every entry."""
    entries = list(zip(predicted.flatten().tolist(), true.flatten().tolist(), strict=True))
    return sum((p - t) ** 2 for p, t in entries) / len(entries)


def variance_hinge_by_loops(embeddings: Tensor) -> float:
    """Mean over steps and features of max(0, 1 - sqrt(var + 1e-4)); embeddings [T, B, D]."""
    steps, batch, size = embeddings.shape
    total = 0.0
    for t in range(steps):
        for i in range(size):
            column = [embeddings[t, b, i].item() for b in range(batch)]
            mean = sum(column) / batch
            variance = sum((value - mean) ** 2 for value in column) / (batch - 1)
            total += max(0.0, 1 - math.sqrt(variance + 1e-4))
    return total / (steps * size)


def covariance_by_loops(embeddings: Tensor) -> float:
    """Mean over steps of sum over i != j of cov_ij^2 / D; embeddings [T, B, D]."""
    steps, batch, size = embeddings.shape
    total = 0.0
    for t in range(steps):
        columns = [[embeddings[t, b, i].item() for b in range(batch)] for i in range(size)]
        means = [sum(column) / batch for column in columns]
        for i in range(size):
            for j in range(size):
                if i != j:
                    products = [
                        (columns[i][b] - means[i]) * (columns[j][b] - means[j])
                        for b in range(batch)
                    ]
                    total += (sum(products) / (batch - 1)) ** 2 / size
    return total / steps


def contrastive_by_loops(
    predictions: Tensor, encodings: Tensor, temperature: float, normalize: bool
) -> float:
    """Mean over steps and vectors of -log softmax of the partner; both [T, B, D]."""
    steps, batch, _ = predictions.shape
    total = 0.0
    for t in range(steps):
        vectors = [v.tolist() for v in predictions[t]] + [v.tolist() for v in encodings[t]]
        if normalize:
            lengths = [math.sqrt(sum(x * x for x in v)) for v in vectors]
            vectors = [[x / n for x in v] for v, n in zip(vectors, lengths, strict=True)]
        for i, v in enumerate(vectors):
            partner = (i + batch) % (2 * batch)
            scores = {
                j: sum(x * y for x, y in zip(v, w, strict=True)) / temperature
                for j, w in enumerate(vectors)
                if j != i
            }
            total += math.log(sum(math.exp(s) for s in scores.values())) - scores[partner]
    return total / (steps * 2 * batch)


def action_error_by_loops(
    layer: nn.Linear, encodings: Tensor, predictions: Tensor, actions: Tensor
) -> float:
    """Mean of (W [previous, next] + b - action)^2; previous = encoding at 0, then predictions."""
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    errors = []
    for t in range(len(actions)):
        for b in range(actions.shape[1]):
            previous = encodings[0, b] if t == 0 else predictions[t - 1, b]
            inputs = previous.tolist() + encodings[t + 1, b].tolist()
            for k, row in enumerate(weight):
                guess = bias[k] + sum(w * x for w, x in zip(row, inputs, strict=True))
                errors.append((guess - actions[t, b, k].item()) ** 2)
    return sum(errors) / len(errors)


def sequential_encoder(channels: int, width: int, size: int) -> nn.Sequential:
    """MeNet5 as a plain stack of layers: [N, C, 28, 28] -> [N, D]."""
    return nn.Sequential(
        nn.Conv2d(channels, 16 * width, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.BatchNorm2d(16 * width),
        nn.Conv2d(16 * width, 32 * width, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.BatchNorm2d(32 * width),
        nn.Conv2d(32 * width, 32 * width, 3, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(32 * width),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(9 * 32 * width, size),
    )


def distance_to_kinks(encoder: nn.Sequential, frames: Tensor) -> float:
    """Smallest |input| that any ReLU sees in training mode.

    Where rounding moves an input across 0, gradients jump by 1e-3 and more, in any float32 code.
    Tests of gradients take frames that stay farther away than float32 rounds.
    """
    distance = math.inf
    for layer in copy.deepcopy(encoder):
        if isinstance(layer, nn.ReLU):
            distance = min(distance, frames.abs().min().item())
        frames = layer(frames)
    return distance


class SlowModel(nn.Module):
    """Encoder and GRU as published; a layer of size M behind the encoder makes M the state's."""

    def __init__(self, section, dots: int = 1) -> None:
        super().__init__()
        self.section, self.dots = section, dots
        self.size = section.embedding_size
        width = section.backbone_width_factor
        self.encoder = sequential_encoder(section.channels, width, self.size)
        if section.backbone_mlp not in (None, "id"):
            self.size = int(section.backbone_mlp)
            self.encoder.append(nn.Linear(section.embedding_size, self.size, bias=False))
        self.gru = nn.GRU(section.action_dim, self.size, section.rnn_layers)

    def encode(self, frames: Tensor) -> Tensor:
        """Frames [T, B, C, 28, 28] -> [T, B, D], with one BatchNorm over all of them."""
        return self.encoder(frames.flatten(0, 1)).view(*frames.shape[:2], -1)

    def predict(self, first: Tensor, actions: Tensor) -> Tensor:
        """Encoding of frame 0 [B, D] and actions [T - 1, B, 2] -> predictions [T - 1, B, D]."""
        state = first.repeat(self.section.rnn_layers, 1, 1)
        return self.gru(actions, state)[0]

    def losses(self, batch, generator=None) -> dict[str, Tensor]:
        encodings = self.encode(batch.states)
        predictions = self.predict(encodings[0], batch.actions)
        return self.terms(encodings, predictions, batch.actions)


class SlowVICReg(SlowModel):
    """Prediction error, hinge and covariance, one time step after the other."""

    def terms(self, encodings: Tensor, predictions: Tensor, actions: Tensor) -> dict[str, Tensor]:
        steps = len(predictions)
        sim = std = cov = 0.0
        for t in range(steps):
            x = encodings[t + 1]
            sim = sim + (predictions[t] - x).pow(2).mean() / steps
            std = std + F.relu(1 - (x.var(dim=0) + 1e-4).sqrt()).mean() / steps
            centred = x - x.mean(dim=0)
            matrix = centred.T @ centred / (len(x) - 1)
            off_diagonal = matrix.pow(2).sum() - matrix.diagonal().pow(2).sum()
            cov = cov + off_diagonal / x.shape[1] / steps
        section = self.section
        loss = section.sim_coeff * sim + section.std_coeff * std + section.cov_coeff * cov
        return {"loss": loss, "sim": sim, "std": std, "cov": cov}


class SlowSimCLR(SlowModel):
    """Contrastive loss, one time step after the other."""

    def terms(self, encodings: Tensor, predictions: Tensor, actions: Tensor) -> dict[str, Tensor]:
        loss = 0.0
        for t in range(len(predictions)):
            vectors = torch.cat([predictions[t], encodings[t + 1]])
            if self.section.normalize_z:
                vectors = F.normalize(vectors, dim=1)
            logits = vectors @ vectors.T / self.section.loss_temp
            logits = logits - torch.diag(torch.full((len(vectors),), torch.inf))
            batch = len(predictions[t])
            partner = torch.cat([torch.arange(batch, 2 * batch), torch.arange(batch)])
            loss = loss + F.cross_entropy(logits, partner) / len(predictions)
        return {"loss": loss, "contrastive": loss}


class SlowIDM(SlowModel):
    """Action predictor's error, one time step after the other."""

    def __init__(self, section, dots: int = 1) -> None:
        super().__init__(section, dots)
        self.action_predictor = nn.Linear(2 * self.size, section.action_dim)

    def terms(self, encodings: Tensor, predictions: Tensor, actions: Tensor) -> dict[str, Tensor]:
        error = 0.0
        for t in range(len(actions)):
            previous = encodings[0] if t == 0 else predictions[t - 1]
            guess = self.action_predictor(torch.cat([previous, encodings[t + 1]], dim=1))
            error = error + F.mse_loss(guess, actions[t]) / len(actions)
        return {"loss": self.section.action_coeff * error, "action": error}


class SlowSupervised(SlowModel):
    """The probe's squared distance, one time step after the other; only frame 0 is encoded."""

    def __init__(self, section, dots: int = 1) -> None:
        super().__init__(section, dots)
        self.probe = nn.Linear(self.size, dots * 2, bias=False)

    def losses(self, batch, generator=None) -> dict[str, Tensor]:
        first = self.encode(batch.states[:1])
        states = torch.cat([first, self.predict(first[0], batch.actions)])
        loss = 0.0
        for state, location in zip(states, batch.locations, strict=True):
            error = self.probe(state).view_as(location) - location
            loss = loss + error.pow(2).sum(dim=-1).mean() / len(states)
        return {"loss": loss}


SLOW_MODELS = {
    "VICReg": SlowVICReg,
    "SimCLR": SlowSimCLR,
    "IDM": SlowIDM,
    "Supervised": SlowSupervised,
}


def as_slow(name: str, tensors: dict[str, Tensor], width: int) -> dict[str, Tensor]:
    """Rename a package model's parameters, buffers or gradients to those of SLOW_MODELS[name].

    The package flattens maps in the order (row, column, channel), nn.Flatten in the order
    (channel, row, column): the columns of the encoder's last matrix are put in that order.
    """
    slow = {}
    for key, value in tensors.items():
        key = key.replace("encoder.1.", "encoder.12.").replace("encoder.0.", "encoder.")
        if key.startswith("encoder.convolutions."):
            _, _, block, layer, entry = key.split(".")
            key = f"encoder.{3 * int(block) + int(layer)}.{entry}"
        elif key == "encoder.linear.weight":
            key = "encoder.11.weight"
            value = value.view(-1, 3, 3, 32 * width).permute(0, 3, 1, 2).flatten(1)
        else:
            key = key.replace("encoder.linear", "encoder.11")
            key = key.replace("action_predictor.linear", "action_predictor")
            if key.startswith("predictor."):
                key = key.replace("predictor", "gru")
        slow[key] = value
    return slow
