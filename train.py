"""stages/train.py under the name that it has in the paper's code."""

import runpy
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).parent / "stages" / "train.py"), run_name="__main__")
