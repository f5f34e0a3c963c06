"""What the embedding holds, of encoders whose answer is known."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from slow_features.config.schema import Experiment
from slow_features.data.manifest import DatasetSpec
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import open_dataset, write_dataset
from slow_features.data.stream import BatchStream
from slow_features.probe.contents import DOTS, NOISES, effective_rank, measure_contents, shares
from slow_features.probe.readout import held_out_r2
from slow_features.probe.stage import measure_encodings
from slow_features.training.session import build_model

NONE, FIXED, CHANGING = NoiseSetting(), NoiseSetting(fixed=1.25), NoiseSetting(changing=1.5)
SIZE = 96  # evaluation sequences; each is one noise image and one place of the dots
SHARES = ("noise_share", "dot_share", "interaction_share")


def write(folder, dots, channels):
    sizes = {"train": 32, "probe": 1, "evaluation": SIZE}
    spec = DatasetSpec({1: "Single", 3: "Multiple"}[dots], 1.3, 5, 5, 1, sizes)
    write_dataset(spec, [NONE, FIXED, CHANGING], folder / "data", channels)
    return open_dataset(folder / "data")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write(tmp_path_factory.mktemp("contents"), 1, 1)


def stream_of(dataset, noise, **more):
    # Batches of which the last is smaller: each has noise scaled by an m of its own.
    more = {"channels": dataset.channels, "keep_rest": True} | more
    return BatchStream(dataset, "evaluation", noise, 36, **more)


def parts_of(dataset, noise):
    """Return noise images and dots of every sequence's frame 0, found from raw frames alone."""

    def first_frames(setting):
        stream = stream_of(dataset, setting, normalize=False)
        batches = [stream.first_frames(i).states[:, 0] for i in range(len(stream))]
        return torch.cat(batches)  # [SIZE, C, 28, 28]

    clean, std = first_frames(NONE), torch.tensor(dataset.statistics(noise).std)[:, None, None]
    mean = torch.tensor(dataset.statistics(noise).mean)[:, None, None]
    return (first_frames(noise) - clean - mean) / std, clean / std


class Known:
    """An encoder that finds out which noise and which dots a frame is made of.

    answer: of the numbers of both, [N] each, the encodings [N, D].
    """

    def __init__(self, dataset, noise, answer):
        images, dots = parts_of(dataset, noise)
        pairs = itertools.product(range(SIZE), range(SIZE))
        self.numbers = torch.tensor(list(pairs))
        self.sums = (images[:, None] + dots).flatten(0, 1).flatten(1)
        self.answer, self.images = answer, images
        self.seen = set()

    def __call__(self, frames):
        flat = frames.reshape(-1, *frames.shape[-3:]).flatten(1)
        distance, nearest = torch.cdist(flat, self.sums).min(1)
        assert distance.max() < 0.05, "a frame that is not noise plus dots"
        noise, dot = self.numbers[nearest].T
        self.seen |= set(zip(noise.tolist(), dot.tolist(), strict=True))
        return self.answer(noise, dot).float().reshape(*frames.shape[:-3], -1)


def measured(dataset, noise, answer):
    model = model_of("Random", dataset)
    model.encode = Known(dataset, noise, answer)
    return measure_contents(model, stream_of(dataset, noise)), model.encode


def model_of(model_type, dataset, **more):
    dots, small = dataset.spec.dots, {"embedding_size": 8, "backbone_width_factor": 1}
    config = Experiment(
        model_type=model_type,
        dataset_type=dataset.spec.dataset_type,
        **{model_type.lower(): small | {"channels": dataset.channels} | more},
    )
    assert config.dots == dots
    return build_model(config, torch.device("cpu"))


A = torch.linspace(-2, 3, SIZE, dtype=torch.float64)  # of a noise image
B = torch.linspace(1, 2, SIZE, dtype=torch.float64).square()  # of a place of the dots


