"""Make the data set of one experiment, and write what it is, with pictures of its sequences."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.commands.experiment import generate
from slow_features.errors import exit_with_message

if __name__ == "__main__":
    exit_with_message(generate)
