"""Take over the results in git after a change of code that computes the same numbers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.commands.upkeep import takeover
from slow_features.errors import exit_with_message

if __name__ == "__main__":
    exit_with_message(takeover)
