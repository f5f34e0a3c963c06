"""Compare the results in git with those that this machine has computed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Print every comparison; exit code 1 if one is out of tolerance or there is none."""
    from slow_features.config import cli

    parser = cli.Parser(description=__doc__)
    parser.add_argument("scale", nargs="?", help="of grids.yaml (default: that of params.yaml)")
    arguments = parser.parse_args()

    from slow_features.config.load import load_config
    from slow_features.grid.verify import verification_table, verify

    found = verify(arguments.scale or load_config(["params.yaml"]).config.scale)
    print(verification_table(found).markdown())
    print(found.in_words(), *found.verdicts, sep="\n")
    sys.exit(0 if found.good else 1)


if __name__ == "__main__":
    exit_with_message(main)
