"""Bad input ends with one line that names it, with an exit code, and with nothing changed.

The table is in `bad_input.py`. Every case is run through the real command: here inside one process
(runpy, as `python stages/train.py` would), a sample as processes of their own, and with `-m slow`
all of them. A refusal comes before MLflow, the data set and the checkpoints are touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import random
import runpy
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from slow_features.config.describe import all_settings
from tests.bad_input import (
    DATA,
    RUN,
    WRONG,
    Case,
    all_cases,
    command_line_cases,
    data_cases,
    file_cases,
    grid_cases,
    machine_cases,
    setting_cases,
    sound_project,
    weights_cases,
)

STAGES = Path(__file__).parents[1] / "stages"


class Outcome(NamedTuple):
    """How a command ended."""

    code: int | str | None
    output: str
    errors: str


def command(case: Case) -> list[str]:
    """Return the arguments of a case: it starts from sound settings unless it names others."""
    uses_settings = case.stage in ("train", "generate", "probe")
    own = "--configs" in case.arguments or not uses_settings
    return [*([] if own else ["--configs", "good.yaml"]), *case.arguments]


def run_here(case: Case, folder: Path) -> Outcome:
    """Run a stage in this process."""
    out, errors, code = io.StringIO(), io.StringIO(), 0
    file = STAGES / f"{case.stage}.py"
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        patch.chdir(folder)
        patch.setattr(sys, "argv", [str(file), *command(case)])
        try:
            runpy.run_path(str(file), run_name="__main__")
        except SystemExit as error:
            code = error.code
    return Outcome(code, out.getvalue(), errors.getvalue())


def run_as_process(case: Case, folder: Path, **options) -> Outcome:
    """Run a stage as a user does."""
    line = [sys.executable, str(STAGES / f"{case.stage}.py"), *command(case)]
    try:
        ended = subprocess.run(line, cwd=folder, capture_output=True, text=True, **options)
    except (ValueError, OSError) as error:  # no operating system passes such an argument on
        pytest.skip(str(error))
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


def snapshot(folder: Path) -> dict[str, object]:
    """Return what is in a folder: kinds, contents and times of change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found


def problem(case: Case, outcome: Outcome, before: dict, after: dict) -> str | None:
    """Return what is wrong with how a case ended, in words; None for a good refusal."""
    lines = outcome.errors.splitlines()
    checks = {
        f"exit code {outcome.code}, not {case.code}": outcome.code == case.code,
        f"{len(lines)} lines": len(lines) == 1 and outcome.errors.endswith("\n"),
        "no error": outcome.errors.startswith("error: "),
        "unprintable": outcome.errors[:-1].isprintable(),
        "longer than 600 characters": len(outcome.errors) <= 600,
        "printed something": outcome.output == "",
        **{f"does not name {name!r}": name in outcome.errors for name in case.names},
        f"changed {sorted(set(before) ^ set(after))}": before == after,
    }
    wrong = [what for what, fine in checks.items() if not fine]
    return f"{case.name}: {', '.join(wrong)}: {outcome.errors[-1500:]}" if wrong else None


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with sound settings, a data set and a finished training."""
    folder = tmp_path_factory.mktemp("finished")
    from slow_features.training.train import train

    with sound_project(folder) as (config, dataset, _):
        train(config, dataset, folder / RUN / "train", log=False)
        shutil.rmtree(".checkpoints")
    return folder


@pytest.fixture
def place(tmp_path, finished, monkeypatch):
    """Return what makes the folder of a case: sound settings, and what the case needs."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("DVC_STAGE", raising=False)

    def make(case: Case) -> Path:
        folder = tmp_path / f"case{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for name in ("dvc.yaml", "good.yaml"):
            shutil.copy(finished / name, folder)
        for name in case.needs:
            shutil.copytree(finished / name, folder / name)
        case.spoil(folder)
        return folder

    return make


def try_case(case: Case, folder: Path, run=run_here) -> str | None:
    before = snapshot(folder)
    return problem(case, run(case, folder), before, snapshot(folder))


def test_the_table_has_every_setting():
    assert set(all_settings()) <= set(WRONG)
    assert len(all_cases()) > 2000


@pytest.mark.parametrize("key", WRONG)
def test_every_wrong_value_of(key, place):
    cases = [case for case in setting_cases() if case.arguments[1].startswith(f"{key}=")]
    folder = place(cases[0])
    problems = [try_case(case, folder) for case in cases]
    assert len(cases) >= 4
    assert not any(problems), "\n".join(filter(None, problems))


OTHERS = [
    *command_line_cases(), *file_cases(), *weights_cases(), *data_cases(), *grid_cases(),
    *machine_cases(),
]  # fmt: skip


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case.name)
def test_refused(case, place):
    assert not (found := try_case(case, place(case))), found


def test_a_sample_as_processes(place):
    """What runs inside this process runs as a process of its own too."""
    choose = random.Random(1)
    cases = choose.sample(all_cases(), 12) + choose.sample(file_cases() + grid_cases(), 10)
    folders = [place(case) for case in cases]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda c, f: try_case(c, f, run_as_process), cases, folders))
    assert not any(found), "\n".join(filter(None, found))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(20))
