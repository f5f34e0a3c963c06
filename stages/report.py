"""Write the page about one experiment: figures, tables, settings, origin."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Read the settings, write the report of a result into --folder."""
    from slow_features.config import cli

    parser = cli.parser(__doc__)
    parser.add_argument(
        "--outputs", metavar="FOLDER", help="holds train/ and probe/ (default: what git records)"
    )
    parser.add_argument(
        "--folder", metavar="FOLDER", default="reports/experiment", help="where to write the report"
    )
    arguments = parser.parse_args()
    config = cli.configuration(arguments)

    from slow_features import paths
    from slow_features.files import check_replaceable
    from slow_features.report.experiment import write_experiment_report
    from slow_features.results.files import Place

    recorded = Place.recorded(paths.EXPERIMENT)
    place = Place.below(Path(arguments.outputs)) if arguments.outputs else recorded
    check_replaceable(Path(arguments.folder), "report", "index.html")
    write_experiment_report(config, place, Path(arguments.folder))


if __name__ == "__main__":
    exit_with_message(main)
