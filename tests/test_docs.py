"""The pages say what is there: links, files, commands, settings, stages, fields, counts."""

from __future__ import annotations

import ast
import csv
import json
import re
import shlex
from itertools import pairwise, product
from pathlib import Path
from statistics import fmean

import pytest
import yaml

from slow_features.commands import COMMANDS as COMMANDS_TYPED
from slow_features.config.cli import DEFAULT_FILES, parser
from slow_features.config.load import load_config
from slow_features.data import photographs
from slow_features.grid.cells import cells_of
from slow_features.grid.run import find_cell
from slow_features.probe.result import json_schema

FIRST_PAGES = [Path(f"{name}.md") for name in ("README", "CONTRIBUTING", "CHANGELOG")]
PAGES = [*FIRST_PAGES, *sorted(Path("docs").rglob("*.md"))]
PIPELINE, RESULTS, REPRODUCTION = (
    Path(f"docs/{name}.md").read_text() for name in ("pipeline", "results", "reproduction")
)
DVC = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
GRIDS = yaml.safe_load(Path("grids.yaml").read_text())
SCALES = [name for name, value in GRIDS.items() if isinstance(value, dict)]


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def text_of(page):
    """Return the text of a page; of a notebook that of its cells of text."""
    if page.suffix == ".md":
        return page.read_text()
    cells = json.loads(page.read_text())["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


@pytest.mark.parametrize("page", [*PAGES, Path("docs/tour.ipynb")], ids=str)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        if target.startswith(("https://", "http://127.0.0.1")):
            continue
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page.resolve()
        assert file.exists(), f"{page}: {target}"
        assert not anchor or anchor in anchors(file), f"{page}: no heading for {target}"


def test_the_site_has_every_page():
    """Its navigation names each file of docs/ once, and what the site makes pages of."""
    site = yaml.safe_load(Path("mkdocs.yml").read_text())
    named = list(targets_of(site["nav"]))
    sources = [*Path("docs").rglob("*.md"), *Path("docs").glob("*.ipynb")]
    pages = {str(file.relative_to("docs").with_suffix(".md")) for file in sources}
    assert sorted(named) == sorted(pages | {"index.md", "contributing.md", "changelog.md"})


def targets_of(nav):
    """Yield the files that a navigation of mkdocs names, at any depth."""
    for entry in nav:
        ((_, target),) = entry.items()
        yield from targets_of(target) if isinstance(target, list) else [target]


REFERENCE = {
    (page, module, name)
    for page in Path("docs/api").glob("*.md")
    for module, names in re.findall(
        r"^::: ([\w.]+)\n    options:\n      members: \[(.*)\]$", page.read_text(), re.MULTILINE
    )
    for name in names.split(", ")
}


@pytest.mark.parametrize(("page", "module", "name"), sorted(REFERENCE), ids=str)
def test_the_reference_names_what_has_a_docstring(page, module, name):
    tree = ast.parse(Path(f"src/{module.replace('.', '/')}.py").read_text())
    there = {node.name: node for node in tree.body if hasattr(node, "name")}
    assert name in there, f"{page}: {module} has no {name}"
    assert ast.get_docstring(there[name]), f"{module}.{name}"


def test_the_map_names_every_module_and_folder_of_the_package():
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", Path("docs/map.md").read_text()))
    package = Path("src/slow_features")
    for name in named - {"reports/", "results/"}:
        assert (package / name).exists(), name
    there = {f"{p.name}/" if p.is_dir() else p.name for p in package.iterdir()}
    assert there - named <= {"__init__.py", "__pycache__/", "py.typed"}


def commands(page):
    """Return the commands in a page's sh blocks, as words; a comment ends a command."""
    text = "".join(re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL))
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


