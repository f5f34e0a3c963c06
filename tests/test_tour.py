"""docs/tour.ipynb: in git without outputs, and its cells run one by one on a fresh clone."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs/tour.ipynb"
# Runs the cells in one namespace, from the notebook's own folder, as a kernel does.
RUN = """
import json, sys
namespace = {"__name__": "__main__"}
for number, cell in enumerate(json.load(open(sys.argv[1]))["cells"]):
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), namespace)
"""


def test_the_notebook_is_cleared_and_its_cells_compile():
    code = [c for c in json.loads(NOTEBOOK.read_text())["cells"] if c["cell_type"] == "code"]
    assert len(code) > 5
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        compile("".join(cell["source"]), NOTEBOOK.name, "exec")


@pytest.mark.slow
@pytest.mark.timeout(900)  # half a minute on a quiet core
def test_the_notebook_runs_on_a_fresh_clone_and_leaves_nothing(tmp_path):
    """It has the results in git, no store and no data sets; what git ignores may come of it."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    shutil.copy(NOTEBOOK, clone / "docs")
    before = changes(clone)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}
    environment |= {"PYTHONPATH": str(ROOT / "src"), "MPLBACKEND": "Agg"}
    environment |= {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, NOTEBOOK.name],
        cwd=clone / "docs",
        env=environment,
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert changes(clone) == before
    assert not (clone / "mlflow.db").exists()
    published, again, remedy = re.findall(r"([\d.]+) px on rollouts", done.stdout)
    assert published == again
    assert float(published) > 8
    assert float(remedy) < 6


def changes(clone):
    return subprocess.check_output(["git", "status", "--porcelain"], cwd=clone, text=True)
