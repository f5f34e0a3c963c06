"""The site of the documentation: it is whole, its links lead somewhere, and one host is enough."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from docs.hooks.flowchart import FENCE, draw, parse

ROOT = Path(__file__).parents[1]
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}
CHARTS = [
    (page.name, chart)
    for page in sorted((ROOT / "docs").glob("*.md"))
    for chart in re.findall(r"^```mermaid\n.*?^```$", page.read_text(), re.DOTALL | re.MULTILINE)
]


class Targets(HTMLParser):
    """What a page loads when it is opened, and what it links to."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.linked = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.linked.append(found["href"])
        elif tag == "link" and found.get("rel") != "canonical":
            self.loaded.append(found["href"])
        elif tag in LOADS and found.get(LOADS[tag]):
            self.loaded.append(found[LOADS[tag]])


@pytest.fixture(scope="module")
def site():
    """The site as `make docs` builds it, strictly: a link of a page that leads nowhere ends it."""
    done = subprocess.run(["make", "docs"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / yaml.safe_load((ROOT / "mkdocs.yml").read_text())["site_dir"]


@pytest.mark.slow
def test_nothing_is_loaded_from_another_host(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text()
        foreign = [url for url in Targets(text).loaded if urlsplit(url).netloc]
        assert not foreign, page
        assert 'class="mermaid"' not in text, f"{page}: the theme would fetch a library for it"
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", style.read_text()), style


@pytest.mark.slow
def test_every_link_of_the_site_leads_to_a_file(site):
    for page in site.rglob("*.html"):
        if page.name == "404.html":  # shown at any depth, so its links begin at the root
            continue
        found = Targets(page.read_text())
        for url in found.loaded + found.linked:
            parts = urlsplit(url)
            if not parts.scheme and parts.path:
                assert (page.parent / unquote(parts.path)).exists(), f"{page}: {url}"


@pytest.mark.parametrize(("page", "text"), CHARTS)
def test_a_flowchart_is_drawn_with_all_of_its_nodes(page, text):
    found = FENCE.fullmatch(text)
    assert found, f"{page}: a form that the site does not draw"
    chart = parse(found[1])
    drawn = draw(chart)
    assert drawn.count("<rect") == len(chart.texts)
    assert drawn.count("<path") == 2 * len(chart.edges)


def test_a_flowchart_goes_from_left_to_right():
    chart = parse('a["one"] --> b["two & three"] -.-> c\na --> c\n')
    assert chart.texts == {"a": "one", "b": "two & three", "c": "c"}
    assert chart.edges == {("a", "b"): False, ("b", "c"): True, ("a", "c"): False}
    assert "two &amp; three" in draw(chart)
    with pytest.raises(ValueError, match="in a circle: a, b"):
        draw(parse("a --> b --> a\n"))