COMMANDS = [(page, words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda value: str(value)[:60])
def test_commands_name_what_exists(page, words):
    """Files are there, make targets and DVC stages are defined, settings are accepted."""
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", Path("Makefile").read_text(), re.MULTILINE)
        assert {word for word in words[1:] if "=" not in word} <= set(targets)
    elif words[0] == "python" and words[1] in ("train.py", "stages/train.py"):
        if "Straightened" not in str(words):  # which tests/test_new_model.py runs
            if {"--help", "--help-settings"} & set(words):
                return
            arguments = parser("").parse_args(words[2:])
            load_config(arguments.configs or DEFAULT_FILES, arguments.values)
    elif words[:2] == ["python", "stages/cell.py"]:
        find_cell(words[2])
    elif words[0] == "python":
        file = words[1] if words[1] != "-m" else f"src/{words[2].replace('.', '/')}.py"
        assert Path(file).exists()
    elif words[:2] in (["dvc", "repro"], ["dvc", "exp"]):
        check_dvc(words)
    elif words[0] == "slow-features":
        assert not words[1:] or words[1] in COMMANDS_TYPED
    else:
        assert words[0] in ("dvc", "git", "cd", "source", "sed", "rm", "pip"), words


def check_dvc(words):
    for option, value in pairwise(words):
        if option == "-S":
            key, _, texts = value.partition("=")
            for text in texts.split(","):
                load_config(["params.yaml"], [f"{key}={text}"])
    stages = [w for w in words[2:] if re.match(r"experiment-|[a-z]+@", w)]
    for stage in (name for word in stages for name in expanded(word)):
        assert stage in stage_names(), stage


def expanded(word):
    """Expand {a,b} as a shell does."""
    found = re.match(r"(.*)\{(.*)\}(.*)", word)
    return [found[1] + middle + found[3] for middle in found[2].split(",")] if found else [word]


def stage_names():
    """Return the names of all stages, at every scale."""
    names = set()
    for step, stage in DVC.items():
        axes = [
            {"scale": SCALES, "model": GRIDS["models"]}[axis] for axis in stage.get("matrix", ())
        ]
        names |= {f"{step}@{'-'.join(item)}" for item in product(*axes)} if axes else {step}
    return names


def test_the_pipeline_page_names_every_stage():
    for step, stage in DVC.items():
        assert f"`{step}{'@' if 'matrix' in stage else ''}" in PIPELINE, step


def reruns(key):
    """Return the stages of the experiment that a change of a setting makes out of date."""
    found = []
    for name, stage in DVC.items():
        if not name.startswith("experiment-"):
            continue
        own = any(key == p or key.startswith(f"{p}.") for p in stage.get("params", []))
        before = [outs_of(DVC[earlier]) for earlier in found]
        fed = any(dep.startswith(out) for dep in stage["deps"] for outs in before for out in outs)
        if own or fed:
            found.append(name)
    return [name.removeprefix("experiment-") for name in found]


def outs_of(stage):
    outs = [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
    return [next(iter(out)) if isinstance(out, dict) else out for out in outs]


def test_the_table_of_reruns_is_that_of_dvc_yaml():
    rows = re.findall(r"^\| (`[^|]*) \| ([a-z, ]+) \|", PIPELINE, re.MULTILINE)
    checked = 0
    for keys, stages in rows:
        for key in re.findall(r"`([\w.]+)`", keys):
            assert stages.replace("nothing", "").split(", ") == (reruns(key) or [""]), key
            checked += 1
    assert checked > 20


def test_the_picture_of_the_pipeline_has_its_dependencies():
    """A stage depends on what leads to it in the picture, and on nothing else."""
    picture = re.search(r"```mermaid\n(.*?)```", PIPELINE, re.DOTALL)[1]
    stage_of = {node: text.split("@")[0] for node, text in re.findall(r'(\w+)\["(.*?)"\]', picture)}
    drawn = set()
    for line in picture.splitlines()[1:]:
        nodes = re.split(r" (?:-->|-\.->) ", re.sub(r"\[.*?\]", "", line.strip()))
        drawn |= {(stage_of[before], stage_of[after]) for before, after in pairwise(nodes)}
    assert set(stage_of.values()) == set(DVC)
    assert before_each(drawn) == before_each(dependencies())


def dependencies():
    """Return all pairs of stages in dvc.yaml of which the second reads what the first writes."""
    for after, before in product(DVC, DVC):
        read = [one_path(dep) for dep in DVC[after].get("deps", [])]
        written = [one_path(out) for out in outs_of(DVC[before])]
        if any(within(r, w) or within(w, r) for r, w in product(read, written)) and after != before:
            yield before, after


def one_path(text):
    """Return a path of dvc.yaml, at one scale and of one model type."""
    for name in ("item.model", "model_type"):
        text = text.replace(f"${{{name}}}", "VICReg")
    return Path(text.replace("${item.scale}", "quick"))


def within(inner, outer):
    return inner == outer or outer in inner.parents


def before_each(pairs):
    """Return the stages before each stage, at any distance."""
    pairs = set(pairs)
    while more := {(a, d) for (a, b), (c, d) in product(pairs, pairs) if b == c} - pairs:
        pairs |= more
    return pairs


def schema_tables():
    """Return the fields of result.json as Markdown tables, one for each block."""
    schema = json_schema()
    blocks = {"result.json": schema}
    blocks |= {name: schema["$defs"][name] for name in ("Errors", "ProbeErrors", "Noise")}
    known = blocks["Errors"]["properties"]
    return "\n\n".join(
        f"**{name}**. {block['description']}{' Errors, and:' * (name == 'ProbeErrors')}\n\n"
        + "| field | type | meaning |\n|---|---|---|\n"
        + "\n".join(
            f"| `{field}` | {type_of(info)} | {info['description']} |"
            for field, info in block["properties"].items()
            if name != "ProbeErrors" or field not in known
        )
        for name, block in blocks.items()
    )


def type_of(info):
    """Return a field's type in words, from its JSON schema."""
    if "anyOf" in info:
        return " or ".join(type_of(option) for option in info["anyOf"])
    if "$ref" in info:
        return info["$ref"].rpartition("/")[2]
    if info["type"] == "array":
        return f"list of {type_of(info['items'])}s"
    if info["type"] == "object":
        return f"{type_of(info['additionalProperties'])} by dot"
    return " or ".join(info["enum"]) if "enum" in info else info["type"]


def test_the_fields_of_a_result_are_those_of_the_schema():
    """After a change of ProbeResult paste what this test prints into docs/results.md."""
    tables = schema_tables()
    assert tables in RESULTS, f"\n{tables}\n"


def test_sizes_of_the_scales_are_those_of_the_grid():
    for scale in SCALES:
        cells = cells_of(scale)
        trained = [c.config for c in cells if c.config.model_type != "Random"]
        sequences = sum(c.dataset_size * c.model.epochs for c in trained) / 1e6
        row = f"| `{scale}` | {len(cells)} | {sequences:.3g} million sequences |"
        assert row in REPRODUCTION, row


def test_files_of_the_report_are_those_that_it_writes():
    sources = "".join(file.read_text() for file in Path("src/slow_features/report").glob("*.py"))
    names = re.findall(r"`(\w+)\.(?:png|csv)`", REPRODUCTION)
    assert len(names) > 10
    for name in names:
        assert f'"{name.removesuffix("FAMILY")}' in sources, name


def test_every_file_of_the_package_that_is_no_code_is_watched_by_a_report():
    """results/code/ has fingerprints of code alone: texts and criteria are dependencies too."""
    watched = [
        dep
        for name, stage in DVC.items()
        if name in ("report", "experiment-report", "verify")
        for dep in stage["deps"]
    ]
    for file in Path("src/slow_features").rglob("*"):
        if file.is_file() and file.suffix not in (".py", ".pyc", ".typed"):
            assert any(str(file).startswith(dep) for dep in watched), file


def test_the_data_card_lists_the_photographs_with_their_split():
    card = Path("docs/data_card.md").read_text()
    rows = re.findall(r"^\| (\w+) \| (train|evaluation) \|", card, re.MULTILINE)
    train = [(name, "train") for name in photographs.TRAIN]
    assert rows == train + [(name, "evaluation") for name in photographs.EVALUATION]


def test_the_changelog_has_the_version_of_the_package():
    version = re.search(r'^version = "(.*)"', Path("pyproject.toml").read_text(), re.MULTILINE)[1]
    assert f"\n## {version} - " in Path("CHANGELOG.md").read_text()
    assert f"\nversion: {version}\n" in Path("CITATION.cff").read_text()


def test_the_workflow_on_github_runs_what_ci_runs():
    workflow = yaml.safe_load(Path(".github/workflows/ci.yml").read_text())
    assert ".ci/run" in [step.get("run") for step in workflow["jobs"]["test"]["steps"]]
    assert workflow["permissions"] == {"contents": "read"}


def test_the_worked_example_of_a_verdict_is_what_its_code_prints(capsys):
    """Both tables of docs/verdicts.md say what stands in git, and the sentences after them too."""
    page = Path("docs/verdicts.md").read_text()
    place = "results/probe/quick/{}/changing_uniform/alpha1.5-published-seed1/result.json"
    for model in ("VICReg", "SimCLR", "RSSM", "Random"):
        found = json.loads(Path(place.format(model)).read_text())
        errors = found["pred"]["rmse_px"], found["centre"]["rmse_px"]
        assert f"| {model} | {errors[0]} | {errors[1]} |" in page
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], {})
    *lines, verdict = capsys.readouterr().out.splitlines()
    assert f"**{verdict}**" in page
    assert len(lines) == 6
    for line in lines:
        words = r"(\w+) (\w+) (\S+) px \(at most (\S+)\) margin (\S+) px: (.*)"
        criterion, model, value, bound, margin, outcome = re.fullmatch(words, line).groups()
        row = re.search(rf"^\| `{criterion}`: .* = {bound} \| (.*) \| (.*) \|$", page, re.MULTILINE)
        assert row, line
        holds = "holds" if outcome == "reproduced" else "does not hold"
        assert row[1 + (model == "SimCLR")] == f"{value} {holds}"
        assert float(margin) > 0 or f"by {margin.removeprefix('-')} px" in page.replace("\n", " ")


