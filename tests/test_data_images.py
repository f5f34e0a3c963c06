"""Images of structured noise: CIFAR-10 only if it is CIFAR-10, else photographs, split by scene."""

import hashlib

import numpy as np
import pytest

from slow_features.data import cifar, images, photographs
from slow_features.errors import InputError


def write_cifar(folder, monkeypatch, records=3):
    """A tiny stand-in of CIFAR-10, binary version, whose checksums are taken as the known ones."""
    generator = np.random.default_rng(1)
    content = {}
    for name in cifar.SHA1:
        content[name] = generator.integers(0, 256, (records, 3073), dtype=np.uint8)
        (folder / name).write_bytes(content[name].tobytes())
        digest = hashlib.sha1(content[name].tobytes(), usedforsecurity=False).hexdigest()
        monkeypatch.setitem(cifar.SHA1, name, digest)
    return content


def test_cifar_is_read_as_grey_and_cropped_at_the_top_left(tmp_path, monkeypatch):
    content = write_cifar(tmp_path, monkeypatch)
    banks = images.load_images(str(tmp_path))
    assert banks.source == "cifar10"
    assert banks.train.shape == (15, 28, 28) and banks.evaluation.shape == (3, 28, 28)
    planes = content["data_batch_2.bin"][1, 1:].reshape(3, 32, 32).astype(float)
    for row, column in ((0, 0), (3, 27), (27, 5)):
        red, green, blue = planes[:, row, column]
        grey = 0.299 * red + 0.587 * green + 0.114 * blue
        assert banks.train[3 + 1, row, column] == pytest.approx(grey, abs=0.501)
    tested = content["test_batch.bin"][0, 1:].reshape(3, 32, 32).astype(float)
    assert banks.evaluation[0, 1, 2] == pytest.approx(
        tested[:, 1, 2] @ [0.299, 0.587, 0.114], abs=0.501
    )


def test_a_missing_file_is_named_with_where_to_get_it(tmp_path, monkeypatch):
    write_cifar(tmp_path, monkeypatch)
    (tmp_path / "data_batch_4.bin").unlink()
    with pytest.raises(InputError, match=r"data_batch_4\.bin.*https://www\.cs\.toronto\.edu"):
        images.load_images(str(tmp_path))


def test_one_wrong_byte_is_refused(tmp_path, monkeypatch):
    content = write_cifar(tmp_path, monkeypatch)["test_batch.bin"]
    content[2, 100] ^= 1
    (tmp_path / "test_batch.bin").write_bytes(content.tobytes())
    with pytest.raises(
        InputError, match=r"dataset_structured_noise_path: .*test_batch\.bin .*SHA-1"
    ):
        images.load_images(str(tmp_path))


def test_the_known_checksums_belong_to_six_files():
    assert len(cifar.TRAIN_FILES) == 5 and len(cifar.TEST_FILES) == 1
    assert all(len(digest) == 40 for digest in cifar.SHA1.values())


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


def test_only_the_train_split_draws_from_the_train_bank():
    assert [images.bank_of(s) for s in ("train", "probe", "evaluation")] == [
        "train",
        "evaluation",
        "evaluation",
    ]
