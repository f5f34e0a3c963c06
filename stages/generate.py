"""Make the data set of one experiment, and write what it is, with pictures of its sequences."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Read the settings, make the data set in .cache/data, describe it in --folder."""
    from slow_features.config import cli

    parser = cli.parser(__doc__)
    parser.add_argument(
        "--folder", default="data/experiment", help="where to write the description"
    )
    arguments = parser.parse_args()
    config = cli.configuration(arguments)

    from slow_features.experiment import describe_data
    from slow_features.files import check_replaceable, check_writable

    folder = Path(arguments.folder)
    check_writable(folder)
    check_replaceable(folder, "description of a data set", "manifest.json")
    describe_data([config], folder)


if __name__ == "__main__":
    exit_with_message(main)
