"""Probe a trained model: does its state know where the dot is?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Read the settings, probe the weights in output_path."""
    from slow_features.config import cli

    parser = cli.parser(__doc__)
    parser.add_argument(
        "--data", metavar="FOLDER", help="data set (default: made and kept in .cache/)"
    )
    arguments = parser.parse_args()
    config = cli.configuration(arguments)

    from slow_features.experiment import (
        check_before_work,
        open_data,
        probe_experiment,
        weights_file,
    )

    check_before_work(config, weights_file(config))
    probe_experiment(config, open_data(config, arguments.data))


if __name__ == "__main__":
    exit_with_message(main)