DOTS_OF_TABLE_1 = ("action", "random", "stationary")
REPORTED = {"Inverse dynamics": "Inverse dynamics (IDM)", "Reconstruction": "Reconstruction (RSSM)"}


def test_table_1_of_the_findings_is_that_of_the_report():
    with Path("reports/standard/table1.csv").open() as file:
        ours = {(row["method"], row["dot"]): row["ours"] for row in csv.DictReader(file)}
    page = Path("docs/findings.md").read_text().partition("## Table 1")[2]
    rows = [[cell.strip() for cell in line.split("|")] for line in re.findall(r"\|(.+)\|\n", page)]
    methods = {name: cells[1:] for name, *cells in rows[2:7]}
    assert list(methods) == ["VICReg", "SimCLR", *REPORTED, "Supervised"]
    for name, cells in methods.items():
        for variant, said in zip(("", ", searched"), cells, strict=True):
            method = REPORTED.get(name, name) + variant
            numbers = [ours.get((method, dot), "not run") for dot in DOTS_OF_TABLE_1]
            if "not run" in numbers:
                assert said in ("not run", "")
            else:
                assert said == " / ".join(f"{float(number):.3f}" for number in numbers), method


LEVELS_OF = {
    "changing_uniform": "uniform, changes", "changing_structured": "structured, changes",
    "fixed_uniform": "uniform, fixed", "fixed_structured": "structured, fixed",
}  # fmt: skip


