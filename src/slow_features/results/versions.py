"""Versions of the code: unpacked from git, and asked in processes of their own."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slow_features.errors import InputError, SlowFeaturesError
from slow_features.results import trials

_COMMITS = 50  # so many changes of the code are looked at


class TakeoverError(SlowFeaturesError):
    """The code computes something else than the recorded results, or cannot be compared."""


@dataclass(frozen=True)
class Version:
    """A version of the code: what to call it, its `src`, and a project of its own for trials."""

    name: str
    source: Path
    root: Path


def versions(folder: Path) -> Iterator[Version]:
    """Yield the last commits that changed the code, newest first, each unpacked into `folder`.

    The repository is only read. Raises InputError without git.
    """
    try:
        commits = _git("log", f"-{_COMMITS}", "--format=%H", "--", "src").decode().split()
    except (OSError, subprocess.CalledProcessError):
        raise InputError("no git repository here; allowed: a clone with its history") from None
    for commit in commits:
        root = folder / commit
        with zipfile.ZipFile(io.BytesIO(_git("archive", "--format=zip", commit, "src"))) as code:
            code.extractall(root)
        yield Version(f"revision {commit[:10]}", root / "src", root)
        shutil.rmtree(root)


def ask(question: str, about: Any, *versions: Version) -> list[Any]:
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


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout
