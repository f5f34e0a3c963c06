"""Which files a piece of code uses, and the hash that tells what they do."""

import subprocess
import sys
from pathlib import Path

import pytest

from slow_features.closure import code_fingerprint, import_closure

ROOT = Path(__file__).parents[1]
FILES = {
    "made/__init__.py": "",
    "made/main.py": """
        import json
        import made.plain
        from made import name_of_the_package
        from made.names import function
        from made.sub import module
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from made.types_alone import Type
        else:
            import made.otherwise
        def work():
            from made import late
            import outside.part
        TARGET = "made.registered:Class"
        """,
    "made/plain.py": "import numpy, made.circle",
    "made/circle.py": "import made.plain",
    "made/names.py": "def function(): pass",
    "made/late.py": "from .sub.deep import below\nfrom . import sibling",
    "made/sibling.py": "",
    "made/otherwise.py": "",
    "made/sub/__init__.py": "from .by_init import thing",
    "made/sub/by_init.py": "thing = 1",
    "made/sub/module.py": "from ..from_above import *\nfrom . import by_init",
    "made/sub/deep/__init__.py": "",
    "made/sub/deep/below.py": "",
    "made/from_above.py": "",
    "made/types_alone.py": "",
    "made/registered.py": "",
    "outside/__init__.py": "",
    "outside/part.py": "import made.registered",
    "script.py": "from helper import x\nimport made.names",
    "helper.py": "import made.sibling",
}


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        lines = text.strip("\n").splitlines()
        indent = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
        (folder / name).write_text("\n".join(line[indent:] for line in lines))


@pytest.fixture
def package(tmp_path):
    write(tmp_path, FILES)
    return tmp_path / "made"


def names(files, folder):
    return {str(file.relative_to(folder.resolve())) for file in files}


USED = {
    f"made/{name}.py"
    for name in (
        "__init__", "main", "plain", "circle", "names", "late", "sibling", "otherwise",
        "from_above", "sub/__init__", "sub/by_init", "sub/module", "sub/deep/__init__",
        "sub/deep/below",
    )
}  # fmt: skip


@pytest.mark.parametrize("as_path", [True, False])
def test_what_a_module_imports_is_followed_to_the_end(package, as_path):
    """Not followed: other packages, imports for type checkers alone, names in strings."""
    entry = package / "main.py" if as_path else "made.main"
    assert names(import_closure(entry, package=package), package.parent) == USED


def test_a_package_alone_runs_its_own_file_and_no_more(package):
    used = names(import_closure("made.sub", package=package), package.parent)
    assert used == {"made/__init__.py", "made/sub/__init__.py", "made/sub/by_init.py"}


def test_a_script_uses_what_lies_beside_it(package):
    used = names(import_closure(package.parent / "script.py", package=package), package.parent)
    expected = {"script.py", "helper.py", "made/__init__.py", "made/sibling.py", "made/names.py"}
    assert used == expected


def test_a_module_of_another_package_uses_both(package, monkeypatch):
    monkeypatch.syspath_prepend(package.parent)
    used = names(import_closure("outside.part", package=package), package.parent)
    assert used == {f"{place}__init__.py" for place in ("made/", "outside/")} | {
        "outside/part.py",
        "made/registered.py",
    }


@pytest.mark.parametrize("name", ["made.nothing", "made.names.function", "no_such_package.x"])
def test_a_name_without_a_module_is_refused(package, name):
    with pytest.raises(ModuleNotFoundError, match=name):
        import_closure(name, package=package)


