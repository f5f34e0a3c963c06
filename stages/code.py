"""Write fingerprints of the code and the parts of grids.yaml: what DVC's other stages depend on."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Write results/code/."""
    from slow_features.config import cli

    cli.Parser(description=__doc__).parse_args()

    from slow_features import paths
    from slow_features.grid.cells import write_definitions
    from slow_features.identity import write_fingerprints

    write_fingerprints()
    write_definitions(paths.CODE / "grid")


if __name__ == "__main__":
    exit_with_message(main)
