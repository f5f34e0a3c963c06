"""Which files of code something uses, and a hash of what their code does.

Found in the syntax trees, nothing is imported. Imports below `if TYPE_CHECKING:` never run and do
not count; a module that is named in a string, as in the registry of models, is not followed.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent.resolve()
_SCRIPTS = ""  # the home of every module that lies beside a script


def import_closure(
    *entries: Path | str, package: Path = PACKAGE, without: Collection[str] = ()
) -> set[Path]:
    """Return the files that run when all code of the entries does, the entries' own among them.

    entry: a file, as a stage's script, or the dotted name of a module. Followed are imports of
    `package` (its folder), of the package that the module belongs to, and of what lies beside a
    script; also those inside functions, and the `__init__.py` of every package on the way.
    Scripts among the entries lie in one folder.
    without: files and folders, relative to `package`, that are not entered.
    Raises ModuleNotFoundError for a name without a module, OSError for a file that is not there.
    """
    homes = {package.name: package.resolve().parent}
    waiting = [file for entry in entries for file in _start(entry, homes)]
    closed = [package.resolve() / name for name in without]
    found: set[Path] = set()
    names: set[str] = set()
    while waiting:
        file = waiting.pop()
        if file in found or any(file.is_relative_to(place) for place in closed):
            continue
        found.add(file)
        new = set(_imported_names(file, homes)) - names
        names |= new
        waiting += [there for name in new for there in _files(name, homes)]
    return found


def code_fingerprint(files: Iterable[Path], package: Path = PACKAGE) -> str:
    """Return a hash of what files of Python do, each with its place in `package`.

    It does not change with comments, docstrings, layout, `pass`, what is printed, messages of
    errors, imports for type checkers alone, the order of the files, the place of the package, or
    the version of Python that computes it.
    A file outside of the package counts with its name alone. Raises SyntaxError, OSError.
    """
    package = package.resolve()
    lines = [
        f"{file.relative_to(package) if file.is_relative_to(package) else file.name}: "
        f"{_read(file.read_bytes()).digest}"
        for file in {file.resolve() for file in files}
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _start(entry: Path | str, homes: dict[str, Path]) -> list[Path]:
    """Return the entry's files, and add to `homes` where it finds the modules that are its own."""
    if isinstance(entry, Path):
        file = entry.resolve()
        name = _module_name(file, homes)
        if name:
            return _files(name, homes)
        homes[_SCRIPTS] = file.parent
        return [file]
    top = entry.partition(".")[0]
    if top not in homes and (spec := find_spec(top)):
        folders = spec.submodule_search_locations
        homes[top] = Path(folders[0] if folders else spec.origin).resolve().parent
    files = _files(entry, homes)
    if not files or _module_name(files[-1], homes) != entry:
        raise ModuleNotFoundError(f"no module named {entry!r}", name=entry)
    return files


def _files(name: str, homes: dict[str, Path]) -> list[Path]:
    """Return the files that `import name` runs; the last part may be no module but a name in it."""
    parts = name.split(".")
    home = homes.get(parts[0], homes.get(_SCRIPTS))
    if home is None:
        return []
    places = [home.joinpath(*parts[: i + 1]) for i in range(len(parts))]
    either = [(place / "__init__.py", place.with_suffix(".py")) for place in places]
    return [file for pair in either for file in pair if file.is_file()]


def _module_name(file: Path, homes: dict[str, Path]) -> str:
    """Return the dotted name of a file; empty for one outside of the packages."""
    for top, home in homes.items():
        if top and (file.is_relative_to(home / top) or file == home / f"{top}.py"):
            parts = file.relative_to(home).with_suffix("").parts
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return ""


def _imported_names(file: Path, homes: dict[str, Path]) -> Iterator[str]:
    """Yield what a file imports by its full name: `from a import b` is "a.b"."""
    own = _module_name(file, homes).split(".")
    if file.name == "__init__.py":
        own.append("")  # so that one dot is the package itself
    for level, name in _read(file.read_bytes()).imports:
        yield ".".join([*own[:-level], name] if level else [name])


class _Code(NamedTuple):
    """What is asked of a file: each import as its leading dots and the rest of its name, a hash."""

    imports: tuple[tuple[int, str], ...]
    digest: str


@cache
def _read(source: bytes) -> _Code:
    """Parse a file once for both: parsing is most of the time that a fingerprint takes."""
    tree = _WhatRuns().visit(ast.parse(source))
    return _Code(tuple(_imports(tree)), hashlib.sha256(_written(tree).encode()).hexdigest())


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = f"{node.module}." if node.module else ""
            yield from ((node.level, start + alias.name) for alias in node.names)


def _written(node: object) -> str:
    """Write a syntax tree without positions and without fields that are empty.

    `ast.dump` and `ast.unparse` write the same tree differently from one Python to the next.
    """
    if isinstance(node, list):
        return f"[{','.join(map(_written, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = sorted((name, value) for name, value in ast.iter_fields(node) if name != "kind")
    kept = [f"{name}={_written(value)}" for name, value in fields if value not in (None, [])]
    return f"{type(node).__name__}({','.join(kept)})"


class _WhatRuns(ast.NodeTransformer):
    """Takes out of a tree what does nothing when it runs, and what only says something."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop docstrings, of attributes too, and what is printed."""
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        said = isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "print"
        return None if text or said else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Keep the kind of an error and drop its message."""
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        """Drop it: without a docstring, an empty class needs one."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.AST]:
        """Keep the other branch of `if TYPE_CHECKING:`, which is the one that runs."""
        self.generic_visit(node)
        return node.orelse if _is_for_types(node.test) else node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        """Drop the import of TYPE_CHECKING itself."""
        if node.module == "typing":
            node.names = [alias for alias in node.names if alias.name != "TYPE_CHECKING"]
        return node if node.names else None

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Drop the empty text that Python 3.12 alone puts into nested formats."""
        self.generic_visit(node)
        node.values = [part for part in node.values if getattr(part, "value", None) != ""]
        return node


def _is_for_types(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))