@pytest.mark.parametrize("noise", [FIXED, CHANGING], ids=["fixed", "changing"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda noise, dot: A[noise, None], (1, 0, 0)),
        (lambda noise, dot: B[dot, None], (0, 1, 0)),
        (lambda noise, dot: torch.stack([A[noise], B[dot] * 2], 1), None),
        (lambda noise, dot: (A[noise] + 2 * B[dot])[:, None], None),
        (
            lambda noise, dot: ((A - A[:NOISES].mean())[noise] * (B - B[:DOTS].mean())[dot])[
                :, None
            ],
            (0, 0, 1),
        ),
    ],
    ids=["noise", "dot", "both apart", "their sum", "their product"],
)
def test_the_shares_of_known_encoders(dataset, noise, answer, expected):
    if expected is None:
        of_noise, of_dot = A[:NOISES].var(correction=0), 4 * B[:DOTS].var(correction=0)
        expected = (of_noise / (of_noise + of_dot), of_dot / (of_noise + of_dot), 0)
    found, encoder = measured(dataset, noise, answer)
    assert [found[name] for name in SHARES] == pytest.approx(list(map(float, expected)), abs=1e-5)
    assert set(itertools.product(range(NOISES), range(DOTS))) <= encoder.seen
    assert {(i, i) for i in range(SIZE)} <= encoder.seen, "the read-out's frames"


def test_an_encoder_that_returns_the_noise_image_gives_it_all_away(dataset):
    images, dots = parts_of(dataset, FIXED)
    found, _ = measured(dataset, FIXED, lambda noise, dot: images[noise].flatten(1)[:, :20])
    assert found["noise_share"] == pytest.approx(1)
    assert 0 < found["noise_r2"] < 20 / 784 * 1.1, "20 of 784 pixels"
    flat = torch.full((SIZE, 1), 0.5)
    assert measured(dataset, FIXED, lambda noise, dot: flat[noise])[0]["noise_r2"] == 0
    of_dots = measured(dataset, FIXED, lambda noise, dot: dots[dot].flatten(1)[:, :20])[0]
    assert of_dots["noise_share"] == pytest.approx(0, abs=1e-9)
    assert of_dots["noise_r2"] < 0.001


def test_several_dots_are_one_factor_and_their_noise_another(tmp_path):
    three = write(tmp_path, 3, 3)
    images, _ = parts_of(three, FIXED)
    assert images.shape == (SIZE, 3, 28, 28)
    found, encoder = measured(three, FIXED, lambda noise, dot: torch.stack([A[noise], B[dot]], 1))
    variances = A[:NOISES].var(correction=0), B[:DOTS].var(correction=0)
    expected = [float(variance / sum(variances)) for variance in variances]
    assert [found[name] for name in SHARES] == pytest.approx([*expected, 0], abs=1e-5)
    assert len(encoder.seen) >= NOISES * DOTS


def test_three_dots_that_are_summed_into_one_channel(tmp_path):
    summed = write(tmp_path, 3, 1)
    frames = stream_of(summed, FIXED).first_frames(0).states[:, 0]
    seen = []

    def encode(given):
        seen.append(given)
        return torch.zeros(*given.shape[:-3], 8)

    model = model_of("Random", summed)
    model.encode = encode
    measure_contents(model, stream_of(summed, FIXED))
    torch.testing.assert_close(seen[0][0, :36], frames, atol=1e-5, rtol=0)


def test_without_noise_there_is_nothing_to_take_apart(dataset):
    model = model_of("Random", dataset)
    assert list(measure_contents(model, stream_of(dataset, NONE))) == ["effective_rank"]


@pytest.mark.parametrize("model_type", ["VICReg", "RSSM", "Supervised"])
def test_the_same_model_gives_the_same_numbers_and_is_left_as_it_was(dataset, model_type):
    model = model_of(model_type, dataset).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = measure_contents(model, stream_of(dataset, FIXED))
    assert measure_contents(model, stream_of(dataset, FIXED)) == first
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert sum(first[name] for name in SHARES) == pytest.approx(1, abs=2e-6)
    assert 1 < first["effective_rank"] <= 8


