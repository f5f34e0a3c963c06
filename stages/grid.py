"""One stage of the paper's grid, by its name, as train@quick-VICReg."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Do the stage that the argument names."""
    from slow_features.config import cli

    parser = cli.Parser(description=__doc__)
    parser.add_argument("stage", help="as DVC calls it: STEP@SCALE or STEP@SCALE-MODEL")
    arguments = parser.parse_args()

    from slow_features.grid_stages import run_stage

    run_stage(arguments.stage)


if __name__ == "__main__":
    exit_with_message(main)
