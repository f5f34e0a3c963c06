"""Data sets are made when they are needed, grow without changing, and heal."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from slow_features import experiment
from slow_features.data.cache import data_for
from slow_features.data.counters import SPLITS
from slow_features.data.noise import NoiseSetting
from slow_features.data.store import StoredDataset, open_dataset
from slow_features.errors import InputError
from tests.tiny import small_config

CONFIG = small_config()


def sequences(dataset: StoredDataset, sizes: dict[str, int]) -> dict[str, tuple]:
    """Return the bytes of so many first sequences of every split."""
    return {
        split: tuple(a.tobytes() for a in dataset.sequences(split, 0, size))
        for split, size in sizes.items()
    }


# --- made once, shared, enlarged --------------------------------------------------------------


@pytest.fixture
def written(tmp_root, monkeypatch):
    """A project of its own, and the data sets written in it, one after the other."""
    from slow_features.data import cache

    done, write = [], cache.write_dataset

    def noted(spec, noises, folder, *more):
        done.append(folder)
        write(spec, noises, folder, *more)

    monkeypatch.setattr(cache, "write_dataset", noted)
    return done


def test_it_is_made_once_in_a_hidden_folder(written, tmp_root):
    first = data_for(CONFIG)
    second = data_for(small_config("VICReg", "run_name=x", "vicreg.base_lr=0.5"))
    assert len(written) == 1
    assert first.folder == second.folder
    assert first.folder.parent == tmp_root / ".cache/data"
    assert first.spec.sizes == {"train": 192, "probe": 64, "evaluation": 32}


def test_a_model_that_is_not_trained_reads_no_training_sequences(written):
    assert data_for(small_config("Random")).spec.sizes["train"] == CONFIG.dataset_size


LARGER = {
    "more for the probe": ["probing_cfg.sequences=100"],
    "more to evaluate on": ["val_dataset_size=50"],
    "the published probe": ["probing_cfg.solver=adam", "probing_cfg.epochs=4"],
}


@pytest.mark.parametrize("values", LARGER.values(), ids=LARGER)
def test_enlarged_it_holds_the_same_sequences_and_statistics(values, written):
    noise = NoiseSetting.from_config(CONFIG)
    small = data_for(CONFIG)
    before = sequences(small, small.spec.sizes)
    facts = small.checksum_for(noise), small.statistics(noise)
    large = data_for(small_config("VICReg", *values))
    assert len(written) == 2 and large.folder == small.folder
    assert large.spec.sizes != small.spec.sizes
    assert sequences(large, small.spec.sizes) == before
    assert (large.checksum_for(noise), large.statistics(noise)) == facts
    assert data_for(CONFIG).spec.sizes == large.spec.sizes, "it does not shrink again"
    assert len(written) == 2


def test_other_noise_is_added_to_what_is_there(written):
    noise, other = NoiseSetting.from_config(CONFIG), ["dataset_noise=0", "dataset_static_noise=1"]
    small = data_for(CONFIG)
    facts = small.checksum_for(noise), small.statistics(noise)
    both = data_for(small_config("VICReg", *other))
    assert both.folder == small.folder and len(written) == 2
    assert (both.checksum_for(noise), both.statistics(noise)) == facts
    assert both.statistics(NoiseSetting(fixed=1.0)) != facts[1]
    data_for(CONFIG)
    assert len(written) == 2


def test_images_are_added_to_a_data_set_without(written):
    small = data_for(CONFIG)
    before = sequences(small, small.spec.sizes)
    config = small_config("VICReg", "dataset_structured_noise=true")
    both = data_for(config)
    assert both.folder == small.folder
    assert (both.folder / "images.train.npy").is_file()
    assert sequences(both, small.spec.sizes) == before
    assert both.checksum_for(NoiseSetting.from_config(CONFIG)) == small.checksum_for(
        NoiseSetting.from_config(CONFIG)
    )


def test_one_that_serves_several_settings_at_once(written):
    configs = [
        small_config(), small_config("VICReg", "val_dataset_size=50"),
        small_config("RSSM", "dataset_noise=0", "dataset_static_noise=1"),
    ]  # fmt: skip
    found = data_for(*configs)
    assert len(written) == 1
    assert found.spec.sizes == {"train": 192, "probe": 64, "evaluation": 50}
    assert all(data_for(config).folder == found.folder for config in configs)
    assert len(written) == 1


@pytest.mark.parametrize(
    "value",
    ["seed=2", "n_steps=6", "val_n_steps=6", "dataset_dot_std=1.4", "dataset_size=80"],
)
def test_other_sequences_lie_elsewhere(value, written):
    """A shorter training split has other statistics: they are measured on it."""
    assert data_for(CONFIG).folder != data_for(small_config("VICReg", value)).folder
    three = small_config("VICReg", "dataset_type=Multiple", "vicreg.channels=3")
    assert data_for(three).folder != data_for(CONFIG).folder


def test_beyond_the_sequences_of_the_statistics_a_longer_training_only_enlarges(written):
    long = ["vicreg.epochs=1", "probing_cfg.sequences=10"]
    short = data_for(small_config("VICReg", *long, "dataset_size=6400"))
    longer = data_for(small_config("VICReg", *long, "dataset_size=7000"))
    noise = NoiseSetting.from_config(CONFIG)
    assert short.folder == longer.folder and len(written) == 2
    assert short.statistics(noise) == longer.statistics(noise)
    assert short.checksum_for(noise) == longer.checksum_for(noise)


# --- several processes ------------------------------------------------------------------------


def ask(root: str, start, values: list[str], written) -> None:
    """Ask for a data set in a process of its own; count those that are written."""
    from slow_features.data import cache

    os.environ["DVC_ROOT"] = root
    write = cache.write_dataset

    def counted(*arguments):
        with written.get_lock():
            written.value += 1
        write(*arguments)

    cache.write_dataset = counted
    start.wait()
    config = small_config("VICReg", *values)
    data_for(config).sequences("evaluation", 0, config.val_dataset_size)


def ask_at_once(root: Path, asked: list[list[str]]) -> int:
    """Ask from as many processes; return how many data sets were written."""
    context = multiprocessing.get_context("forkserver")
    start, written = context.Barrier(len(asked)), context.Value("i", 0)
    started = [
        context.Process(target=ask, args=(str(root), start, values, written)) for values in asked
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0] * len(asked)
    return written.value


def test_several_processes_at_once_make_it_once(tmp_root):
    assert ask_at_once(tmp_root, [[]] * 4) == 1


def test_several_processes_that_want_different_amounts_of_it(tmp_root):
    sizes = [33, 48, 64, 40]
    assert 1 <= ask_at_once(tmp_root, [[f"val_dataset_size={size}"] for size in sizes]) <= 4
    assert data_for(CONFIG).spec.sizes["evaluation"] == 64


# --- damage -----------------------------------------------------------------------------------


def change_manifest(change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Return what changes a data set's manifest."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / "manifest.json").read_text())
        change(content)
        (folder / "manifest.json").write_text(json.dumps(content))

    return spoil


def forge(name: str, content: bytes) -> Callable[[Path], None]:
    """Return what replaces a file, its record in the manifest too."""

    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(content)
        record = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        change_manifest(lambda manifest: manifest["files"].update({name: record}))(folder)

    return spoil


def object_array() -> bytes:
    """Return a .npy file that holds a pickle."""
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return stream.getvalue()


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(bytes(content))


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def as_folder(folder: Path) -> None:
    (folder / "train.start.npy").unlink()
    (folder / "train.start.npy").mkdir()


def statistics(text: str) -> Callable[[Path], None]:
    return forge("statistics.json", text.encode())


DAMAGES: dict[str, Callable[[Path], object]] = {
    "nothing left": lambda folder: shutil.rmtree(folder),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "manifest empty": write("manifest.json", b""),
    "manifest no JSON": write("manifest.json", b"{"),
    "manifest a list": write("manifest.json", b"[]"),
    "manifest deep": write("manifest.json", b"[" * 99_999),
    "manifest of bytes": write("manifest.json", bytes(99)),
    "other format": change_manifest(lambda m: m.update(format=99)),
    "unknown entry": change_manifest(lambda m: m.update(extra=1)),
    "no spec": change_manifest(lambda m: m.pop("spec")),
    "no split": change_manifest(lambda m: m["spec"]["sizes"].pop("probe")),
    "unknown split": change_manifest(lambda m: m["spec"]["sizes"].update(x=1)),
    "size 0": change_manifest(lambda m: m["spec"]["sizes"].update(train=0)),
    "size -1": change_manifest(lambda m: m["spec"]["sizes"].update(train=-1)),
    "no steps": change_manifest(lambda m: m["spec"].update(n_steps=0)),
    "dot nan": change_manifest(lambda m: m["spec"].update(dot_std=float("nan"))),
    "another seed": change_manifest(lambda m: m["spec"].update(seed=2)),
    "checksum": change_manifest(lambda m: m["files"]["train.start.npy"].update(sha256="0")),
    "file gone": lambda folder: (folder / "train.actions.npy").unlink(),
    "statistics gone": lambda folder: (folder / "statistics.json").unlink(),
    "file cut": lambda folder: os.truncate(folder / "train.start.npy", 200),
    "one bit": lambda folder: flip(folder / "probe.start.npy"),
    "a folder for a file": as_folder,
    "forged: text": forge("train.start.npy", b"hello"),
    "forged: empty": forge("train.start.npy", b""),
    "forged: pickle": forge("train.start.npy", object_array()),
    "forged: bare pickle": forge("train.start.npy", pickle.dumps([1])),
    "forged: other shape": change_manifest(lambda m: m["spec"].update(val_n_steps=6)),
    "forged: statistics": statistics("{"),
    "forged: statistics list": statistics("[1]"),
    "forged: no statistics": statistics("{}"),
    "forged: statistics nan": statistics('{"changing_uniform-1.5": {"mean": [NaN], "std": [1]}}'),
    "forged: statistics of 3": statistics(
        '{"changing_uniform-1.5": {"mean": [0,0,0], "std": [1,1,1]}}'
    ),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A project with a sound data set."""
    root = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        data_for(CONFIG)
    return root


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_data_set_is_made_again(damage, sound, written, tmp_root):
    shutil.copytree(sound / ".cache", tmp_root / ".cache")
    (folder,) = (tmp_root / ".cache/data").glob("*[0-9a-f]/")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    DAMAGES[damage](folder)
    found = data_for(CONFIG)
    assert written == [folder]
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert open_dataset(folder).checksum == found.checksum
    data_for(CONFIG)
    assert written == [folder]


