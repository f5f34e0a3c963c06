"""Where a result comes from: code, packages, machine and DVC experiment."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from slow_features import paths

PACKAGES = ("dvc", "mlflow", "numpy", "torch")


@dataclass(frozen=True)
class Provenance:
    """What a result has to say about its origin; it holds no time, so equal runs have equal bytes.

    git_revision: 40 digits, with "-dirty" if code under src/ or stages/ is not committed as it is;
        None without git.
    packages: versions by name, Python's too; None for a package that is not installed.
    machine: host (its name), cpu (model name), cores (that this process may use), platform.
    dvc_stage, dvc_experiment, dvc_baseline: what DVC says of itself; None outside DVC.
    """

    git_revision: str | None
    packages: dict[str, str | None]
    machine: dict[str, Any]
    dvc_stage: str | None
    dvc_experiment: str | None
    dvc_baseline: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values, for JSON."""
        return asdict(self)


def provenance() -> Provenance:
    """Collect the provenance of this process. Imports none of the packages that it names."""
    return Provenance(
        git_revision=git_revision(),
        packages=_package_versions(),
        machine={
            "host": platform.node(),
            "cpu": _cpu_model(),
            "cores": cores(),
            "platform": platform.platform(),
        },
        dvc_stage=os.environ.get("DVC_STAGE"),
        dvc_experiment=os.environ.get("DVC_EXP_NAME"),
        dvc_baseline=os.environ.get("DVC_EXP_BASELINE_REV"),
    )


def git_revision() -> str | None:
    """Return the current commit, with "-dirty" for uncommitted code; None without git.

    None, too, where the project was unpacked inside of another repository: that one's revision
    says nothing about this code.

    Only src/ and stages/ count: DVC rewrites params.yaml and dvc.lock while it works, and the
    settings are recorded with every result anyway.
    """
    revision, top = _git("rev-parse", "HEAD"), _git("rev-parse", "--show-toplevel")
    if not revision or not top or not paths.checkout().samefile(top):
        return None
    return revision + ("-dirty" if _git("status", "--porcelain", ":/src", ":/stages") else "")


def _git(*arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", *arguments]  # DVC may be at work on the same index
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.removesuffix("\n")


def _package_versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
