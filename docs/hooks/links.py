"""The site has pages for what the documentation links to outside docs/, and links that lead there.

A hook of mkdocs. README, CONTRIBUTING and CHANGELOG become pages of the site, the notebook becomes
one without outputs, and every other file or folder that a page links to becomes a page that shows
its text or its names. A link to what does not exist is a warning, so that --strict refuses it.
"""

from __future__ import annotations

import json
import logging
import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.hooks.links")

LINK = re.compile(r"\]\(([^)\s]+)\)")
FOREIGN = ("https://", "http://", "mailto:")
# Files at the root of the repository that are pages of the site.
ROOT_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
SHOWN = "files/"  # where in the site the pages are that show a file or a folder of the repository
IMAGES = (".png", ".svg")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".json": "json", ".toml": "toml", ".sh": "sh"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make the anchors of headings as GitHub makes them, since links are written for both."""
    from pymdownx.slugs import slugify

    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages whose source is not a Markdown file in docs/."""
    root = _root(config)
    sources = {
        source: (root / source).read_text(encoding="utf-8")
        for source in [*ROOT_PAGES, *(f"docs/{file.src_uri}" for file in files if _is_page(file))]
    }
    for source in ROOT_PAGES:
        _add(files, config, source, sources[source])
    for notebook in sorted((root / "docs").glob("*.ipynb")):
        source = f"docs/{notebook.name}"
        sources[source] = _notebook_text(notebook)
        _add(files, config, source, sources[source])
    linked = {path for source, text in sources.items() for path in _linked(source, text)}
    for path in sorted(linked):
        if (root / path).exists() and _page_of(path).startswith(SHOWN):
            _add(files, config, path, _shown(root / path, path))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page, which are written for the repository, into those of the site."""
    del files
    uri = page.file.src_uri
    source = _source_of(uri)
    if source is None:
        return markdown

    def in_site(found: re.Match[str]) -> str:
        place, mark, anchor = found[1].partition("#")
        if found[1].startswith(FOREIGN) or not place:
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), place))
        if not (_root(config) / path).exists():
            log.warning("%s links to %s, which does not exist", source, found[1])
            return found[0]
        target = posixpath.relpath(_page_of(path), posixpath.dirname(uri) or ".")
        return f"]({target}{mark}{anchor})"

    return LINK.sub(in_site, markdown)


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent


def _is_page(file: object) -> bool:
    return file.src_uri.endswith(".md") and file.inclusion.is_included()


def _source_of(uri: str) -> str | None:
    """Return the file of the repository that a page is made from; None where it shows a file."""
    if uri.startswith(SHOWN):
        return None
    for source, page in ROOT_PAGES.items():
        if uri == page:
            return source
    return f"docs/{uri}"


def _page_of(path: str) -> str:
    """Return where in the site a path of the repository is."""
    if path in ROOT_PAGES:
        return ROOT_PAGES[path]
    inside = path.removeprefix("docs/")
    if inside != path and path.endswith((".md", *IMAGES)):
        return inside
    if inside != path and path.endswith(".ipynb"):
        return str(Path(inside).with_suffix(".md"))
    return f"{SHOWN}{path}.md"


def _linked(source: str, text: str) -> set[str]:
    """Return the paths of the repository that a text links to."""
    targets = [target for target in LINK.findall(text) if not target.startswith((*FOREIGN, "#"))]
    folder = posixpath.dirname(source)
    return {posixpath.normpath(posixpath.join(folder, t.partition("#")[0])) for t in targets}


def _add(files: Files, config: MkDocsConfig, path: str, text: str) -> None:
    from mkdocs.structure.files import File

    old = files.get_file_from_path(path.removeprefix("docs/"))
    if old is not None and path.endswith(".ipynb"):
        files.remove(old)  # the site has its page, the repository has the file
    files.append(File.generated(config, _page_of(path), content=text))


def _notebook_text(notebook: Path) -> str:
    """Return the cells of a notebook as Markdown."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = ("".join(cell["source"]) for cell in cells)
    return "\n\n".join(
        text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
        for cell, text in zip(cells, texts, strict=True)
    )


def _shown(file: Path, path: str) -> str:
    """Return a page that shows the text of a file, or the names in a folder."""
    head = f"---\ntitle: {path}\nsearch:\n  exclude: true\n---\n\n# `{path}`\n\n"
    if file.is_dir():
        names = sorted(entry.name for entry in os.scandir(file) if entry.name != "__pycache__")
        return head + "".join(f"- `{name}`\n" for name in names)
    text = file.read_text(encoding="utf-8")
    fence = "`" * 8  # longer than any in a text
    return f"{head}{fence}{LANGUAGES.get(file.suffix, 'text')}\n{text}\n{fence}\n"
