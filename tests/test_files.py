"""A file is whole or not there, whatever kills the writer; every path comes from one module."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features import paths
from slow_features.errors import InputError, MachineError
from slow_features.files import (
    atomic_file,
    atomic_folder,
    check_replaceable,
    check_space,
    check_writable,
    sha256_file,
    write_bytes,
    write_json,
    write_text,
)
from slow_features.process import file_mark, marks_ended_process

KILLED_IN_THE_MIDDLE = """
import os, signal
from slow_features.files import atomic_file, atomic_folder
with {writer}("target") as partial:
    file = partial / "half" if partial.is_dir() else partial
    file.write_text("half of the new con")
    os.kill(os.getpid(), signal.SIGKILL)
"""

FULL_DISK = """
import resource
from slow_features.errors import exit_with_message
from slow_features.files import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
exit_with_message(lambda: write_bytes("target", b"x" * 5000))
"""


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class TestAtomicFile:
    def test_kill_in_the_middle_preserves_old_content(self, tmp_root):
        write_text("target", "old")
        ended = run_python(KILLED_IN_THE_MIDDLE.format(writer="atomic_file"))
        assert ended.returncode == -signal.SIGKILL
        assert Path("target").read_text() == "old"
        write_text("target", "new")  # what the killed process left is in nobody's way
        assert Path("target").read_text() == "new"

    def test_full_disk_is_one_clear_line_and_leaves_nothing(self, tmp_root):
        write_text("target", "old")
        ended = run_python(FULL_DISK)
        assert ended.returncode == 1
        assert ended.stderr.startswith("error: cannot write target: File too large (errno 27)")
        assert ended.stderr.count("\n") == 1
        assert Path("target").read_text() == "old"
        assert names(tmp_root) == {"target", "dvc.yaml"}

    def test_error_of_the_writer_is_raised_as_it_is(self, tmp_root):
        write_text("target", "old")
        with pytest.raises(FileNotFoundError), atomic_file("target") as partial:
            partial.write_text("half")
            Path("not there").read_text()
        assert Path("target").read_text() == "old"
        assert names(tmp_root) == {"target", "dvc.yaml"}

    @pytest.mark.parametrize("path", ["dvc.yaml/x.json", "dvc.yaml/a/x.json", "x" * 300, "folder"])
    def test_impossible_places_are_machine_errors(self, tmp_root, path):
        Path("folder").mkdir()
        with pytest.raises(MachineError, match=f"cannot write {path}: .*errno"):
            write_text(path, "content")
        assert names(tmp_root) == {"dvc.yaml", "folder"}

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_read_only_folder(self, tmp_root):
        Path("folder").mkdir(mode=0o500)
        with pytest.raises(MachineError, match="folder that can be written"):
            write_text("folder/x", "content")

    def test_missing_folders_are_made_and_the_suffix_is_kept(self, tmp_root):
        with atomic_file("a/b/curve.npy") as partial:
            assert partial.suffix == ".npy"
            assert partial.parent == Path("a/b")
            partial.write_bytes(b"1")
        assert Path("a/b/curve.npy").read_bytes() == b"1"

    def test_permissions_are_those_of_an_ordinary_file(self, tmp_root):
        Path("ordinary").write_text("")
        write_text("target", "")
        assert Path("target").stat().st_mode == Path("ordinary").stat().st_mode

    def test_a_link_is_replaced_and_what_it_points_to_is_left(self, tmp_root):
        Path("cache").write_text("old")
        Path("target").symlink_to("cache")
        write_bytes("target", b"new")
        assert Path("target").read_text() == "new"
        assert Path("cache").read_text() == "old"


class TestAtomicFolder:
    def test_replaces_the_old_folder_as_a_whole(self, tmp_root):
        Path("target").mkdir()
        write_text("target/old", "1")
        with atomic_folder("target") as partial:
            (partial / "inner").mkdir()
            write_text(partial / "inner/new", "2")
            assert names(Path("target")) == {"old"}
        assert names(Path("target")) == {"inner"}
        assert names(tmp_root) == {"target", "dvc.yaml"}

    def test_error_keeps_the_old_folder(self, tmp_root):
        Path("target").mkdir()
        with pytest.raises(ZeroDivisionError), atomic_folder("target") as partial:
            write_text(partial / "half", "1")
            raise ZeroDivisionError
        assert names(Path("target")) == set()
        assert names(tmp_root) == {"target", "dvc.yaml"}

    def test_kill_in_the_middle_preserves_the_old_folder(self, tmp_root):
        Path("target").mkdir()
        write_text("target/old", "1")
        run_python(KILLED_IN_THE_MIDDLE.format(writer="atomic_folder"))
        assert names(Path("target")) == {"old"}


class TestLeftovers:
    """A killed writer's hidden file or folder goes when the same target is written again."""

    @pytest.mark.parametrize("writer", ["atomic_file", "atomic_folder"])
    def test_of_a_killed_writer(self, tmp_root, writer):
        run_python(KILLED_IN_THE_MIDDLE.format(writer=writer))
        (left,) = names(tmp_root) - {"dvc.yaml"}
        Path(f"{left}-journal").touch()  # as SQLite leaves one
        write_text("another", "x")
        assert left in names(tmp_root)
        write_text("target", "x")
        assert names(tmp_root) == {"dvc.yaml", "another", "target"}

    @pytest.mark.parametrize("name", ["target", "target.tar", "t[a]"])
    def test_of_a_living_writer_stays(self, tmp_root, name):
        with atomic_folder(name) as outer:
            (outer / "x").touch()
            with atomic_folder(name) as inner:
                (inner / "y").touch()
            assert outer.is_dir()
        assert names(tmp_root / name) == {"x"}

    @pytest.mark.parametrize("part", ["place", "pid", "start"])
    def test_a_mark_of_another_place_is_not_judged(self, part):
        place, pid, start = file_mark().split("-")
        other = {"place": f"00000000-1-{start}", "pid": f"{place}-{2**22 + 1}-{start}",
                 "start": f"{place}-{pid}-{int(start) - 1000}"}  # fmt: skip
        assert not marks_ended_process(file_mark())
        assert marks_ended_process(other[part]) == (part != "place")

    def test_are_gone_before_the_disk_is_called_full(self, tmp_root):
        run_python(KILLED_IN_THE_MIDDLE.format(writer="atomic_folder"))
        check_space("target", 1)
        assert names(tmp_root) == {"dvc.yaml"}


