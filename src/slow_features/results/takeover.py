"""Results taken over by code that computes the same: a refactoring does not cost hours.

Old and new code train short cells on this machine. Where every byte is the same, the recorded
results of the old code become those of the new, without being computed again.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from slow_features import paths
from slow_features.closure import PACKAGE
from slow_features.config.load import load_config
from slow_features.errors import InputError, SlowFeaturesError
from slow_features.files import atomic_folder, write_json, write_text
from slow_features.grid.cells import cells_of
from slow_features.grid.reproduce import only_runner, run_dvc
from slow_features.grid.run import stored
from slow_features.models.registry import MODELS
from slow_features.probe.result import read_result
from slow_features.provenance import git_revision
from slow_features.results import files, trials
from slow_features.results.files import PROBE, TRAIN, Place
from slow_features.results.record import is_recorded
from slow_features.results.store import StoredCell, place_of

_COMMITS = 50  # that touched the code: so many are looked at, newest first


class TakeoverError(SlowFeaturesError):
    """The code computes something else than the recorded results, or cannot be compared."""


@dataclass(frozen=True)
class Version:
    """A version of the code: what to call it, its `src`, and a project of its own for trials."""

    name: str
    source: Path
    root: Path


def take_over() -> str:
    """Give the results in git of changed model types to the code as it is, if it is equal.

    Returns in words what was done. Raises TakeoverError, with nothing changed, when a short
    training leaves other bytes; InputError when git does not have the code of the results. What
    was killed half-way is finished by the same call.
    """
    with only_runner(), tempfile.TemporaryDirectory(prefix="slow-features-") as folder:
        recorded = _recorded_fingerprints()
        now = trials.fingerprints(recorded)
        changed = [name for name in recorded if recorded[name] != now.get(name)]
        if not changed:
            return "the code of no result has changed: nothing to take over"
        old = _code_of_the_records({name: recorded[name] for name in changed}, Path(folder))
        new = Version("the code here", PACKAGE.parent, Path(folder) / "here")
        was: dict[str, list[str]] = _ask("identities", changed, old)[0]
        cells = trials.named_cells(changed)
        stale, left = _sorted_records(cells, was)
        if stale:
            _require_equal({name: cells[name] for name in stale}, old, new)
        revision = git_revision()
        for name in stale:
            _take_over(name, cells[name], was[str(name)], revision)
        if run_dvc("repro", "--quiet", "--single-item", "code", *_complete(changed)):
            raise TakeoverError("dvc repro failed; run the same command again")
    return _in_words(changed, old, revision, stale, left)


def _in_words(
    changed: Sequence[str],
    old: Version,
    revision: str | None,
    stale: Sequence[PurePath],
    left: Sequence[PurePath],
) -> str:
    lines = [
        f"{len(stale)} results ({', '.join(changed)}) of {old.name} are now those of {revision}; "
        "commit them, and `dvc repro` writes the reports"
    ]
    return "\n".join(lines + [f"left alone, of other settings or code: {name}" for name in left])


def _recorded_fingerprints() -> dict[str, list[str]]:
    """Return, for each model type, the fingerprints of training and evaluation that git has."""
    found = {}
    for name in MODELS:
        kinds = [f"HEAD:./{paths.CODE.as_posix()}/{step}/{name}.json" for step in (TRAIN, PROBE)]
        try:
            found[name] = [json.loads(_git("show", kind))["fingerprint"] for kind in kinds]
        except subprocess.CalledProcessError:
            continue  # a model type without results
    if not found:
        raise InputError(f"{paths.CODE}: not in git; commit the results first")
    return found


def _code_of_the_records(recorded: Mapping[str, list[str]], folder: Path) -> Version:
    """Unpack the newest commit whose code has the recorded fingerprints into `folder`.

    The commit of the results comes first; the repository is only read.
    """
    commits = _git("log", "-1", "--format=%H", "--", str(paths.CODE)).split()
    commits += _git("log", f"-{_COMMITS}", "--format=%H", "--", "src").split()
    for commit in (text.decode() for text in dict.fromkeys(commits)):
        root = folder / commit
        with zipfile.ZipFile(io.BytesIO(_git("archive", "--format=zip", commit, "src"))) as code:
            code.extractall(root)
        version = Version(f"revision {commit[:10]}", root / "src", root)
        try:
            if _ask("fingerprints", list(recorded), version)[0] == recorded:
                return version
        except TakeoverError:  # older than this way of asking
            pass
        shutil.rmtree(root)
    raise InputError(
        f"{paths.CODE}: of code that git does not have ({', '.join(recorded)}); commit the code "
        "together with its results, or make them again with `make reproduce`"
    )


def _ask(question: str, about: Any, *versions: Version) -> list[Any]:
    """Ask versions of the code, each in a process of its own, at the same time.

    Raises TakeoverError with the last line of a process that fails.
    """
    processes = []
    try:
        for version in versions:
            version.root.mkdir(exist_ok=True)
            file = version.root / "question.json"
            file.write_text(json.dumps(about))
            command = [sys.executable, "-m", trials.__name__, question, str(file)]
            places = {"PYTHONPATH": str(version.source), "DVC_ROOT": str(version.root)}
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            processes.append(subprocess.Popen(command, env=os.environ | places, **pipes))
        return [_answer(*pair) for pair in zip(versions, processes, strict=True)]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _answer(version: Version, process: subprocess.Popen) -> Any:
    said, complaints = (text.strip().splitlines() for text in process.communicate())
    if process.returncode:
        where = f"{said[-1]}: " if said else ""
        reason = complaints[-1] if complaints else f"exit code {process.returncode}"
        raise TakeoverError(f"{where}{version.name} fails: {reason}; nothing is taken over")
    return json.loads(said[-1])


def _sorted_records(
    cells: Mapping[PurePath, StoredCell], was: Mapping[str, list[str]]
) -> tuple[list[PurePath], list[PurePath]]:
    """Return the names of records that are the old code's, and of those that are nobody's."""
    stale, left = [], []
    for name, cell in cells.items():
        place = Place.recorded(name)
        if not place.train.is_dir():
            continue
        had = [files.read_summary(place.train).identity]
        if place.probe.is_dir():
            had.append(read_result(place.probe / files.RESULT_FILE).identity)
        now = [cell.identity, cell.evaluation]
        old = was.get(str(name), now)
        if any(have not in pair for have, *pair in zip(had, now, old, strict=False)):
            left.append(name)
        elif had != now[: len(had)]:
            stale.append(name)
    return stale, left


def _require_equal(cells: Mapping[PurePath, StoredCell], old: Version, new: Version) -> None:
    """Raise TakeoverError unless both versions leave the same bytes for every kind of cell."""
    asked = trials.one_of_each_kind(cells)
    print(f"{len(asked)} short trainings with {old.name} and with {new.name}", file=sys.stderr)
    for (name, settings, _), *folders in zip(asked, *_ask("trials", asked, old, new), strict=True):
        for one, other in zip(*folders, strict=True):
            file = trials.first_difference(Path(one), Path(other))
            if file is not None:
                raise TakeoverError(
                    f"{settings['model_type']}: a short training as {name} leaves another {file} "
                    f"than with {old.name}; nothing is taken over"
                )


def _take_over(name: PurePath, cell: StoredCell, was: Sequence[str], revision: str | None) -> None:
    """Give a record, and what the store has of it, the cell's identities; train.json comes last."""
    texts = dict(zip(was, (cell.identity, cell.evaluation), strict=True))
    before, here, record = place_of(*was), cell.place, Place.recorded(name)
    if before.train.is_dir():
        with cell.lock():
            for old, new in ((before.train, here.train), (before.probe, here.probe)):
                if (old == new or not new.exists()) and files.damage(old) is None:
                    _rewrite(old, new, texts, revision, sealed=True)
    write_json(record.run, _noted(record.run, revision))
    for folder in (record.probe, record.train):
        if folder.is_dir():
            _rewrite(folder, folder, texts, revision, sealed=False)


