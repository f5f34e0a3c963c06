"""Batches have the specified shapes and units, and the same content however they are asked for."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.data import geometry
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import DatasetSpec, open_dataset, write_dataset
from slow_features.data.stream import BatchStream
from slow_features.errors import InputError

NOISES = [
    NoiseSetting(),
    NoiseSetting(changing=1.5),
    NoiseSetting(fixed=1.25, speed=0.7),
    NoiseSetting(changing=0.5, fixed=1.0),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "one"
    sizes = {"train": 200, "probe": 90, "evaluation": 50}
    write_dataset(DatasetSpec("Single", 1.3, 17, 17, 1, sizes), NOISES, folder)
    return open_dataset(folder)


@pytest.fixture(scope="module")
def three_dots(tmp_path_factory):
    sets = {}
    for channels in (1, 3):
        folder = tmp_path_factory.mktemp("data") / f"three{channels}"
        sizes = {"train": 200, "probe": 60, "evaluation": 60}
        spec = DatasetSpec("Multiple", 1.3, 17, 17, 1, sizes)
        write_dataset(spec, NOISES[1:2], folder, channels)
        sets[channels] = open_dataset(folder)
    return sets


def test_shapes_of_one_dot(dataset):
    batch = BatchStream(dataset, "train", NOISES[1], 32).batch(0)
    assert batch.states.shape == (32, 17, 1, 28, 28)
    assert batch.locations.shape == (32, 17, 1, 2)
    assert batch.actions.shape == (32, 16, 1, 2)
    assert batch.states.dtype == batch.locations.dtype == batch.actions.dtype == torch.float32


@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_of_three_dots(three_dots, channels):
    stream = BatchStream(three_dots[channels], "train", NOISES[1], 32, channels=channels)
    batch = stream.batch(1)
    assert batch.states.shape == (32, 17, channels, 28, 28)
    assert batch.locations.shape == (32, 17, 3, 2)
    assert batch.actions.shape == (32, 16, 3, 2)
    assert torch.equal(batch.time_major().actions, batch.actions[:, :, 0].transpose(0, 1))
    deviation = (3 / channels) ** 0.5  # of the sum of independent pixels of deviation 1
    for channel in range(channels):
        pixels = batch.states[:, :, channel]
        assert abs(pixels.mean()) < 0.02 and abs(pixels.std() - deviation) < 0.02


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.key)
def test_normalised_pixels_have_mean_zero_and_deviation_one(dataset, noise):
    stream = BatchStream(dataset, "train", noise, 64)
    pixels = torch.cat([stream.batch(i).states for i in range(3)])
    assert abs(pixels.mean()) < 1e-3 and abs(pixels.std() - 1) < 1e-3


def test_units_with_and_without_normalisation(dataset):
    noise = NOISES[1]
    normal = BatchStream(dataset, "train", noise, 32).batch(2)
    raw = BatchStream(dataset, "train", noise, 32, normalize=False).batch(2)
    statistics = dataset.statistics(noise)
    torch.testing.assert_close(
        normal.states, (raw.states - statistics.mean[0]) / statistics.std[0], rtol=0, atol=3e-6
    )
    published = ((raw.locations - 2.6) / (27 - 5.2) - 0.5) / (1 / 12) ** 0.5
    torch.testing.assert_close(normal.locations, published, rtol=0, atol=1e-6)
    torch.testing.assert_close(normal.actions, raw.actions / (0.4102 * 4))
    torch.testing.assert_close(
        geometry.unnormalise_locations(normal.locations, 1.3), raw.locations, rtol=0, atol=1e-5
    )
    moves = (raw.locations[:, :-1] + raw.actions).clamp(2.6, 24.4)
    torch.testing.assert_close(moves, raw.locations[:, 1:])


@settings(max_examples=25, deadline=None)
@given(
    noise=st.sampled_from(NOISES),
    split=st.sampled_from(["train", "probe", "evaluation"]),
    batch_size=st.integers(1, 50),
    count=st.integers(1, 17),
    data=st.data(),
)
def test_first_frames_are_those_of_the_batch(dataset, noise, split, batch_size, count, data):
    stream = BatchStream(dataset, split, noise, batch_size)
    index = data.draw(st.integers(0, len(stream) - 1))
    whole, first = stream.batch(index), stream.first_frames(index, count)
    assert torch.equal(first.states, whole.states[:, :count])
    assert torch.equal(first.locations, whole.locations)
    assert torch.equal(first.actions, whole.actions)


def test_batches_come_in_any_order_and_cover_the_split_once(dataset):
    stream = BatchStream(dataset, "train", NOISES[1], 48)
    later_first = stream.batch(2), stream.batch(0)
    again = BatchStream(dataset, "train", NOISES[1], 48)
    assert torch.equal(again.batch(0).states, later_first[1].states)
    assert torch.equal(again.batch(2).states, later_first[0].states)
    single = BatchStream(dataset, "train", NOISES[1], 192).batch(0)
    rows = torch.cat([stream.batch(i).locations for i in range(len(stream))])
    assert torch.equal(rows, single.locations)


def test_a_batch_does_not_share_memory_with_the_data_set(dataset):
    stream = BatchStream(dataset, "train", NOISES[1], 8, normalize=False)
    stream.batch(0).actions.zero_()
    assert stream.batch(0).actions.any()


def test_length_with_and_without_the_rest(dataset):
    noise = NOISES[0]
    assert len(BatchStream(dataset, "train", noise, 64)) == 3
    rest = BatchStream(dataset, "train", noise, 64, keep_rest=True)
    assert len(rest) == 4 and len(rest.batch(3).states) == 200 - 3 * 64
    assert len(BatchStream(dataset, "train", noise, 50, keep_rest=True)) == 4
    assert len(BatchStream(dataset, "train", noise, 32, sequences=70)) == 2


def test_what_is_not_there_is_refused_with_the_sizes(dataset, three_dots):
    noise = NOISES[0]
    with pytest.raises(InputError, match="holds 200 sequences; asked for: 200 in batches of 201"):
        BatchStream(dataset, "train", noise, 201)
    with pytest.raises(InputError, match="holds 90 sequences; asked for: 91 in batches of 10"):
        BatchStream(dataset, "probe", noise, 10, sequences=91)
    with pytest.raises(InputError, match=r"batch 3 of split 'train'.*batches 0 to 2"):
        BatchStream(dataset, "train", noise, 64).batch(3)
    with pytest.raises(InputError, match="written for frames of 3 channels, the model takes 1"):
        BatchStream(three_dots[3], "train", NOISES[1], 8)
    with pytest.raises(InputError, match=r"not for fixed_uniform-2\.0"):
        BatchStream(dataset, "train", NoiseSetting(fixed=2.0), 8)