@pytest.mark.parametrize("stage", ["train", "grid"])
def test_what_python_itself_loads_of_this_project_is_found(stage):
    """The slow reference: import every file that was found, and see what Python has loaded."""
    script = ROOT / f"stages/{stage}.py"
    found = import_closure(script)
    modules = [
        ".".join(file.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for file in found
        if file != script
    ]
    program = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
ours = [module for name, module in sys.modules.items() if name.split(".")[0] == "slow_features"]
print("\\n".join(module.__file__ for module in ours))
"""
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
    )
    assert {Path(line) for line in answer.stdout.split()} == found - {script}
    assert len(found) > 5


CODE = '''
import typing
from typing import Any

def mean(values: list[float], *, start=0.0) -> float:
    """Return the mean."""
    total = start
    for value in values:  # one by one
        total += value
    return total / len(values)

class Empty(Exception):
    """Nothing."""
'''
SAME = '''
"""A module."""
# A comment.
import typing
from typing import TYPE_CHECKING, Any
if TYPE_CHECKING:
    from json import decoder
if typing.TYPE_CHECKING:
    import math
def mean(
    values: list[float], *,
    start=(0.0),
) -> float:
    total = start; """An attribute's docstring."""

    for value in (values):
        total += value
    return (total / len(values))
class Empty(Exception): pass
'''


def fingerprint(tmp_path, text, name="module.py", package="made"):
    write(tmp_path, {f"{package}/{name}": text})
    return code_fingerprint([tmp_path / package / name], tmp_path / package)


def test_what_does_nothing_does_not_change_the_fingerprint(tmp_path):
    assert fingerprint(tmp_path, CODE) == fingerprint(tmp_path, SAME)


@pytest.mark.parametrize(
    "change",
    [
        ("0.0", "0"), ("+=", "-="), ("start=0.0", "start=0.5"), ("*, start", "start"),
        ("Exception", "ValueError"), ("import typing", "import types"), ("for value", "for total"),
        ("list[float]", "list[int]"), ("\nclass Empty", "\n@str\nclass Empty"),
        ("    total = start", "    'x' + 'y'\n    total = start"),
    ],
)  # fmt: skip
def test_what_does_something_changes_it(tmp_path, change):
    assert change[0] in CODE
    assert fingerprint(tmp_path, CODE) != fingerprint(tmp_path, CODE.replace(*change))


def test_the_branch_that_runs_counts(tmp_path):
    text = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {}\nelse:\n    import {}"
    )
    first = fingerprint(tmp_path, text.format("a", "b"))
    assert first == fingerprint(tmp_path, text.format("c", "b"))
    assert first != fingerprint(tmp_path, text.format("a", "c"))


def test_a_module_counts_by_its_place_in_the_package(tmp_path):
    here = fingerprint(tmp_path, CODE)
    assert here == fingerprint(tmp_path / "elsewhere", CODE)
    assert here != fingerprint(tmp_path, CODE, name="sub/module.py")


def test_the_order_of_files_does_not_count_and_each_counts_once(package):
    files = sorted(import_closure("made.main", package=package))
    whole = code_fingerprint(files, package)
    assert whole == code_fingerprint([*files[::-1], files[0]], package)
    assert whole != code_fingerprint(files[1:], package)


EVERYTHING = """
from __future__ import annotations
import a.b as c
from .. import d as e

@decorated(1, *x, key=2, **y)
async def f(a, /, b: int = 1, *args: str, c, d=None, **kwargs) -> None:
    async with g() as h, i: await j
    async for k in l: yield k
    else: del k, l[1:2, ::3]
    global m; m: int = 5; n: str
    return lambda o, *, p=..., **q: (yield)

class R(S, metaclass=T):
    u"text"
    x = [1, 1.5, 2j, b"b", u"u", "a" "b", True, None, -1, {}, (), {1}, {**z, 1: 2}, [*y]]
    y = f"a{b!r:>{c}}{d=} {'e'}" f"{f['g']}"

def v():
    try:
        assert w, "x"; raise X from y
    except (A, B) as z: ...
    except C: pass
    else: nonlocal_ = 1
    finally: return
    try: pass
    except* D: pass
    while 1 < a <= 2 != 3 is not 4 not in b or c and not d: break
    if (e := 1): continue_ = 1 if f else 2
    elif g: h @= i ** j // k % ~l << 2 & 3 | 4 ^ 5
    match m:
        case {"a": 1, **n}: pass
        case [1, *_, None] | P(q, r=2) as s if t: pass
    return [a async for b, *c in d if e if f for g in h], {i: j for i in k}, {l for l in m}, (
        n for n in o)
"""


def test_every_version_of_python_computes_the_same(tmp_path):
    """The number was computed by CPython 3.11.7, 3.12.1 and 3.13.0, whose ast.dump differ."""
    assert (
        fingerprint(tmp_path, EVERYTHING)
        == "3eb2b16957cc8fed62e32728a48204d5fbec1be1b76fd75de38153e4463e8da3"
    )
