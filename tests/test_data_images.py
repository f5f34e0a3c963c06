"""Images of structured noise: CIFAR-10 only if it is CIFAR-10, else photographs, split by scene."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from slow_features.training.identity import identity

from slow_features.config.load import load_config
from slow_features.data import cifar, images, photographs
from slow_features.data.cache import data_for, dataset_spec
from slow_features.data.counters import split_key
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import open_dataset, write_dataset
from slow_features.data.stream import BatchStream
from slow_features.errors import InputError
from slow_features.identity import training_identity
from slow_features.models.registry import MODELS
from slow_features.probe.evaluate import evaluation_stream
from slow_features.training.session import start_session
from tests.cifar_files import LAYOUTS, content_of, write_cifar
from tests.reference import slow_data

BOTH = pytest.mark.parametrize("layout", LAYOUTS)
SUFFIX = {"binary": ".bin", "python": ""}


@BOTH
def test_cifar_is_read_as_grey_and_cropped_at_the_top_left(layout, tmp_path, monkeypatch):
    write_cifar(tmp_path, monkeypatch, layout)
    banks = images.load_images(str(tmp_path))
    assert banks.source == "cifar10" and layout in banks.origin
    assert banks.train.shape == (15, 28, 28) and banks.evaluation.shape == (3, 28, 28)
    splits = {"train": banks.train, "test": banks.evaluation}
    for split, place, name, image in [
        ("train", 4, "data_batch_2", 1),
        ("test", 0, "test_batch", 0),
    ]:
        planes = content_of(name)[1][image].reshape(3, 32, 32).astype(float)
        for row, column in ((0, 0), (3, 27), (27, 5)):
            red, green, blue = planes[:, row, column]
            grey = 0.299 * red + 0.587 * green + 0.114 * blue
            assert splits[split][place, row, column] == pytest.approx(grey, abs=0.501)


def test_both_versions_give_the_same_images(tmp_path, monkeypatch):
    for layout in LAYOUTS:
        write_cifar(tmp_path / layout, monkeypatch, layout)
    binary, python = (images.load_images(str(tmp_path / layout)) for layout in LAYOUTS)
    assert np.array_equal(binary.train, python.train)
    assert np.array_equal(binary.evaluation, python.evaluation)


@BOTH
def test_the_folder_may_be_the_one_that_the_archive_was_unpacked_in(layout, tmp_path, monkeypatch):
    (version,) = [version for version in cifar.VERSIONS if version.name == layout]
    write_cifar(tmp_path / version.folder, monkeypatch, layout)
    assert images.load_images(str(tmp_path)).source == "cifar10"


def test_a_whole_version_is_taken_before_half_of_the_other(tmp_path, monkeypatch):
    for layout, version in zip(LAYOUTS, cifar.VERSIONS, strict=True):
        write_cifar(tmp_path / version.folder, monkeypatch, layout)
    assert "binary" in images.load_images(str(tmp_path)).origin
    (tmp_path / "cifar-10-batches-bin/data_batch_1.bin").unlink()
    assert "python" in images.load_images(str(tmp_path)).origin


WAYS_OUT = (
    r"https://www\.cs\.toronto\.edu.*binary.*python.*or set dataset_structured_noise_path=null"
)


@BOTH
def test_a_missing_file_is_named_with_both_ways_out(layout, tmp_path, monkeypatch):
    write_cifar(tmp_path, monkeypatch, layout)
    name = "data_batch_4" + SUFFIX[layout]
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=rf"cannot read .*{re.escape(name)} \(No such.*{WAYS_OUT}"):
        images.load_images(str(tmp_path))


@BOTH
def test_one_wrong_byte_is_refused(layout, tmp_path, monkeypatch):
    write_cifar(tmp_path, monkeypatch, layout)
    file = tmp_path / ("test_batch" + SUFFIX[layout])
    content = bytearray(file.read_bytes())
    content[-2000] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=rf"_path: .*{file.name} .*wrong (SHA-1|MD5).*{WAYS_OUT}"):
        images.load_images(str(tmp_path))


def test_a_file_of_the_right_checksum_that_cannot_be_read_names_the_binary_version(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(LAYOUTS, "python", lambda *_: b"\x80\x02].")
    write_cifar(tmp_path, monkeypatch, "python")
    with pytest.raises(InputError, match=r"data_batch_1 cannot be read .*the binary version can"):
        images.load_images(str(tmp_path))


def test_a_folder_without_cifar_is_refused_only_when_images_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    values = ["dataset_size=64", "val_dataset_size=32", "vicreg.epochs=1", "dataset_noise=1"]
    none = f"dataset_structured_noise_path={tmp_path / 'none'}"
    data_for(load_config([], [*values, none]).config)
    config = load_config([], [*values, none, "dataset_structured_noise=true"]).config
    with pytest.raises(InputError, match=rf"_path: .*none holds no CIFAR-10.*{WAYS_OUT}"):
        data_for(config)


def test_the_known_checksums_belong_to_six_files():
    for version, digits in zip(cifar.VERSIONS, (40, 32), strict=True):
        *train, test = version.checksums
        assert len(train) == 5 and Path(test).stem == "test_batch"
        assert {len(digest) for digest in version.checksums.values()} == {digits}


@pytest.fixture(scope="module")
def banks():
    return images.load_images(None)


def test_photographs_give_thousands_of_patches_with_structure(banks):
    assert banks.source == "photographs"
    for bank in (banks.train, banks.evaluation):
        assert bank.shape[1:] == (28, 28) and bank.dtype == np.uint8 and len(bank) > 1000
        assert np.median(bank.std(axis=(1, 2))) > 20  # of 255
        assert len(np.unique(bank.reshape(len(bank), -1), axis=0)) == len(bank)


def test_no_photograph_is_in_both_splits(banks):
    assert not set(photographs.TRAIN) & set(photographs.EVALUATION)
    train = {patch.tobytes() for patch in banks.train}
    assert not any(patch.tobytes() in train for patch in banks.evaluation)


def test_the_two_splits_look_alike(banks):
    assert banks.train.mean() == pytest.approx(banks.evaluation.mean(), abs=4)
    assert banks.train.std() == pytest.approx(banks.evaluation.std(), abs=4)


def test_the_order_of_patches_is_always_the_same():
    assert np.array_equal(photographs.patches(["moon"]), photographs.patches(["moon"]))


def test_flat_patches_are_left_out():
    grey = np.tile(np.arange(256.0), (256, 1))
    assert len(list(photographs._cut(grey))) == 3**2 + 7**2 + 13**2  # one square per scale
    grey[:192] = 100
    kept = list(photographs._cut(grey))
    assert 0 < len(kept) < 227 / 2
    assert all(patch.std() >= 10 for patch in kept)


def test_a_photograph_is_reduced_to_rounded_means_of_blocks():
    grey = np.arange(35.0).reshape(5, 7) * 3
    reduced = photographs._reduce(grey, 2)
    assert reduced.tolist() == [[12, 18, 24], [54, 60, 66]]


# --- which images a split draws ---------------------------------------------------------------

STRUCTURED = [
    "dataset_static_noise=1.5", "dataset_noise=0.5", "dataset_structured_noise=true",
    "dataset_batch_size=3", "dataset_size=3", "val_dataset_size=3", "n_steps=4", "val_n_steps=4",
    "probing_cfg.sequences=3", "threads=1",
]  # fmt: skip


def structured(model_type):
    section = model_type.lower()
    sizes = ["embedding_size=8", "backbone_width_factor=1", "epochs=2"]
    values = [f"{section}.{size}" for size in sizes if model_type != "Random" or "ep" not in size]
    return load_config([], [*STRUCTURED, f"model_type={model_type}", *values]).config


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """One data set with photographs, written for VICReg and Supervised together."""
    folder = tmp_path_factory.mktemp("structured") / "set"
    configs = [structured(model_type) for model_type in ("VICReg", "Supervised")]
    noises = [NoiseSetting.from_config(config) for config in configs]
    assert noises[0] != noises[1] and noises[0].key == noises[1].key
    write_dataset(dataset_spec(configs[0]), noises, folder)
    return open_dataset(folder)


def slow_batch(dataset, split, bank, config):
    """The first batch of a split, frame by frame, with images of one bank."""
    locations, _ = dataset.sequences(split, 0, 3)
    noise, key = NoiseSetting.from_config(config), int(split_key(split, config.seed))
    statistics = dataset.statistics(noise)
    places = list(np.ndindex(3, 4))
    clean = {place: slow_data.clean_frame(locations[place], 1.3, 1)[0] for place in places}
    m = max(frame.max() for frame in clean.values())

    def image(sequence, slot):
        number = slow_data.frame_key(key, sequence, slot, 0) >> 32
        return bank[(number * len(bank)) >> 32] / 255

    frames = np.empty((3, 4, 1, 28, 28))
    for i, t in places:
        noisy = slow_data.noisy_frame(clean[i, t], image(i, 0), image(i, t + 1), t, noise, m)
        frames[i, t] = slow_data.whole_frame([noisy], statistics, 1)
    return frames


@pytest.mark.parametrize("model_type", MODELS)
def test_supervised_alone_trains_on_the_images_of_the_probe(model_type, dataset, banks):
    config = structured(model_type)
    session = start_session(config, dataset)
    bank = banks.evaluation if model_type == "Supervised" else banks.train
    expected = slow_batch(dataset, "train", bank, config)
    frames = session.stream.batch(0).states
    np.testing.assert_allclose(frames, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("model_type", ["VICReg", "Supervised"])
@pytest.mark.parametrize("split", ["probe", "evaluation"])
def test_probe_and_evaluation_draw_from_the_evaluation_bank(split, model_type, dataset, banks):
    config = structured(model_type)
    frames = BatchStream(dataset, split, NoiseSetting.from_config(config), 3).batch(0).states
    expected = slow_batch(dataset, split, banks.evaluation, config)
    np.testing.assert_allclose(frames, expected, rtol=0, atol=1e-5)


def test_all_models_are_evaluated_on_the_same_frames(dataset):
    batches = [
        evaluation_stream(structured(model_type), dataset, torch.device("cpu")).batch(0).states
        for model_type in MODELS
    ]
    assert all(torch.equal(batch, batches[0]) for batch in batches)


def test_trainings_on_other_images_are_told_apart(dataset, monkeypatch):
    noises = [NoiseSetting.from_config(structured(name)) for name in ("VICReg", "Supervised")]
    assert dataset.checksum_for(noises[0]) != dataset.checksum_for(noises[1])
    config = structured("Supervised")
    before = training_identity(config)
    entry = MODELS["Supervised"].__class__(MODELS["Supervised"].target, config.model.__class__)
    monkeypatch.setitem(MODELS, "Supervised", entry)
    assert training_identity(config) != before


def test_without_structured_noise_the_images_do_not_matter():
    config = load_config([], ["model_type=Supervised", "dataset_noise=1"]).config
    assert NoiseSetting.from_config(config) == NoiseSetting(changing=1.0)
    with pytest.raises(ValueError, match="made of images"):
        NoiseSetting(changing=1.0, trains_on_probe_images=True)
