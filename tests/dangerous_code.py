"""What in a Python source may run what it reads: unpicklers, shells, eval."""

from __future__ import annotations

import ast

MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
CALLS = {
    "eval", "exec", "os.system", "os.popen", "torch.load", "torch.save", "torch.jit.load",
    "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "yaml.unsafe_load_all",
    "yaml.full_load_all", "pandas.read_pickle", "subprocess.getoutput",
    "subprocess.getstatusoutput",
}  # fmt: skip
SAFE_LOADERS = {"yaml.SafeLoader", "yaml.CSafeLoader"}


def dangers(source: str) -> list[str]:
    """Return what in a source may run what it reads, as 'line: what'."""
    tree = ast.parse(source)
    names = imported_names(tree)
    loaders = SAFE_LOADERS | {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and {dotted(base, names) for base in node.bases} & SAFE_LOADERS
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or "", *(f"{node.module}.{a.name}" for a in node.names)]
        elif isinstance(node, ast.Call):
            modules = [a.value for a in node.args if isinstance(a, ast.Constant)]
            if dotted(node.func, names).rpartition(".")[2] not in ("import_module", "__import__"):
                modules = []
            found += [f"{node.lineno}: {what}" for what in bad_call(node, names, loaders)]
        else:
            continue
        for module in modules:
            if str(module).partition(".")[0] in MODULES or module in CALLS:
                found.append(f"{node.lineno}: import of {module}")
    return found


def imported_names(tree: ast.AST) -> dict[str, str]:
    """Return the full name of each name that is imported, as {'np': 'numpy'}."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Return the full dotted name of an expression; empty where it has none."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value, names)
        return f"{before}.{node.attr}" if before else ""
    return names.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def bad_call(call: ast.Call, names: dict[str, str], loaders: set[str]) -> list[str]:
    """Return what is wrong with a call."""
    name = dotted(call.func, names)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    wrong = [name] if name.removeprefix("builtins.") in CALLS else []
    wrong += [
        f"{option}={ast.unparse(given[option])}"
        for option in ("shell", "allow_pickle")
        if option in given and not is_false(given[option])
    ]
    if name == "yaml.load":
        loader = given.get("Loader", call.args[1] if len(call.args) > 1 else None)
        if loader is None or dotted(loader, names) not in loaders:
            wrong.append("yaml.load without a safe loader")
    return wrong


def is_false(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