def table_of_errors():
    """Return each error of the scale standard with one dot; bold where a model finds the dot."""
    with Path("reports/standard/cells.csv").open() as file:
        read = csv.DictReader(file)
        rows = {(r["family"], float(r["alpha"]), r["model"], r["variant"]): r for r in read}

    def said(*cell):
        if cell not in rows:
            return "–"
        if rows[cell]["RMSE, px"] == "not run":
            return "not run"
        error, centre = float(rows[cell]["RMSE, px"]), float(rows[cell]["centre, px"])
        return f"**{error:.2f}**" if error <= 0.5 * centre else f"{error:.2f}"

    lines = []
    for family, words in LEVELS_OF.items():
        for level in map(float, GRIDS["standard"]["levels"][family]):
            models = ("Random", "Supervised", "IDM", "RSSM", "VICReg", "SimCLR")
            errors = [said(family, level, model, "published") for model in models]
            one_for_all = "untuned" if family == "changing_uniform" else "control"
            errors += [said(family, level, model, one_for_all) for model in models[-3:]]
            lines.append(f"| {' | '.join([words, f'{level:g}', *errors])} |\n")
    return "".join(lines)


def test_the_errors_of_the_findings_are_those_of_the_report():
    """After new results paste what this test prints into docs/findings.md."""
    table = table_of_errors()
    assert table in Path("docs/findings.md").read_text(), f"\n{table}"