def test_all_as_processes(part, place):
    cases = [c for c in all_cases()[part::20] if not any("\0" in a for a in c.arguments)]
    shared = place(setting_cases()[0])
    folders = [shared if c.name.partition("=")[0] in WRONG else place(c) for c in cases]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda c, f: try_case(c, f, run_as_process), cases, folders))
    assert not any(found), "\n".join(filter(None, found))


# --- places that the operating system refuses -------------------------------------------------

TRAIN = Case("train", (), ())


def without_rights() -> dict:
    """Return how to start a process for which the modes of files hold, also where root tests."""
    return {"preexec_fn": _give_up_rights} if os.geteuid() == 0 else {}


def _give_up_rights() -> None:
    """Give up root's right to open what is closed: what this process starts cannot have it."""
    for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if ctypes.CDLL(None, use_errno=True).prctl(24, right, 0, 0, 0):  # PR_CAPBSET_DROP
            raise OSError(ctypes.get_errno(), "the rights cannot be given up")


CLOSED = {  # what is closed, how, the words of the refusal, the exit code
    "settings": ("good.yaml", 0, ("good.yaml", "Permission denied"), 2),
    "output": ("out", 0o500, ("cannot write out/train", "Permission denied"), 1),
}


@pytest.mark.parametrize("closed", CLOSED)
def test_what_may_not_be_read_or_written(closed, place):
    target, mode, names, code = CLOSED[closed]
    case = Case(closed, ("--values", "output_path=out"), names, code=code)
    folder = place(case)
    (folder / "out").mkdir()
    (folder / target).chmod(mode)
    found = try_case(case, folder, partial(run_as_process, **without_rights()))
    (folder / target).chmod(0o700)  # so that it can be removed
    assert not found, found


def test_sequences_that_may_not_be_read(place):
    """They are the user's to open again: no other data set is written in their place."""
    case = Case("sequences", (), ("train.start.npy", "Permission denied"), code=1, needs=(DATA,))
    folder = place(case)
    (sequences,) = folder.glob(f"{DATA}/data/*/train.start.npy")
    sequences.chmod(0)
    before = snapshot(folder)
    outcome = run_as_process(case, folder, **without_rights())
    after = {name: kept for name, kept in snapshot(folder).items() if not is_lock(name)}
    assert not (found := problem(case, outcome, before, after)), found


def is_lock(name: str) -> bool:
    """Tell whether a path is one of the store's locks, or a folder for one."""
    return Path(name).parts[0] == ".cells" and (name.endswith("lock") or name.count("/") < 2)


def test_a_closed_folder_further_up_is_no_reason_to_refuse_a_place(place):
    """Names are relative to the folder that one works in, so what is above it does not count."""
    taken = ("--values", "output_path=good.yaml")
    case = Case("above", taken, ("cannot write good.yaml/train", "a file"), code=1)
    folder = place(case)
    (folder / "inner").mkdir()
    shutil.copy(folder / "good.yaml", folder / "inner")
    folder.chmod(0)
    found = problem(case, run_as_process(case, folder / "inner", **without_rights()), {}, {})
    folder.chmod(0o700)
    assert not found, found


FULL = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, {bytes}))
sys.argv = {line!r}
runpy.run_path({stage!r}, run_name="__main__")
"""


@pytest.mark.parametrize("room", [0, 1500])
def test_a_full_disk(room, place):
    """No file may grow beyond `room` bytes: the data set is not written, not even half of it."""
    folder = place(TRAIN)
    stage = str(STAGES / "train.py")
    code = FULL.format(bytes=room, line=[stage, "--configs", "good.yaml"], stage=stage)
    before = snapshot(folder)
    ended = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=folder, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert "cannot write" in ended.stderr and "File too large" in ended.stderr
    left = {n for n in snapshot(folder) if n not in before}
    assert all(n in (".cache", ".cache/data") or n.endswith(".lock") or is_lock(n) for n in left)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
@pytest.mark.parametrize("options", ["size=40k", "size=1m,ro"])
@pytest.mark.parametrize(("stage", "disk"), [("generate", "disk"), ("train", ".cache")])
def test_a_small_disk_and_one_that_is_read_only(stage, disk, options, place):
    """A real file system that fills up in the middle, or takes nothing at all."""
    folder = place(TRAIN)
    (folder / disk).mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder / disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this container may not mount")
    try:
        to = ("--folder", "disk/data") if stage == "generate" else ()
        case = Case("disk", (*to, "--values", "dataset_size=5000"), (), stage)
        outcome = run_as_process(case, folder)
        left = list((folder / disk).iterdir())
    finally:
        subprocess.run(["umount", str(folder / disk)], check=True)
    assert outcome.code == 1
    assert outcome.errors.count("\n") == 1 and f"{disk}/" in outcome.errors
    assert left == []


def test_torch_without_memory_is_one_line(monkeypatch, capsys):
    from slow_features.errors import exit_with_message

    def too_large():
        import torch

        torch.empty(2**60)

    with pytest.raises(SystemExit) as error:
        exit_with_message(too_large)
    assert error.value.code == 1
    assert capsys.readouterr().err.startswith("error: not enough memory; ask for less")


def test_a_bug_keeps_its_traceback():
    """An error that no user can act on is not dressed up as the user's."""
    from slow_features.errors import exit_with_message

    for bug in (RuntimeError("shapes do not fit"), ZeroDivisionError(), KeyError("x")):

        def fail(bug=bug):
            raise bug

        with pytest.raises(type(bug)):
            exit_with_message(fail)
