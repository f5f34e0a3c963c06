"""The commands about the paper's grid: what would run, all of it, a cell, a stage, a worker."""

from __future__ import annotations

import sys
from pathlib import Path


def plan() -> None:
    """Say what would run: cells, sequences, minutes on this machine, disk; nothing is run."""
    from slow_features.config import cli

    parser = cli.Parser(description=plan.__doc__)
    parser.add_argument(
        "cells", nargs="*", help="a part of the grid, as standard/*/three_dots (default: all of it)"
    )
    parser.add_argument(
        "--jobs", type=cli.positive, help="cells at once (default: one for each core)"
    )
    arguments = parser.parse_args()

    from slow_features.grid.plan import plan as plan_of
    from slow_features.grid.select import select

    print(plan_of(select(arguments.cells or ["*"]), at_once=arguments.jobs))


def reproduce() -> None:
    """Run what is out of date, many cells at once, here or on a cluster; DVC records it."""
    from slow_features.config import cli
    from slow_features.grid.machines import add_options, machines_of

    parser = cli.Parser(description=reproduce.__doc__)
    parser.add_argument(
        "cells",
        nargs="*",
        help="a part of the grid, as standard/*/three_dots (default: the scale of params.yaml)",
    )
    add_options(parser)
    machines = machines_of(parser, arguments := parser.parse_args())

    from slow_features.config.load import load_config
    from slow_features.grid.reproduce import reproduce as run_all

    config = load_config(["params.yaml"]).config
    sys.exit(run_all(config, arguments.cells, machines))


def verify() -> None:
    """Compare the results in git with those that this machine has computed."""
    from slow_features.config import cli

    parser = cli.Parser(description=verify.__doc__)
    parser.add_argument("scale", nargs="?", help="of grids.yaml (default: that of params.yaml)")
    arguments = parser.parse_args()

    from slow_features.config.load import load_config
    from slow_features.grid.verify import verification_table
    from slow_features.grid.verify import verify as compare

    found = compare(arguments.scale or load_config(["params.yaml"]).config.scale)
    print(verification_table(found).markdown())
    print(found.in_words(), *found.verdicts, sep="\n")
    sys.exit(0 if found.good else 1)


def cell() -> None:
    """Train and evaluate a cell of the paper's grid, or the experiment, into the store of cells."""
    from slow_features.config import cli

    parser = cli.Parser(description=cell.__doc__)
    parser.add_argument(
        "cell", help="as quick/VICReg/fixed_uniform/alpha1.25-control-seed1, or experiment"
    )
    parser.add_argument(
        "--step", choices=("train", "probe"), default="probe", help="the last step to do"
    )
    parser.add_argument(
        "--ordered",
        action="store_true",
        help="read from stdin what the cell must be, as the grid's engine says it",
    )
    parser.add_argument("--log", action="store_true", help="to MLflow, while it trains")
    arguments = parser.parse_args()

    from slow_features.grid.run import find_stored, read_order

    wanted = read_order(sys.stdin.read()) if arguments.ordered else find_stored(arguments.cell)
    place = wanted.make(arguments.step, arguments.log)
    print(f"{arguments.cell}: finished, in {place.train.parent}")


def grid() -> None:
    """One stage of the paper's grid, by its name, as train@quick-VICReg."""
    from slow_features.config import cli

    parser = cli.Parser(description=grid.__doc__)
    parser.add_argument("stage", help="as DVC calls it: STEP@SCALE or STEP@SCALE-MODEL")
    arguments = parser.parse_args()

    from slow_features.grid_stages import run_stage

    run_stage(arguments.stage)


def worker() -> None:
    """Work for a driver on another machine: run cells of the grid until it ends."""
    from slow_features.config import cli

    parser = cli.Parser(description=worker.__doc__)
    parser.add_argument("invitation", help="the driver's file .cells/cluster/worker.json")
    parser.add_argument(
        "--jobs", type=cli.positive, help="cells at once (default: one for each core)"
    )
    arguments = parser.parse_args()

    from slow_features.grid.invitation import read_invitation
    from slow_features.provenance import cores

    invitation = read_invitation(Path(arguments.invitation))
    invitation.check()

    from slow_features.grid.cluster import serve

    serve(invitation, arguments.jobs or cores())