def test_the_shares_of_the_mechanism_page_are_those_of_the_report():
    with Path("reports/quick/mechanism.csv").open() as file:
        ours = {(row["family"], row["model"], row["variant"]): row for row in csv.DictReader(file)}
    page = Path("docs/mechanism.md").read_text().partition("## What came out")[2]
    rows = [[cell.strip() for cell in line.split("|")] for line in re.findall(r"\|(.+)\|\n", page)]
    columns = [
        ("changing_uniform", "published"),
        ("fixed_uniform", "published"),
        ("fixed_uniform", "control"),
    ]
    checked = set()
    for name, *cells in rows[2:9]:
        model = re.match(r"\w+", name)[0]
        for (family, variant), said in zip(columns, cells, strict=True):
            key = (family, model, "within" if "within" in name else variant)
            if said:
                shares = [float(ours[key][share]) for share in ("noise", "dot", "both")]
                assert said == " / ".join(f"{share:.2f}" for share in shares), key
                checked.add(key)
    assert checked == set(ours)


VARIANTS_IN_WORDS = {
    "": "published",
    ", control": "control",
    ", negatives from the same sequence": "within",
}


def recorded_px(scale, cell):
    """Return the error of a cell as git has it, px."""
    return json.loads(Path("results/probe", scale, cell, "metrics.json").read_text())["rmse_px"]


def mean_and_seeds(errors):
    """Return errors as the pages write them; without a mean where one has not run."""
    said = ", ".join("not run" if error is None else f"{error:.2f}" for error in errors)
    return f"({said})" if None in errors else f"{fmean(errors):.2f} ({said})"


def test_three_seeds_in_both_arithmetics_are_those_of_their_runs():
    """float32: the scale seeds. bfloat16: seed 1 of quick, and the emulated trainings."""
    with Path("benchmarks/results/emulated.csv").open() as file:
        emulated = {row["cell"]: float(row["rmse_px"]) for row in csv.DictReader(file)}
    page = Path("docs/performance.md").read_text()
    row = r"^\| (\w+), (\w+) noise ([\d.]+)(.*?) \| ([^|]*) \| ([^|]*) \|[^|]*\|[^|]*\|$"
    rows = re.findall(row, page, re.MULTILINE)
    assert len(rows) == 13
    for model, noise, alpha, words, exact, rounded in rows:
        name = f"{model}/{noise}_uniform/alpha{alpha}-{VARIANTS_IN_WORDS[words]}-seed"
        cells = [f"{name}{seed}" for seed in (1, 2, 3)]
        assert exact == mean_and_seeds([recorded_px("seeds", cell) for cell in cells])
        others = [emulated.get(cell) for cell in cells[1:]]
        assert rounded == mean_and_seeds([recorded_px("quick", cells[0]), *others])


def test_the_three_seeds_of_the_calibration_page_are_those_of_the_scale():
    page = Path("docs/calibration.md").read_text().partition("## Three seeds")[2]
    columns = (
        "changing_uniform/alpha1.5-published",
        "fixed_uniform/alpha1.25-published",
        "fixed_uniform/alpha1.25-control",
    )
    checked = 0
    for model, words, *cells in re.findall(
        r"^\| (\w+)(, .*)? \|(.*)\|(.*)\|(.*)\|$", page, re.MULTILINE
    ):
        for column, said in zip(columns, map(str.strip, cells), strict=True):
            if "(" in said:
                where = column.replace("control", "within") if words else column
                errors = [recorded_px("seeds", f"{model}/{where}-seed{seed}") for seed in (1, 2, 3)]
                assert said == mean_and_seeds(errors)
                checked += 1
    assert checked == 15
