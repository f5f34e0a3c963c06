"""Train and evaluate a cell of the paper's grid, or the experiment, into the store of cells."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.commands.grid import cell
from slow_features.errors import exit_with_message

if __name__ == "__main__":
    exit_with_message(cell)
