"""One stage of the paper's grid, by its name, as train@quick-VICReg."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.commands.grid import grid
from slow_features.errors import exit_with_message

if __name__ == "__main__":
    exit_with_message(grid)
