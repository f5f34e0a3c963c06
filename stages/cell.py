"""Train and evaluate one cell of the paper's grid, or the experiment, into the store of cells."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Run the cell that the argument names."""
    from slow_features.config import cli

    parser = cli.Parser(description=__doc__)
    parser.add_argument(
        "cell", help="as quick/VICReg/fixed_uniform/alpha1.25-control-seed1, or experiment"
    )
    parser.add_argument(
        "--step", choices=("train", "probe"), default="probe", help="the last step to do"
    )
    parser.add_argument(
        "--ordered",
        action="store_true",
        help="read from stdin what the cell must be, as the grid's engine says it",
    )
    parser.add_argument("--log", action="store_true", help="to MLflow, while it trains")
    arguments = parser.parse_args()

    from slow_features.grid.run import find_stored, read_order

    cell = read_order(sys.stdin.read()) if arguments.ordered else find_stored(arguments.cell)
    place = cell.make(arguments.step, arguments.log)
    print(f"{arguments.cell}: finished, in {place.train.parent}")


if __name__ == "__main__":
    exit_with_message(main)
