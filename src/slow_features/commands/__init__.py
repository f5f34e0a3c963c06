"""What can be typed: each of `stages/`, and the same as `slow-features NAME` where it is installed.

A command imports what it needs when it runs: `--help` of all of them waits for no package.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from slow_features.commands import experiment, grid, upkeep
from slow_features.errors import InputError, exit_with_message

COMMANDS: dict[str, Callable[[], None]] = {
    command.__name__: command
    for command in (
        *(experiment.train, experiment.probe, experiment.generate, experiment.report),
        *(grid.plan, grid.reproduce, grid.verify, grid.cell, grid.grid, grid.worker),
        *(upkeep.search, upkeep.track, upkeep.summary, upkeep.takeover, upkeep.code),
    )
}
# Settings are all that these need; every other command works on the files of the repository.
ANYWHERE = ("train", "probe", "generate", "report")
REPOSITORY = ("dvc.yaml", "grids.yaml", "reproduce_configs")
_HELP = ("--help", "-h")


def main() -> None:
    """Run the command that the first word names: what `pip install` makes `slow-features` of."""
    exit_with_message(_run_named)


def _run_named() -> None:
    """Hand the other words on to a command. Raises InputError for a name that is none."""
    name, *words = sys.argv[1:] or _HELP
    if name in _HELP:
        print(_usage())
        return
    if name not in COMMANDS:
        raise InputError(f"slow-features {name}: no such command; allowed: {', '.join(COMMANDS)}")
    if name not in ANYWHERE and not {*_HELP} & {*words}:
        _require_repository(name)
    sys.argv = [f"slow-features {name}", *words]
    COMMANDS[name]()


def _require_repository(name: str) -> None:
    """Raise InputError where the current folder is not the root of the repository."""
    lacking = [file for file in REPOSITORY if not Path(file).exists()]
    if lacking:
        raise InputError(
            f"slow-features {name}: needs the repository, and this folder has no "
            f"{', no '.join(lacking)}; allowed: in the root of a clone of it"
        )


def _usage() -> str:
    """Return the list of all commands, each with what its own `--help` begins with."""
    lines = [f"  {name:<10} {command.__doc__}" for name, command in COMMANDS.items()]
    where = f"In the root of the repository; anywhere, with --configs: {', '.join(ANYWHERE)}."
    usage = "usage: slow-features COMMAND ...\n\nCommands, each with its own --help:"
    return "\n".join([usage, *lines, "", where])
