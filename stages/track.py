"""Fill MLflow with a run for every result in git; what is there is left alone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Back-fill the experiment, every scale of the grid that has results, and every study."""
    from slow_features.config import cli

    cli.Parser(description=__doc__).parse_args()

    from slow_features.results.track import track_everything
    from slow_features.search.track import track_searches

    print(f"{track_everything() + track_searches()} runs written to MLflow")


if __name__ == "__main__":
    exit_with_message(main)
