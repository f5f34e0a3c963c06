"""Run everything that is out of date, as many cells at once as there are cores; DVC records it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Reproduce the experiment and the grid of the scale that params.yaml names."""
    from slow_features.config import cli

    parser = cli.Parser(description=__doc__)
    parser.add_argument(
        "--jobs", type=cli.positive, help="cells at once (default: one for each core)"
    )
    arguments = parser.parse_args()

    from slow_features.config.load import load_config
    from slow_features.grid.reproduce import reproduce

    sys.exit(reproduce(load_config(["params.yaml"]).config.scale, arguments.jobs))


if __name__ == "__main__":
    exit_with_message(main)
