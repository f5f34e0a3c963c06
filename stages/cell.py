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
        "--expect",
        nargs=2,
        metavar=("TRAINING", "EVALUATION"),
        help="the identities of the result; refuse to compute another one",
    )
    parser.add_argument("--log", action="store_true", help="to MLflow, while it trains")
    arguments = parser.parse_args()

    from slow_features import paths
    from slow_features.config.load import load_config
    from slow_features.grid.run import find_cell, require, stored
    from slow_features.results.store import StoredCell

    if arguments.cell == str(paths.EXPERIMENT):
        cell = StoredCell(load_config(["params.yaml"]).config)
    else:
        cell = stored(find_cell(arguments.cell))
    if arguments.expect:
        require(cell, arguments.expect)
    place = (cell.train if arguments.step == "train" else cell.evaluate)(arguments.log)
    print(f"{arguments.cell}: finished, in {place.train.parent}")


if __name__ == "__main__":
    exit_with_message(main)
