"""Run everything that is out of date, as many cells at once as there are cores; DVC records it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Reproduce the experiment and the scale that params.yaml names, or some cells alone."""
    from slow_features.config import cli

    parser = cli.Parser(description=__doc__)
    parser.add_argument(
        "cells",
        nargs="*",
        help="a part of the grid, as standard/*/three_dots (default: the scale of params.yaml)",
    )
    parser.add_argument(
        "--jobs", type=cli.positive, help="cells at once (default: one for each core)"
    )
    arguments = parser.parse_args()

    from slow_features.config.load import load_config
    from slow_features.grid.reproduce import reproduce

    config = load_config(["params.yaml"]).config
    sys.exit(reproduce(config, arguments.cells, arguments.jobs))


if __name__ == "__main__":
    exit_with_message(main)
