"""Train one world model on the moving dot, then probe it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Read the settings, train, and probe unless --no-probe."""
    from slow_features.config import cli

    parser = cli.parser(__doc__)
    parser.add_argument(
        "--data", metavar="FOLDER", help="data set (default: made and kept in .cache/)"
    )
    parser.add_argument("--no-probe", action="store_true", help="write the weights and stop")
    arguments = parser.parse_args()
    config = cli.configuration(arguments)

    from slow_features.experiment import (
        check_before_work,
        open_data,
        probe_experiment,
        train_experiment,
    )

    check_before_work(config)
    dataset = open_data(config, arguments.data)
    train_experiment(config, dataset)
    if not arguments.no_probe:
        probe_experiment(config, dataset)


if __name__ == "__main__":
    exit_with_message(main)
