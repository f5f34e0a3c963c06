"""Claim: the probe reads what the frozen model says of frame 0 and the actions, and nothing else
decides it: not the batch before, not the global random state, not the mode the model was in.
"""

import pytest
import torch
from torch import nn

from slow_features.data.batch import Batch
from slow_features.probe.features import batch_states, collect

SIZE = 25  # sequences in the fake split


class FakeStream:
    """A split in memory that remembers how many frames were asked for. T = 4, 3x3 frames."""

    def __init__(self, batch_size=10, split="probe"):
        g = torch.Generator().manual_seed(1)
        self.frames = torch.randn(SIZE, 4, 1, 3, 3, generator=g)
        self.locations = torch.randn(SIZE, 4, 1, 2, generator=g)
        self.actions = torch.randn(SIZE, 3, 1, 2, generator=g)
        self.batch_size, self.split, self.device = batch_size, split, torch.device("cpu")
        self.asked = []

    def __len__(self):
        return -(-SIZE // self.batch_size)

    def first_frames(self, index, count=1):
        self.asked.append(count)
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return Batch(self.frames[rows, :count], self.locations[rows], self.actions[rows])


class FakeModel(nn.Module):
    """Encodes by a BatchNorm over pixels; a step adds the action, and noise if asked to."""

    probed_in_training_mode = False
    first_frames = 1

    def __init__(self, noise=0.0):
        super().__init__()
        self.norm = nn.BatchNorm1d(9)
        self.noise = noise

    def rollout(self, frames, actions, generator):
        states = [self.norm(frames[0].flatten(1))]
        for action in actions:
            drawn = torch.randn(states[-1].shape, generator=generator)
            states.append(states[-1] + action.sum(1, keepdim=True) + self.noise * drawn)
        return torch.stack(states)


def test_shapes_and_steps():
    batch = batch_states(FakeModel(), FakeStream(), index=0, seed=0)
    assert batch.states.shape == (4, 10, 9)
    assert batch.locations.shape == (4, 10, 1, 2)
    assert batch.steps(slice(0, 1)).states.shape == (1, 10, 9)
    assert not batch.states.requires_grad


def test_states_stand_beside_their_own_locations():
    stream = FakeStream()
    batches = list(collect(FakeModel(), stream, 0))
    locations = torch.cat([b.locations for b in batches], 1)
    assert torch.equal(locations, stream.locations.transpose(0, 1))
    expected = (stream.frames[:, 0].flatten(1)) / (1 + 1e-5) ** 0.5  # initial running statistics
    torch.testing.assert_close(torch.cat([b.states for b in batches], 1)[0], expected)


def test_only_frame_0_is_rendered():
    stream = FakeStream()
    list(collect(FakeModel(), stream, 0))
    assert stream.asked == [1] * 3


def test_samples_depend_on_seed_split_and_index_alone():
    model = FakeModel(noise=1.0)
    torch.manual_seed(1)
    one = batch_states(model, FakeStream(), 1, seed=5).states
    torch.manual_seed(2)
    batch_states(model, FakeStream(), 0, seed=5)
    assert torch.equal(one, batch_states(model, FakeStream(), 1, seed=5).states)
    others = [
        batch_states(model, FakeStream(), 1, seed=6).states,
        batch_states(model, FakeStream(split="evaluation"), 1, seed=5).states,
        batch_states(model, FakeStream(), 0, seed=5).states,
    ]
    drawn = [s[1] - s[0] for s in [one, *others]]
    assert all(not torch.allclose(drawn[0], other) for other in drawn[1:])


@pytest.mark.parametrize("in_training_mode", [False, True])
def test_the_model_is_left_as_it_was(in_training_mode):
    model = FakeModel()
    model.probed_in_training_mode = in_training_mode
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for training in (True, False):
        model.train(training)
        list(collect(model, FakeStream(), 0))
        assert model.training is model.norm.training is training
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_training_mode_uses_the_batch_and_evaluation_mode_the_running_statistics():
    stream = FakeStream()
    frames = stream.frames[:10, 0].flatten(1)
    model = FakeModel().train()
    torch.testing.assert_close(
        batch_states(model, stream, 0, 0).states[0], model.eval().norm(frames)
    )
    model.probed_in_training_mode = True
    by_batch = (frames - frames.mean(0)) / (frames.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(batch_states(model, stream, 0, 0).states[0], by_batch)
