"""Sample pictures: one per split, the same bytes each time, rings where the dots are."""

import numpy as np
import pytest

from slow_features.data import pictures
from slow_features.data.geometry import IMAGE_SIZE
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import DatasetSpec, open_dataset, write_dataset
from slow_features.data.stream import BatchStream


@pytest.fixture(scope="module", params=[("Single", 1), ("Multiple", 1), ("Multiple", 3)])
def dataset(request, tmp_path_factory):
    dataset_type, channels = request.param
    folder = tmp_path_factory.mktemp("data") / "set"
    sizes = {"train": 40, "probe": 4, "evaluation": 6}
    spec = DatasetSpec(dataset_type, 1.3, 30, 3, 1, sizes)
    write_dataset(spec, [NoiseSetting()], folder, channels)
    return open_dataset(folder)


def test_one_picture_per_split_with_the_same_bytes_each_time(dataset, tmp_path):
    paths = pictures.draw_samples(dataset, NoiseSetting(), tmp_path)
    assert [path.name for path in paths] == ["train.png", "probe.png", "evaluation.png"]
    again = pictures._write(dataset, "probe", NoiseSetting(), tmp_path / "again.png")
    assert again.read_bytes() == paths[1].read_bytes()


def test_rings_lie_on_the_dots_of_the_mosaic(dataset):
    stream = BatchStream(
        dataset, "train", NoiseSetting(), 8, channels=dataset.channels, normalize=False
    )
    axes = pictures._draw(stream.batch(0), "title").axes[0]
    image = axes.images[0].get_array()
    assert len(axes.patches) == 5 * 17 * dataset.spec.dots
    for ring in axes.patches:
        x, y = np.rint(ring.center).astype(int)
        around = image[y - 1 : y + 2, x - 1 : x + 2]
        assert around.max() > 0.4 * image[image < 1].max()
    for column, label in enumerate(axes.get_xticklabels()):
        assert label.get_text() == str(np.linspace(0, 29, 17).round().astype(int)[column])


def test_mosaic_places_frames_by_row_and_column():
    frames = np.random.default_rng(0).random((2, 3, 3, IMAGE_SIZE, IMAGE_SIZE))
    mosaic = pictures._mosaic(frames)
    assert mosaic.shape == (2 * 30, 3 * 30, 3)
    tile = mosaic[30:58, 60:88]
    np.testing.assert_array_equal(tile, frames[1, 2].transpose(1, 2, 0))
    assert (mosaic[28:30] == 1).all()
