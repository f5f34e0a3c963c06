"""Can everybody read the pages: axe-core's rules in headless Chromium, wide, narrow and dark.

By hand: npm install --prefix FOLDER axe-core; AXE_CORE=FOLDER/node_modules/axe-core pytest -m slow
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from slow_features.report.grid import write_page_about
from slow_features.report.results import Results
from tests.fake_cells import finished, with_remedies
from tests.fake_results import fake_dynamics

DARK = "@media (prefers-color-scheme: dark)"
RUN = """<script>
axe.run({resultTypes: ["violations"]}).then(found => {
  const said = found.violations.map(v => [v.id, v.impact, v.nodes.length, v.nodes[0].html]);
  document.body.textContent = "AXE" + JSON.stringify([found.passes.length, said]) + "EXA";
});
</script>"""


@pytest.fixture(scope="module")
def axe():
    """The source of axe-core."""
    if not shutil.which("chromium"):
        pytest.skip("needs chromium (apt-get install chromium)")
    folder = os.environ.get("AXE_CORE")
    if not folder and shutil.which("npm"):
        asked = ["npm", "root", "--global"]
        root = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        folder = f"{root}/axe-core"
    source = Path(folder or "") / "axe.min.js"
    if not source.is_file():
        pytest.skip("needs axe-core (npm install axe-core; AXE_CORE names its folder)")
    return source.read_text()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page of a scale from made-up results, and the one about its runs."""
    folder = tmp_path_factory.mktemp("report") / "quick"
    results = [
        finished(cell, dynamics=fake_dynamics(5.0))
        for cell in with_remedies("quick", ())
        if cell.model_type != "Random"
    ]
    write_page_about(Results("quick", results), folder)
    return folder


def violations(page: str, axe: str, folder: Path, width: int) -> list:
    """Return what axe-core finds in a page: rule, impact, number of elements, the first of them.

    What is folded is opened, and all cards are shown.
    """
    page = page.replace("<details", "<details open").replace(".card { display: none;", ".card {")
    file = folder / "page.html"
    file.write_text(page.replace("</body>", f"<script>{axe}</script>{RUN}</body>"))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command += ["--disable-sync", f"--user-data-dir={folder / 'browser'}"]
    command += [f"--window-size={width},900", "--virtual-time-budget=60000", "--dump-dom"]
    done = subprocess.run([*command, file.as_uri()], capture_output=True, text=True, timeout=300)
    said = re.search(r"AXE(.*)EXA", done.stdout, re.DOTALL)
    assert said, done.stderr[-2000:]
    passed, found = json.loads(html.unescape(said.group(1)))
    assert passed > 15, "axe has looked at the page"
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1400, False), (420, False), (1400, True)])
def test_axe_finds_nothing(pages, axe, tmp_path, width, dark):
    for name in ("index.html", "runs.html"):
        page = (pages / name).read_text()
        assert DARK in page
        page = page.replace(DARK, "@media all") if dark else page
        assert violations(page, axe, tmp_path, width) == [], name


@pytest.mark.slow
def test_axe_finds_what_is_wrong(pages, axe, tmp_path):
    """A page without alternative texts, and with soft text that is too light."""
    page = re.sub(r' alt="[^"]*"', "", (pages / "index.html").read_text())
    page = page.replace("--soft: #5a5a5a", "--soft: #cccccc")
    rules = {rule for rule, *_ in violations(page, axe, tmp_path, 1400)}
    assert {"image-alt", "color-contrast"} <= rules
