"""A stored data set is the same bytes each time, is checked when opened, is never half there."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from slow_features.data.arrays import ArrayWriter
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import DatasetSpec, open_dataset, write_dataset
from slow_features.data.trajectories import roll_out, sample
from slow_features.errors import InputError
from tests.cifar_files import write_cifar

SPEC = DatasetSpec("Single", 1.3, 6, 9, 1, {"train": 1300, "probe": 80, "evaluation": 70})
NOISES = [NoiseSetting(changing=1.5), NoiseSetting(fixed=1.25)]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "set"
    write_dataset(SPEC, NOISES, folder)
    return folder


@pytest.fixture
def copied(written, tmp_path):
    return shutil.copytree(written, tmp_path / "copy")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_settings_give_the_same_bytes(written, tmp_path):
    write_dataset(SPEC, NOISES, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(written)
    assert open_dataset(tmp_path / "again").checksum == open_dataset(written).checksum


def test_a_longer_data_set_begins_with_a_shorter_one(written, tmp_path):
    longer = replace(SPEC, sizes={"train": 2100, "probe": 90, "evaluation": 70})
    write_dataset(longer, NOISES, tmp_path / "longer")
    short, long = open_dataset(written), open_dataset(tmp_path / "longer")
    for split in ("train", "probe"):
        size = SPEC.sizes[split]
        for one, other in zip(
            short.sequences(split, 0, size), long.sequences(split, 0, size), strict=True
        ):
            assert np.array_equal(one, other)
    assert short.checksum != long.checksum


def test_another_seed_changes_the_train_split_alone(written, tmp_path):
    write_dataset(replace(SPEC, seed=2), NOISES, tmp_path / "other")
    first, second = contents(written), contents(tmp_path / "other")
    same = {name for name in first if first[name] == second[name]}
    assert same == {
        f"{split}.{part}.npy" for split in ("probe", "evaluation") for part in ("start", "actions")
    }


def test_sequences_are_those_of_the_sampler(written):
    locations, actions = open_dataset(written).sequences("probe", 10, 15)
    start, drawn = sample("probe", 1, 1, 1.3, 9, 10, 15)
    assert np.array_equal(actions, drawn)
    assert np.array_equal(locations, roll_out(start, drawn, 2.6, 24.4))
    assert locations.shape == (5, 9, 1, 2)


def test_statistics_make_the_pixels_of_the_noise_standard(written):
    statistics = open_dataset(written).statistics(NOISES[0])
    # U[0, 1) times alpha * m, plus a dot that sums to 1 over 784 pixels; m is close to 0.0941
    assert statistics.mean[0] == pytest.approx(1.5 * 0.0941 / 2 + 1 / 784, rel=0.01)
    assert statistics.std[0] == pytest.approx(1.5 * 0.0941 / 12**0.5, rel=0.03)


def test_more_than_is_stored_is_refused_with_the_sizes(written):
    dataset = open_dataset(written)
    with pytest.raises(InputError, match=r"60 to 80 of split 'probe'.*it holds 80"):
        dataset.sequences("probe", 60, 81)


def test_other_noise_than_was_measured_is_refused(written):
    with pytest.raises(InputError, match=r"changing_uniform-1\.5.*not for none.*delete this"):
        open_dataset(written).statistics(NoiseSetting())


def test_a_folder_without_a_data_set(tmp_path):
    with pytest.raises(InputError, match="there is no data set here"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("name", ["train.start.npy", "evaluation.actions.npy", "statistics.json"])
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: missing"):
        open_dataset(copied)


def test_a_truncated_file_is_found_even_without_checksums(copied):
    path = copied / "train.actions.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"train\.actions\.npy: 52124 bytes instead of 52128"):
        open_dataset(copied, verify=False)


def test_one_changed_bit_is_found_by_the_checksum(copied):
    path = copied / "train.actions.npy"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"train\.actions\.npy: damaged"):
        open_dataset(copied)


def change_manifest(folder, change):
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_arrays_that_do_not_fit_the_specification_are_refused(copied):
    change_manifest(copied, lambda content: content["spec"].update(n_steps=7))
    with pytest.raises(InputError, match=r"\(1300, 5, 1, 2\) instead of float32 \(1300, 6, 1, 2\)"):
        open_dataset(copied)


def test_another_format_and_a_damaged_manifest_are_refused(copied):
    change_manifest(copied, lambda content: content.update(format=99))
    with pytest.raises(InputError, match="format 99"):
        open_dataset(copied)
    (copied / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="not a manifest"):
        open_dataset(copied)


def test_an_old_data_set_is_replaced_as_a_whole(copied):
    (copied / "left-over.txt").touch()
    write_dataset(replace(SPEC, seed=5), NOISES, copied)
    assert open_dataset(copied).spec.seed == 5
    assert not (copied / "left-over.txt").exists()


def test_a_failure_leaves_the_old_data_set_and_nothing_beside_it(copied, monkeypatch):
    before = contents(copied)

    def fail(*_):
        raise RuntimeError("killed")

    monkeypatch.setattr("slow_features.data.store._statistics", fail)
    with pytest.raises(RuntimeError):
        write_dataset(replace(SPEC, seed=5), NOISES, copied)
    assert contents(copied) == before
    assert [path.name for path in copied.parent.iterdir()] == [copied.name]


def test_a_folder_of_other_things_is_not_replaced(tmp_path):
    (tmp_path / "thesis.tex").touch()
    for target in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(InputError, match="is no data set, so it is not replaced"):
            write_dataset(SPEC, NOISES, target)
    assert (tmp_path / "thesis.tex").exists()


def test_images_are_stored_with_the_trajectories(tmp_path, monkeypatch):
    write_cifar(tmp_path / "cifar", monkeypatch)
    noise = NoiseSetting(fixed=1.0, structured=True, source="cifar10")
    write_dataset(SPEC, [noise], tmp_path / "set", image_source=str(tmp_path / "cifar"))
    shutil.rmtree(tmp_path / "cifar")  # no longer needed
    dataset = open_dataset(tmp_path / "set")
    assert dataset.manifest.image_source == "cifar10"
    assert "SHA-1" in dataset.manifest.image_origin
    assert dataset.frame_maker("probe", noise, "cpu", normalize=True).channels == 1


def test_images_of_another_source_than_the_noise_asks_for(tmp_path, monkeypatch):
    write_cifar(tmp_path, monkeypatch)
    noise = NoiseSetting(fixed=1.0, structured=True, source="photographs")
    with pytest.raises(InputError, match="images of 'cifar10', the noise asks for photographs"):
        write_dataset(SPEC, [noise], tmp_path / "set", image_source=str(tmp_path))


def test_an_array_with_fewer_rows_than_announced_is_an_error(tmp_path):
    with (
        pytest.raises(ValueError, match="2 rows, not 3"),
        ArrayWriter(tmp_path / "a.npy", (3, 2)) as writer,
    ):
        writer.append(np.zeros((2, 2)))


def test_nothing_is_pickled(copied):
    np.save(copied / "train.start.npy", np.array([object()], dtype=object), allow_pickle=True)
    size = (copied / "train.start.npy").stat().st_size
    change_manifest(copied, lambda content: content["files"]["train.start.npy"].update(bytes=size))
    with pytest.raises(InputError, match="not an array"):
        open_dataset(copied, verify=False)
