"""Where cells run: in this process's own cluster, or on workers that join it from elsewhere."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import socket
from dataclasses import dataclass
from importlib.util import find_spec

from slow_features.config import cli
from slow_features.errors import InputError, MachineError
from slow_features.provenance import cores

SLICE_SECONDS = 1800  # what a lost machine without the driver's store costs at most


@dataclass(frozen=True)
class Machines:
    """Where cells run, and how many at once.

    jobs: cells at once, of each worker; None for as many as this process has cores, or one where
    workers are elsewhere. listen: HOST or HOST:PORT that workers find this machine at, "" for its
    own address; None where it runs the cells itself. array: how many workers Slurm is asked for,
    with sbatch's flags. slice_seconds: of a worker without this store, see `grid.work`.
    dashboard: whether Dask's is shown, on this machine alone.
    """

    jobs: int | None = None
    listen: str | None = None
    array: int | None = None
    sbatch: tuple[str, ...] = ()
    slice_seconds: float = SLICE_SECONDS
    dashboard: bool = False

    @property
    def elsewhere(self) -> bool:
        """Whether cells run on other machines' workers."""
        return self.listen is not None

    @property
    def at_once(self) -> int:
        """Cells at once, of each worker."""
        return self.jobs or (1 if self.elsewhere else cores())

    def check(self) -> None:
        """Refuse what this machine cannot do, before any work. Raises InputError, MachineError."""
        if self.array and not shutil.which("sbatch"):
            raise MachineError("sbatch: not on this machine; allowed: --cluster slurm where it is")
        if self.dashboard and not find_spec("bokeh"):
            raise MachineError("Dask's dashboard needs bokeh: pip install bokeh")
        if self.listen:
            try:
                with socket.socket() as probe:
                    probe.bind(self.place)
            except (OSError, OverflowError) as error:
                reason = getattr(error, "strerror", None) or error
                raise InputError(
                    f"--address {self.listen}: {reason}; allowed: an address of this machine, "
                    "and a port that is free"
                ) from None

    @property
    def place(self) -> tuple[str, int]:
        """Host and port to listen on; port 0 is any."""
        host, _, port = (self.listen or "").partition(":")
        return host, int(port or 0)


def add_options(parser: cli.Parser) -> None:
    """Give a stage's command line the options that say where cells run."""
    parser.add_argument(
        "--jobs",
        type=cli.positive,
        help="cells at once (default: one for each core; of each worker of Slurm: 1)",
    )
    parser.add_argument(
        "--cluster",
        choices=("slurm", "listen"),
        help="run the cells elsewhere: on workers that Slurm starts, or that join by themselves",
    )
    parser.add_argument("--workers", type=cli.positive, help="how many Slurm starts (default: 1)")
    parser.add_argument(
        "--sbatch",
        type=_flags,
        default=[],
        metavar="FLAGS",
        help="flags of sbatch, after those in slurm.flags; as --sbatch='--partition=gpu'",
    )
    parser.add_argument(
        "--address",
        default="",
        metavar="HOST[:PORT]",
        help="where workers find this machine (default: its own address, any port)",
    )
    parser.add_argument(
        "--slice",
        type=cli.positive,
        default=SLICE_SECONDS,
        metavar="SECONDS",
        help="how often a worker without this store sends its state (default: %(default)s)",
    )
    parser.add_argument(
        "--dashboard", action="store_true", help="show Dask's, on this machine alone (needs bokeh)"
    )


def machines_of(parser: cli.Parser, arguments: argparse.Namespace) -> Machines:
    """Return the machines that `add_options` has read. Raises InputError, MachineError."""
    if arguments.cluster != "slurm" and (arguments.workers or arguments.sbatch):
        parser.error("--workers and --sbatch are for --cluster slurm")
    if not re.fullmatch(r"[^:]*(:\d{1,5})?", arguments.address):
        parser.error(f"--address {arguments.address}: no HOST or HOST:PORT")
    machines = Machines(
        jobs=arguments.jobs,
        listen=arguments.address if arguments.cluster else None,
        array=arguments.workers or 1 if arguments.cluster == "slurm" else None,
        sbatch=tuple(arguments.sbatch),
        slice_seconds=arguments.slice,
        dashboard=arguments.dashboard,
    )
    machines.check()
    return machines


def _flags(text: str) -> list[str]:
    """Split a line of flags as a shell does, for argparse."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None