class TestPlaces:
    """What cannot become a result's folder is refused before the work."""

    @pytest.mark.parametrize("path", ["link", "link/train", "loop/train", "loop"])
    def test_links_to_nowhere_and_to_themselves(self, tmp_root, path):
        Path("link").symlink_to("nowhere")
        Path("loop").symlink_to("loop")
        with pytest.raises((InputError, MachineError), match=r"link to nowhere|link to itself"):
            check_writable(path)
            check_replaceable(Path(path), "training", "train.json")
        assert not Path("nowhere").exists()

    def test_a_mount_point(self):
        with pytest.raises(InputError, match="/proc: a mount point"):
            check_replaceable(Path("/proc"), "training", "train.json")

    def test_a_folder_mounted_from_the_same_disk(self, tmp_root, monkeypatch):
        here = [SimpleNamespace(mountpoint=str(tmp_root / "train"))]
        monkeypatch.setattr("psutil.disk_partitions", lambda all: here)
        (tmp_root / "train").mkdir()
        with pytest.raises(InputError, match="train: a mount point"):
            check_replaceable(Path("train"), "training", "train.json")

    def test_a_link_to_a_folder_is_replaced_without_a_trace(self, tmp_root):
        Path("elsewhere").mkdir()
        Path("target").symlink_to("elsewhere")
        with atomic_folder("target") as partial:
            (partial / "x").touch()
        assert names(tmp_root) == {"dvc.yaml", "elsewhere", "target"}
        assert not Path("target").is_symlink()


class TestJson:
    @settings(max_examples=30, deadline=None)  # each one waits for the disk
    @given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)))
    def test_bytes_depend_on_the_values_alone(self, tmp_path_factory, values):
        path = tmp_path_factory.getbasetemp() / "x.json"
        write_json(path, values)
        first = path.read_bytes()
        write_json(path, dict(reversed(values.items())))
        assert path.read_bytes() == first
        assert json.loads(first) == values

    def test_is_made_for_reading_and_for_diffs(self, tmp_root):
        write_json("x.json", {"b": [1], "a": "σ"})
        text = Path("x.json").read_text(encoding="utf-8")
        assert text == '{\n  "a": "σ",\n  "b": [\n    1\n  ]\n}\n'

    def test_nan_is_refused_and_the_old_file_stays(self, tmp_root):
        write_json("x.json", 1)
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json("x.json", {"loss": float("nan")})
        assert Path("x.json").read_text() == "1\n"


def test_sha256_of_a_file_is_that_of_its_bytes(tmp_root):
    content = bytes(range(256)) * 5000
    write_bytes("x", content)
    assert sha256_file("x") == hashlib.sha256(content).hexdigest()


class TestPaths:
    def test_root_is_the_nearest_project_above(self, tmp_root, monkeypatch):
        (tmp_root / "a/b").mkdir(parents=True)
        monkeypatch.chdir("a/b")
        assert paths.project_root() == tmp_root
        (tmp_root / "a/.git").touch()  # a file, as in a git worktree
        assert paths.project_root() == tmp_root / "a"

    def test_in_a_queue_copy_the_store_is_the_main_checkout_s(self, tmp_root, monkeypatch):
        copy = tmp_root / ".dvc/tmp/exps/tmp1"
        copy.mkdir(parents=True)
        (copy / "dvc.yaml").touch()
        monkeypatch.chdir(copy)
        monkeypatch.setenv("DVC_ROOT", str(tmp_root))
        assert paths.mlflow_database() == tmp_root / "mlflow.db"
        assert paths.mlflow_artifacts() == tmp_root / "mlartifacts"
        assert paths.checkpoints() == tmp_root / ".checkpoints"
        assert (paths.RESULTS / "x").resolve() == copy / "results/x"

    @pytest.mark.parametrize("name", ["loop", "nowhere", "dvc.yaml"])
    def test_a_root_that_is_no_folder_is_refused(self, tmp_root, name, monkeypatch):
        Path("loop").symlink_to("loop")
        monkeypatch.setenv("DVC_ROOT", name)
        with pytest.raises(InputError, match=f"DVC_ROOT = {name}: allowed: the folder"):
            paths.mlflow_database()
        assert not Path("nowhere").exists()

    def test_without_any_project_it_is_the_current_folder(self, tmp_root):
        Path("dvc.yaml").unlink()
        assert paths.project_root() == tmp_root