def test_the_page_defines_every_number_of_an_evaluation(dataset):
    measured = measure_encodings(model_of("VICReg", dataset), stream_of(dataset, FIXED), seed=1)
    for page in ("mechanism", "results"):
        text = Path(f"docs/{page}.md").read_text()
        assert {name for name in measured if f"`{name}`" not in text} == set()
    rows = re.findall(r"^\| (`.*?) \|", Path("docs/mechanism.md").read_text(), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == set(measured)


def test_the_shares_are_those_of_the_definition_written_out():
    generator = torch.Generator().manual_seed(0)
    e = torch.randn(5, 7, 3, generator=generator, dtype=torch.float64)
    e = e + torch.randn(5, 1, 3, generator=generator, dtype=torch.float64)
    expected = np.zeros(3)
    total = 0.0
    for i, j, d in itertools.product(range(5), range(7), range(3)):
        row = sum(float(e[i, k, d]) for k in range(7)) / 7
        column = sum(float(e[k, j, d]) for k in range(5)) / 5
        mean = sum(float(e[a, b, d]) for a in range(5) for b in range(7)) / 35
        value = float(e[i, j, d])
        expected += [
            (row - mean) ** 2,
            (column - mean) ** 2,
            (value - row - column + mean) ** 2,
        ]
        total += (value - mean) ** 2
    found = [shares(e)[name] for name in SHARES]
    assert found == pytest.approx(list(expected / total))
    assert sum(found) == pytest.approx(1)
    assert set(shares(torch.ones(4, 5, 2, dtype=torch.float64)).values()) == {0.0}


def test_effective_rank_counts_directions_that_are_used_alike():
    generator = torch.Generator().manual_seed(0)
    square = torch.randn(60, 12, generator=generator, dtype=torch.float64)
    isotropic = torch.linalg.qr(square).Q
    assert effective_rank(isotropic) == pytest.approx(12)
    assert effective_rank(isotropic * 1e-6) == pytest.approx(12)
    assert effective_rank(square[:, :1] * square[0]) == pytest.approx(1, abs=1e-6)
    assert effective_rank(torch.zeros(9, 4, dtype=torch.float64)) == 1
    values = np.linalg.svd(square.numpy(), compute_uv=False)
    portions = values / values.sum()
    assert effective_rank(square) == pytest.approx(np.prod(portions**-portions))


# Reading off linearly


def rows(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_what_is_linear_in_the_inputs_is_read_off_and_nothing_else():
    x, weight = rows(80, 3, 10), rows(10, 4, seed=1)
    assert held_out_r2(x, x @ weight + 5) == pytest.approx(1, abs=1e-6)
    assert held_out_r2(x * 1e-6, x @ weight) == pytest.approx(1, abs=1e-6)
    unrelated = held_out_r2(x, rows(80, 3, 4, seed=2))
    assert -0.05 < unrelated <= 0.05
    noisy = x @ weight + rows(80, 3, 4, seed=3) * weight.square().sum(0).sqrt()
    assert held_out_r2(x, noisy) == pytest.approx(0.5, abs=0.1)


def test_what_does_not_vary_gives_and_explains_nothing():
    assert held_out_r2(torch.ones(40, 1, 5).double(), rows(40, 1, 3)) == 0
    assert held_out_r2(torch.zeros(40, 1, 5).double(), rows(40, 1, 3)) == 0
    assert held_out_r2(rows(40, 1, 5), torch.ones(40, 1, 3).double()) == 0


def test_more_features_than_rows_do_not_read_off_what_is_not_there():
    assert -0.1 < held_out_r2(rows(60, 1, 200), rows(60, 1, 3, seed=1)) < 0.2


def test_the_map_is_that_of_a_ridge_regression_and_its_rows_are_apart():
    """Against scikit-learn, with the penalty that does best on the third quarter."""
    from sklearn.linear_model import Ridge

    x, y = rows(40, 2, 6), rows(40, 2, 3, seed=1) + rows(40, 2, 6)[..., :3]

    def split(values):
        return [part.flatten(0, 1).numpy() for part in values.split([20, 10, 10])]

    (x_fit, x_choose, x_test), (y_fit, y_choose, y_test) = split(x), split(y)
    mean = np.linalg.eigvalsh(np.cov(x_fit.T, bias=True) * len(x_fit)).mean()
    maps = [Ridge(alpha=mean * 10.0**k).fit(x_fit, y_fit) for k in range(-9, 4)]
    best = min(maps, key=lambda one: ((one.predict(x_choose) - y_choose) ** 2).sum())
    total = ((y_test - y_fit.mean(0)) ** 2).sum()
    expected = 1 - ((best.predict(x_test) - y_test) ** 2).sum() / total
    assert held_out_r2(x, y) == pytest.approx(expected)
