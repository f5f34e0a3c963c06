"""Run everything that is out of date, many cells at once, here or on a cluster; DVC records it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Reproduce the experiment and the scale that params.yaml names, or some cells alone."""
    from slow_features.config import cli
    from slow_features.grid.machines import add_options, machines_of

    parser = cli.Parser(description=__doc__)
    parser.add_argument(
        "cells",
        nargs="*",
        help="a part of the grid, as standard/*/three_dots (default: the scale of params.yaml)",
    )
    add_options(parser)
    machines = machines_of(parser, arguments := parser.parse_args())

    from slow_features.config.load import load_config
    from slow_features.grid.reproduce import reproduce

    config = load_config(["params.yaml"]).config
    sys.exit(reproduce(config, arguments.cells, machines))


if __name__ == "__main__":
    exit_with_message(main)
