"""Say what would run: cells, sequences, minutes on this machine, disk; nothing is run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Print the plan of all scales, or of the cells that the arguments name."""
    from slow_features.config import cli

    parser = cli.Parser(description=__doc__)
    parser.add_argument(
        "cells", nargs="*", help="a part of the grid, as standard/*/three_dots (default: all of it)"
    )
    parser.add_argument(
        "--jobs", type=cli.positive, help="cells at once (default: one for each core)"
    )
    arguments = parser.parse_args()

    from slow_features.grid.plan import plan
    from slow_features.grid.select import select

    print(plan(select(arguments.cells or ["*"]), at_once=arguments.jobs))


if __name__ == "__main__":
    exit_with_message(main)
