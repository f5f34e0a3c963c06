"""Workers from Slurm: a plain job array, with sbatch's own flags, cancelled at the end."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from slow_features import paths
from slow_features.errors import InputError, MachineError
from slow_features.grid.machines import Machines

FLAGS_FILE = Path("slurm.flags")  # of this site, for every run; not in git
_SECONDS_BETWEEN_LOOKS = 15.0
# The worker runs in a step, since the signals of a preemption and of the end of the time reach
# steps alone. It is asked to leave a minute before the end, and comes back while the driver is
# there: a worker that was stopped or killed has an exit code of 128 or more.
_SCRIPT = """#!/bin/sh
#SBATCH --job-name=slow-features
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@60
srun --ntasks=1 {worker}
code=$?
if [ "$code" -ge 128 ] && [ -e {invitation} ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
"""


class Array:
    """A job array of workers. logs: the folder of what they say."""

    def __init__(self, job: str, logs: Path) -> None:
        self.job, self._logs = job, logs
        self._looked = time.monotonic()

    def check(self) -> None:
        """Raise MachineError if Slurm has no job of the array left; looked up now and then."""
        if time.monotonic() - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked = time.monotonic()
        found = _slurm("squeue", "--noheader", f"--jobs={self.job}")
        if "Invalid job id" in found.stderr or not (found.returncode or found.stdout.strip()):
            raise MachineError(f"Slurm has no worker of job {self.job} left; see {self._logs}")


@contextmanager
def submitted(machines: Machines, invitation: Path) -> Iterator[Array]:
    """Submit the workers; cancel them at the end, also those of a driver that was killed.

    Raises InputError for flags that sbatch refuses, MachineError where there is no Slurm.
    """
    note, logs = invitation.with_name("slurm-job"), paths.cells() / "logs" / "workers"
    logs.mkdir(parents=True, exist_ok=True)
    if note.exists():
        _cancel(note)
    job = _submit(machines, invitation, logs)
    note.write_text(job)
    try:
        yield Array(job, logs)
    finally:
        invitation.unlink(missing_ok=True)  # first: no worker comes back
        _cancel(note)


def _submit(machines: Machines, invitation: Path, logs: Path) -> str:
    worker = [sys.executable, "stages/worker.py", str(invitation), "--jobs", str(machines.at_once)]
    script = _SCRIPT.format(worker=shlex.join(worker), invitation=shlex.quote(str(invitation)))
    own = ["--parsable", f"--array=1-{machines.array}", f"--output={logs}/%A_%a.log"]
    done = _slurm("sbatch", *own, *_site_flags(), *machines.sbatch, input=script)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"sbatch refuses the workers: {reason}")
    return done.stdout.strip().partition(";")[0]  # "job;cluster" where there are several


def _site_flags() -> Sequence[str]:
    if not FLAGS_FILE.exists():
        return ()
    try:
        return shlex.split(FLAGS_FILE.read_text(), comments=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{FLAGS_FILE}: {error}; allowed: flags of sbatch") from None


def _cancel(note: Path) -> None:
    _slurm("scancel", note.read_text().strip())
    note.unlink(missing_ok=True)


def _slurm(*command: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, input=input, capture_output=True, text=True)
    except FileNotFoundError:
        raise MachineError(f"{command[0]}: not on this machine; allowed: where Slurm is") from None