def test_images_that_are_none_are_refused_before_anything_is_written(tmp_root):
    values = ["dataset_structured_noise=true", "dataset_structured_noise_path=none"]
    config = small_config("VICReg", *values)
    with pytest.raises(InputError, match="dataset_structured_noise_path"):
        data_for(config)
    with pytest.raises(InputError, match="dataset_structured_noise_path"):
        experiment.check_before_work(config)
    assert [path.name for path in tmp_root.iterdir()] == ["dvc.yaml"]


# --- what git keeps of one --------------------------------------------------------------------


def test_what_git_keeps_depends_on_the_settings_alone(tmp_root):
    """Not on what the data set in the cache serves besides."""
    experiment.describe_data([CONFIG], tmp_root / "first")
    data_for(small_config("VICReg", "val_dataset_size=900", "dataset_noise=1"))
    experiment.describe_data([CONFIG], tmp_root / "second")
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_root / name).iterdir()}
        for name in ("first", "second")
    )
    assert first == second
    assert first.keys() == {"manifest.json", "statistics.json", *(f"{s}.png" for s in SPLITS)}
    manifest = json.loads(first["manifest.json"])
    assert manifest["spec"]["sizes"] == {"train": 192, "probe": 64, "evaluation": 32}
    noise = NoiseSetting.from_config(CONFIG)
    assert [one["checksum"] for one in manifest["noises"]] == [data_for(CONFIG).checksum_for(noise)]
    assert list(json.loads(first["statistics.json"])) == [noise.key]


def test_what_git_keeps_of_other_sequences_is_another(tmp_root):
    for seed in (1, 2):
        config = small_config("VICReg", f"seed={seed}")
        experiment.describe_data([config], tmp_root / str(seed), pictures=False)
    assert not list((tmp_root / "1").glob("*.png"))
    one, two = ((tmp_root / seed / "manifest.json").read_text() for seed in "12")
    assert one != two


def test_a_data_set_does_not_outlive_a_change_of_the_code_that_draws_it(tmp_root, monkeypatch):
    config = small_config()
    first = data_for(config).folder
    assert data_for(config).folder == first
    monkeypatch.setattr("slow_features.data.cache.code_of", lambda roots: "other code")
    assert data_for(config).folder != first
