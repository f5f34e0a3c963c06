"""Run everything that is out of date, many cells at once, here or on a cluster; DVC records it."""

import argparse
import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def flags(text: str) -> list[str]:
    """Split a line of flags as a shell does, for argparse."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None


def main() -> None:
    """Reproduce the experiment and the scale that params.yaml names, or some cells alone."""
    from slow_features.config import cli
    from slow_features.grid.machines import SLICE_SECONDS, Machines

    parser = cli.Parser(description=__doc__)
    parser.add_argument(
        "cells",
        nargs="*",
        help="a part of the grid, as standard/*/three_dots (default: the scale of params.yaml)",
    )
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
        type=flags,
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
    arguments = parser.parse_args()
    if arguments.cluster != "slurm" and (arguments.workers or arguments.sbatch):
        parser.error("--workers and --sbatch are for --cluster slurm")
    if not re.fullmatch(r"[^:]*(:\d{1,5})?", arguments.address):
        parser.error(f"--address {arguments.address}: no HOST or HOST:PORT")

    from slow_features.config.load import load_config
    from slow_features.grid.reproduce import reproduce

    machines = Machines(
        jobs=arguments.jobs,
        listen=arguments.address if arguments.cluster else None,
        array=arguments.workers or 1 if arguments.cluster == "slurm" else None,
        sbatch=tuple(arguments.sbatch),
        slice_seconds=arguments.slice,
        dashboard=arguments.dashboard,
    )
    machines.check()
    config = load_config(["params.yaml"]).config
    sys.exit(reproduce(config, arguments.cells, machines))


if __name__ == "__main__":
    exit_with_message(main)
