"""The probe and its error, written out step by step: the straightforward form.

`slow_probe_epoch` and `slow_evaluation` are the baseline of the benchmarks: every frame of a
sequence is rendered although only the first is read, and time steps go one by one.
"""

import math

import numpy as np
import torch

IMAGE_SIZE = 28


def slow_rollout(encode, step, batch):
    """The states of a batch as a list of T tensors [B, D]: encoding, then one step per action."""
    states = [encode(batch.states[0])]
    for action in batch.actions:
        states.append(step(states[-1], action))
    return states


def slow_loss(probe, states, locations):
    """Squared distance summed over x and y, mean over steps, sequences and dots; one at a time."""
    total = 0.0
    for state, location in zip(states, locations, strict=True):
        decoded = probe(state).reshape(location.shape)
        difference = decoded - location
        total = total + (difference[..., 0] ** 2 + difference[..., 1] ** 2).mean()
    return total / len(states)


def slow_probe_epoch(render, encode, step, probe, optimizer, batches, kind):
    """Train `probe` (nn.Linear) for one epoch on frozen states.

    render: index -> TimeMajorBatch with all T frames. encode: [B, C, H, W] -> [B, D].
    step: (state [B, D], action [B, 2]) -> next state. kind: "pred" or "enc".
    """
    for index in range(batches):
        batch = render(index)
        with torch.no_grad():
            states = (
                [encode(batch.states[0])] if kind == "enc" else slow_rollout(encode, step, batch)
            )
        loss = slow_loss(probe, states, batch.locations[: len(states)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def slow_evaluation(render, encode, step, probe, batches, kind):
    """Mean squared distance per time step, summed over x and y, in the units of the locations."""
    per_step = []
    for index in range(batches):
        batch = render(index)
        states = [encode(batch.states[0])] if kind == "enc" else slow_rollout(encode, step, batch)
        errors = []
        for state, location in zip(states, batch.locations, strict=False):
            difference = probe(state).reshape(location.shape) - location
            errors.append((difference**2).sum(-1).mean().item())
        per_step.append(errors)
    return np.mean(per_step, axis=0)


def slow_least_squares(states, locations):
    """The [K, D] weight of least squares over all rows, by numpy's SVD solver in float64."""
    x = np.concatenate([s.double().flatten(0, 1).numpy() for s in states])
    y = np.concatenate([t.double().flatten(0, 1).flatten(1).numpy() for t in locations])
    return np.linalg.lstsq(x, y, rcond=None)[0].T


def slow_mean_squares(decoded, true):
    """Mean over sequences of the squared distance, [T][dots], from nested loops over numbers."""
    steps, sequences, dots, _ = true.shape
    table = [[0.0] * dots for _ in range(steps)]
    for t in range(steps):
        for b in range(sequences):
            for d in range(dots):
                dx = float(decoded[t, b, d, 0]) - float(true[t, b, d, 0])
                dy = float(decoded[t, b, d, 1]) - float(true[t, b, d, 1])
                table[t][d] += (dx * dx + dy * dy) / sequences
    return table


def slow_errors(table, dots):
    """Every root mean squared error of a result, from mean squares [T][dots] in px^2."""
    steps = len(table)

    def root_of_mean(values):
        return math.sqrt(math.fsum(values) / len(values))

    overall = root_of_mean([value for row in table for value in row])
    per_dot = {name: root_of_mean([row[d] for row in table]) for d, name in enumerate(dots)}
    return {
        "rmse_px": overall,
        "rmse_unit": overall / IMAGE_SIZE,
        "per_step_px": [root_of_mean(row) for row in table],
        "per_dot_px": per_dot,
        "per_dot_unit": {name: value / IMAGE_SIZE for name, value in per_dot.items()},
        "per_step_per_dot_px": {
            name: [math.sqrt(table[t][d]) for t in range(steps)] for d, name in enumerate(dots)
        },
    }
