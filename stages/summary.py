"""Write reports/index.html: the paper on one page, each number of the strongest scale in git."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Read all results in git, write the page."""
    from slow_features.config import cli

    cli.Parser(description=__doc__).parse_args()

    from slow_features.report.summary import PAGE, write_summary

    write_summary()
    print("report:", PAGE)


if __name__ == "__main__":
    exit_with_message(main)
