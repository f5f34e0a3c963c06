"""Search hyper-parameters: run a study of searches.yaml; without a name, write the page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.commands.upkeep import search
from slow_features.errors import exit_with_message

if __name__ == "__main__":
    exit_with_message(search)
