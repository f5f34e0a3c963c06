"""Take over the results in git after a change of code that computes the same numbers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Compare old and new code in short trainings; where all is equal, results change hands."""
    from slow_features.config import cli

    cli.Parser(description=__doc__).parse_args()

    from slow_features.results.takeover import take_over

    print(take_over())


if __name__ == "__main__":
    exit_with_message(main)