def _rewrite(
    old: Path, new: Path, texts: Mapping[str, str], revision: str | None, sealed: bool
) -> None:
    """Make a folder of a result anew, with other identities in it; weights are not copied."""
    with atomic_folder(new) as beside:
        for file in old.iterdir():
            target = beside / file.name
            if file.name == files.RUN_FILE:
                write_json(target, _noted(file, revision))
            elif file.suffix == ".json":
                content = file.read_text()
                for one, other in texts.items():
                    content = content.replace(f'"{one}"', f'"{other}"')
                write_text(target, content)
            else:
                os.link(file, target)
        if sealed:
            files.seal(beside)


def _noted(run: Path, revision: str | None) -> dict[str, Any]:
    """Return the content of a run with the revision that takes its result over, once."""
    content = json.loads(run.read_bytes())
    if content["taken_over"][-1:] != [revision]:
        content["taken_over"].append(revision)
    return content


def _complete(model_types: Sequence[str]) -> Iterator[str]:
    """Yield the stages of model types all of whose cells are recorded as the code has them."""
    config = load_config(["params.yaml"]).config
    for step in (TRAIN, PROBE):
        for name in model_types:
            cells = cells_of(config.scale, model_type=name)
            if cells and all(is_recorded(cell.path, stored(cell), step) for cell in cells):
                yield f"{step}@{config.scale}-{name}"
        experiment = config.model_type in model_types
        if experiment and is_recorded(paths.EXPERIMENT, StoredCell(config), step):
            yield f"experiment-{step}"


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout
