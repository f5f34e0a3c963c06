"""Write the data set of one experiment: trajectories, actions, pixel statistics, pictures."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Read the settings, write the data set into --folder."""
    from slow_features.config import cli

    parser = cli.parser(__doc__)
    parser.add_argument("--folder", default="data/experiment", help="where to write the data set")
    arguments = parser.parse_args()
    config = cli.configuration(arguments)

    from slow_features.experiment import write_experiment_data

    write_experiment_data(config, arguments.folder)


if __name__ == "__main__":
    exit_with_message(main)
