"""The report of a scale: complete, self-contained, honest about what is missing."""

from __future__ import annotations

import base64
import csv
import html
import itertools
import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from slow_features.config.load import InputError
from slow_features.grid.cells import TUNED_FAMILY, cells_of
from slow_features.report.figure3 import (
    PANELS,
    draw_figure3,
    draw_untuned,
    families_by_kind,
    figure3_alt,
    missing,
    plotted_variants,
    untuned,
)
from slow_features.report.grid import write_grid_report
from slow_features.report.grid_figures import (
    all_families,
    draw_errors_by_frame,
    missing_by_frame,
)
from slow_features.report.grid_pictures import figure3_caption, image_source
from slow_features.report.mechanism import draw_mechanism
from slow_features.report.results import CellResult, Results, read_cells
from slow_features.report.spread import spread
from slow_features.report.style import save, styled
from tests.fake_cells import cells, finished
from tests.fake_results import WEIGHTS, fake_dynamics, places_below, write_fake_cell

MISSING = "SimCLR/changing_uniform/alpha1.5-published-seed1"
OTHER = "IDM/changing_uniform/alpha1.5-published-seed1"  # made with other settings
BROKEN = "IDM/fixed_uniform/alpha1.25-published-seed1"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Where a made-up result lies for every quick cell but three."""
    root = tmp_path_factory.mktemp("results")
    place_of = places_below(root)
    for number, cell in enumerate(cells_of("quick")):
        if str(cell.path) != f"quick/{MISSING}":
            jepa_fixed = cell.family == "fixed_uniform" and cell.model_type in ("VICReg", "SimCLR")
            error = 8.0 if jepa_fixed else 7.5 if cell.model_type == "Random" else 2 + number / 10
            adam = 4.4 if cell.model_type == "RSSM" else None
            write_fake_cell(place_of(cell), cell.config, error, adam_px=adam)
    summary = root / "train/quick" / OTHER / "train.json"
    content = json.loads(summary.read_text())
    content["settings"]["dataset_size"] = 1
    summary.write_text(json.dumps(content))
    (root / "probe/quick" / BROKEN / "result.json").write_text("{}")
    hostile = root / "train/quick/VICReg/fixed_uniform/alpha1.25-control-seed1/train.json"
    content = json.loads(hostile.read_text())
    hostile.write_text(json.dumps(content | {"identity": "<script>run</script>"}))
    return place_of


@pytest.fixture(scope="module")
def report(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "quick"
    write_grid_report("quick", tree, folder)
    return folder


def rows(report, name):
    with (report / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def named(cell):
    """Return a row's cell by its name, from its labels."""
    name = "alpha{alpha:g}-{variant}-seed{seed}".format(**cell | {"alpha": float(cell["alpha"])})
    return "/".join((cell["scale"], cell["model"], cell["family"], name))


def test_the_page_needs_no_other_file_and_escapes_what_it_is_given(report):
    page = (report / "index.html").read_text()
    assert not re.search(r"""\bsrc=(?!"data:)""", page)
    others = set(re.findall(r"""\bhref="(?!#|http://127.0.0.1:5000/)([^"]+)""", page))
    assert all((report / name).is_file() for name in others), "only to files beside it"
    assert others == {"runs.html"} | {name for name in others if name.endswith(".csv")}
    for table in ("headline", "claims", "claim_checks", "claim_measurements", "control", "cells"):
        assert f"{table}.csv" in others
    assert "<script" not in page
    assert "&lt;script&gt;run" in page
    assert "tags.identity%20%3D%20%22%3Cscript%3Erun%3C%2Fscript%3E-quick%22" in page
    assert "<script" not in (report / "report.md").read_text()
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", (report / "report.md").read_text()):
        assert (report / name).exists(), name


def test_cells_that_are_missing_damaged_or_of_other_settings_are_not_run(report):
    cells = {named(row): row for row in rows(report, "cells")}
    assert len(cells) == len(cells_of("quick"))
    assert cells[f"quick/{MISSING}"]["RMSE, px"] == "not run"
    assert cells[f"quick/{OTHER}"]["RMSE, px"] == "made with other settings: dataset_size"
    assert "not readable" in cells[f"quick/{BROKEN}"]["RMSE, px"]
    assert cells["quick/VICReg/fixed_uniform/alpha1.25-control-seed1"]["RMSE, px"] == "8.0"


def test_verdicts_stand_only_on_finished_cells(report):
    checks = rows(report, "claim_checks")
    held = {(row["claim"], row["part"]): row["holds"] for row in checks}
    (fails,) = [claim for claim, _ in held if claim.startswith("With noise fixed") and held][:1]
    assert held[fails, "uniform noise, level 1.25"] == "holds"
    changing = [row for row in checks if row["claim"].startswith("With noise that changes")]
    assert {row["holds"] for row in changing} == {"not run"}
    assert MISSING in changing[0]["measured"]
    verdicts = {row["id"]: row["verdict"] for row in rows(report, "claims")}
    assert verdicts["fixed-noise-jepa-fails"] == "holds so far (1 of 4 parts)"
    assert verdicts["changing-noise"] == "not run"


def test_the_page_and_the_table_of_runs_name_the_arithmetic(report):
    assert " sequences in float32; dvc repro" in (report / "index.html").read_text()
    assert {row["arithmetic"] for row in rows(report, "runs")} <= {"float32", "", "not run"}
    assert "float32" in (report / "runs.csv").read_text()


def test_every_cell_has_its_command_and_its_changes(report):
    page = (report / "index.html").read_text()
    for cell in cells_of("quick"):
        assert f"runs/{cell.path}" in page
    assert "epochs 2 instead of 100" in page
    assert "f00df00df00d" not in page, "a revision differs from run to run"
    assert "f00df00df00d" in (report / "runs.html").read_text()
    assert {row["code"] for row in rows(report, "runs")} >= {"f00df00df00d"}


def test_both_probes_stand_side_by_side_or_not_run(report):
    probes = {row["model"]: row for row in rows(report, "probes")}
    assert probes["RSSM"]["Adam, px"] == "4.4"
    assert set(probes) == {"RSSM"}, "no other cell of this scale asks for it"


def test_no_published_number_stands_in_figure_3():
    """Its only input are our results."""
    for scale in ("quick", "standard"):
        nothing = read_cells(cells_of(scale), places_below(Path("there/is/nothing")))
        with styled():
            empty = draw_figure3(Results(scale, nothing))
            lines = [line for axes in empty.axes for line in axes.get_lines()]
            drawn = [y for line in lines if line.get_marker() != "x" for y in line.get_ydata()]
        assert all(y != y for y in drawn), "something is drawn without a result"
        assert any(line.get_marker() == "x" for line in lines)


def test_one_level_is_a_dot_plot_with_a_row_for_each_method_and_variant(tree):
    results = Results("quick", read_cells(cells_of("quick"), tree))
    with styled():
        panels = draw_figure3(results).axes
    assert len(panels) == 2
    names = [label.get_text() for label in panels[0].get_yticklabels()]
    assert names[:4] == ["VICReg", "VICReg, control", "SimCLR", "SimCLR, control"]
    drawn = {line.get_label(): line.get_xdata()[0] for line in panels[1].get_lines()}
    assert drawn["VICReg, control"] == pytest.approx(8.0)
    fills = {line.get_label(): line.get_fillstyle() for line in panels[1].get_lines()}
    assert (fills["VICReg"], fills["VICReg, control"]) == ("full", "none")
    said = [text.get_text() for text in panels[1].texts]
    assert said.count("8.00") == 5
    assert "VICReg, control 8.00" in figure3_alt(results)


def test_a_level_of_figure_3_hides_no_method_and_its_band_stays_near_it():
    results = Results("standard", [finished(c) for c in cells({"fixed_uniform"})])
    with styled():
        panel = draw_figure3(results).axes[0]
        alphas = sorted(x for line in panel.get_lines() for x in line.get_xdata() if x > 2)
        band = panel.collections[0].get_paths()[0].vertices[:, 0]
    assert len(alphas) == 7, "five methods and two controls"
    assert min(b - a for a, b in itertools.pairwise(alphas)) > 0.05
    assert band.min() == pytest.approx(0.5 - 0.2)
    assert band.max() <= 3.2


def test_a_part_of_a_scale_shows_no_panel_of_what_has_not_run_at_all():
    two = {"changing_uniform", "fixed_uniform"}
    some = Results(
        "standard",
        [
            finished(c, dynamics=fake_dynamics(5.0)) if c.family in two else CellResult(c, None)
            for c in cells({*two, "fixed_structured"})
        ],
    )
    with styled():
        assert len(draw_figure3(some).get_axes()) == len(two)
        assert len(draw_mechanism(some).get_axes()) == len(two)
        assert len(draw_errors_by_frame(some).get_axes()) == len(two)
    assert missing_by_frame(some) == "", "a panel that is not there misses nothing"
    assert "Not run at all: fixed structured noise." in figure3_caption(some)
    only_fixed = Results("standard", [r for r in some.cells if r.cell.family == "fixed_structured"])
    assert only_fixed.shown_families == ["fixed_structured"], "nothing has run: all of it is shown"
    assert untuned(some)
    without = [CellResult(r.cell, None) if r.cell.family == TUNED_FAMILY else r for r in some.cells]
    assert not untuned(Results("standard", without))
    nothing = Results("standard", [CellResult(c, None) for c in cells(two)])
    assert families_by_kind(nothing)[0] == ["changing_uniform", "fixed_uniform"]


def test_what_a_panel_misses_is_named_below_the_figure():
    some = Results(
        "quick",
        [
            CellResult(c, None) if c.model_type in ("RSSM", "IDM") else finished(c)
            for c in cells({"fixed_uniform"})
        ],
    )
    assert missing_by_frame(some) == (
        "Not run: with fixed uniform noise 1.25 Inverse dynamics (IDM) and Reconstruction (RSSM)."
    )


def test_figure_3_explains_only_what_it_shows(tree):
    quick = Results("quick", read_cells(cells_of("quick"), tree))
    complete = Results("quick", [r for r in quick.cells if r.outputs])
    assert "A cross" in figure3_caption(quick)
    assert "A cross" not in figure3_caption(complete)
    assert "One seed: no spread" in figure3_caption(quick)
    assert "Alpha 0" not in figure3_caption(quick)
    seeds = [finished(cell) for cell in cells_of("seeds")]
    said = figure3_caption(Results("seeds", seeds))
    assert "Means over the seeds, with the points and the range of 3 seeds. " in said
    assert "%" not in said
    said = figure3_caption(Results("seeds", [replace(seeds[0], outputs=None), *seeds[1:]]))
    assert "the range of 2 or 3 seeds. " in said
    five = [finished(cell) for cell in cells({"fixed_uniform"}, seeds=range(5))]
    assert "the 95% t interval of the mean of 5 seeds. " in figure3_caption(Results("five", five))
    absent = "Not in this scale: changing structured and fixed structured noise."
    assert absent in figure3_caption(complete)
    assert "Grey columns" not in figure3_caption(complete)


def test_the_samples_come_in_the_order_of_the_grid():
    """That of grids.yaml, not that in which its scales have them."""
    lines = Path("grids.yaml").read_text().splitlines()
    assert f"families: [{', '.join(all_families())}]" in lines


@pytest.mark.parametrize(("seeds", "points"), [(1, 0), (2, 2), (4, 4), (5, 0)])
def test_a_panel_shows_the_points_of_few_seeds_and_the_spread_of_more(seeds, points):
    there = cells({"fixed_uniform"}, seeds=range(seeds))
    one = [c for c in there if (c.model_type, c.variant, c.alpha) == ("IDM", "published", "1.25")]
    results = Results("x", [finished(cell, error_px=2.0 + cell.seed) for cell in one])
    with styled():
        lines = draw_figure3(results).axes[0].get_lines()
        dots = [line.get_xdata() for line in lines if line.get_marker() == "."]
        spans = [line.get_xdata() for line in lines if line.get_marker() == "None"]
    assert [len(shown) for shown in dots] == ([points] if points else [])
    errors = [2.0 + seed for seed in range(seeds)]
    assert [list(span) for span in spans] == ([list(spread(errors))] if seeds > 1 else [])


def test_a_panel_draws_the_variants_of_its_own_family_alone():
    """At level 0, which all panels share, an untuned cell belongs to changing uniform noise."""
    some = Results("standard", [CellResult(c, None, "not run") for c in cells_of("standard")])
    assert untuned(some) == ["untuned"]
    drawn = {family: plotted_variants(some, family) for family in PANELS}
    assert drawn == {
        "changing_uniform": ["published"],
        "fixed_uniform": ["published", "control"],
        "changing_structured": ["published"],
        "fixed_structured": ["published", "control"],
    }
    with styled():
        at_0 = [
            line
            for axes in draw_figure3(some).axes
            for line in axes.get_lines()
            if line.get_marker() == "x" and min(abs(line.get_xdata())) < 0.2
        ]
    assert len(at_0) == 4 * 5, "a cross for each of the methods that are trained, in each panel"


def test_what_no_panel_draws_leaves_no_cross_in_the_legend():
    """A remedy or an untuned cell that has not run is no point of figure 3."""
    there = [finished(c) for c in cells_of("standard") if c.variant in ("published", "control")]
    others = [c for c in cells_of("standard") if c.variant in ("untuned", "within_action")]
    absent = [CellResult(cell, None, "not run") for cell in others]
    assert absent and not missing(Results("standard", [*there, *absent]))
    one_less = [replace(there[0], outputs=None), *there[1:]]
    assert missing(Results("standard", one_less))


def test_one_choice_for_all_levels_passes_through_its_own():
    """There the published cell is the same training, which the grid does not run twice."""
    some = Results("standard", [finished(c) for c in cells_of("standard")])
    with styled():
        lines = draw_untuned(some).axes[0].get_lines()
    own, one = (
        next(line for line in lines if line.get_label() == name)
        for name in ("VICReg", "VICReg, untuned")
    )
    assert [round(2 * x) / 2 for x in one.get_xdata()] == [0, 0.5, 1.5, 3]
    assert list(one.get_ydata()) == list(own.get_ydata()), "all made-up errors are the same"


def test_structured_noise_is_called_what_it_is_made_of(tree):
    results = Results("quick", read_cells(cells_of("quick"), tree))
    assert image_source(results) == "photographs"
    structured = Results("s", [finished(cell) for cell in cells({"fixed_structured"})])
    with styled():
        titles = {a.get_title(loc="left") for a in draw_figure3(structured, "cifar10").axes}
    assert titles == {PANELS["fixed_structured"].format(images="CIFAR-10 images")}


def test_a_grid_without_structured_noise_has_a_report(tmp_root):
    root = Path(__file__).parents[1]
    (tmp_root / "reproduce_configs").symlink_to(root / "reproduce_configs")
    levels = {"changing_uniform": ["1.5"]}
    grid = {"families": [*levels], "models": ["Random"], "mine": {"seeds": [1], "levels": levels}}
    (tmp_root / "grids.yaml").write_text(json.dumps(grid))
    write_grid_report("mine")
    assert "changing uniform" in (tmp_root / "reports/mine/report.md").read_text().lower()


def test_an_empty_grid_has_a_report_too(tmp_path):
    write_grid_report("quick", places_below(tmp_path / "nothing"), tmp_path / "report")
    page = (tmp_path / "report/index.html").read_text()
    assert "0 / 15" in page
    marks = re.findall(r'<td[^>]* data-mark="(\w+)"', page)
    assert set(marks) == {"absent"}
    for row in rows(tmp_path / "report", "runs"):
        assert row["sequences"] == "not run"
    assert "open it" not in page, "there is no run to open"


def test_every_link_leads_somewhere_and_every_cell_to_its_run(report):
    page = (report / "index.html").read_text()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert targets <= set(ids)
    for cell in cells_of("quick"):
        place = f"{cell.model_type}-{cell.family}-{cell.name}"
        assert f"cell-{place}" in targets, "no table links to the cell"
        card = re.search(rf'<section class="card" id="cell-{place}">.*?</section>', page, re.DOTALL)
        assert f"train@quick-{cell.model_type}" in card.group()
        assert f"--configs {shlex.quote(cell.source)}" in html.unescape(card.group())
        if place.replace("-", "/", 2) not in (MISSING, OTHER, BROKEN):
            result = f"results/probe/{cell.path}/result.json"
            for fact in (result, WEIGHTS, "tags.ident"):
                assert fact in card.group()


def test_a_card_is_hidden_until_its_link_is_followed_and_needs_no_script(report):
    style = re.search("<style>(.*?)</style>", (report / "index.html").read_text(), re.DOTALL)
    assert ".card { display: none;" in style.group(1)
    assert ".card:target { display: block; }" in style.group(1)


def test_the_method_of_a_cell_is_a_link_to_its_card_and_the_card_leads_back(report):
    name = "VICReg/fixed_uniform/alpha1.25-control-seed1"
    target = f"cell-{name.replace('/', '-')}"
    page = (report / "index.html").read_text()
    words = "VICReg, control, fixed uniform noise 1.25, seed 1"
    assert page.count(f'<a href="#{target}" aria-label="{words}">VICReg</a>') >= 2
    assert page.count(f'<tr id="row-{target}">') == 1
    card = re.search(rf'<section class="card" id="{target}">.*?</section>', page, re.DOTALL)
    assert f'<a href="#row-{target}">' in card.group()
    assert f'href="index.html#{target}"' in (report / "runs.html").read_text()
    assert f"quick/{name}" in map(named, rows(report, "cells"))
    assert "<a " not in (report / "cells.md").read_text()


def test_what_was_not_run_is_folded_away_once(report):
    page = (report / "index.html").read_text()
    shown, folded = re.fullmatch(
        r'(.*)<details class="absent">(.*?)</details>.*', page, re.DOTALL
    ).groups()
    shown = shown.partition("<body>")[2]
    assert "Scales that have it: remedies, standard, published, paper" in shown
    for published in ("0.229", "0.277"):  # table 1 is wholly not run
        assert f">{published}</td>" in folded
        assert f">{published}</td>" not in shown
    assert "0.229" in (report / "report.md").read_text()
    assert "Without distractors every trained method" in folded, "a claim that is not run"
    assert "Without distractors every trained method" not in shown
    assert 'id="table1"' not in page, "a section of which nothing has run"


def test_the_origin_stands_once(report):
    page = (report / "index.html").read_text()
    assert page.count("dvc repro report@quick") == 1
    assert page.index("dvc repro report@quick") < page.index('<h2 id="claims">')


def test_a_figure_says_what_it_shows_and_a_table_what_its_cells_are(report):
    page = (report / "index.html").read_text()
    alts = re.findall(r'<img [^>]*alt="([^"]*)"', page)
    assert len(alts) == page.count("<figure>") > 5
    assert "VICReg, control 8.00" in alts[0]
    assert all(re.search(r"\d", alt) for alt in alts), "each says numbers that it shows"
    assert len(set(alts)) == len(alts)
    tables = re.findall(r"<table.*?</table>", page, re.DOTALL)
    assert all("<caption>" in t and 'scope="col"' in t and 'scope="row' in t for t in tables)
    assert page.count('<source media="screen and (max-width: 40rem)"') == len(alts)


def test_why_it_fails_stands_behind_the_control(report):
    page = (report / "index.html").read_text()
    places = [page.index(f'<h2 id="{name}">') for name in ("control", "mechanism", "criteria")]
    assert places == sorted(places)
    assert '<a href="#mechanism">' in page
    assert "![" in (report / "report.md").read_text().split("## Why it fails")[1].split("##")[0]
    there = {named(row): row for row in rows(report, "mechanism")}
    assert set(there) == {str(cell.path) for cell in cells_of("quick")}
    assert there[f"quick/{MISSING}"]["RMSE, px"] == "not run"
    one = there["quick/VICReg/changing_uniform/alpha1.5-published-seed1"]
    shares = [float(one[name]) for name in ("noise", "dot", "both")]
    assert sum(shares) == pytest.approx(1)
    for kind in ("png", "svg"):
        assert (report / f"mechanism.{kind}").stat().st_size > 1000


def test_the_first_screen_counts_the_parts_that_the_scale_judges(report):
    page = (report / "index.html").read_text()
    counts, plural = {}, {"holds": "hold", "does not hold": "do not hold"}
    for row in rows(report, "claims"):
        for number, words in re.findall(r"(\d+) ([a-z ]+)", row["parts"]):
            words = plural.get(words, words)
            counts[words] = counts.get(words, 0) + int(number)
    found = re.findall(r"<b>(\d+)</b><span>parts? of claims<br>([^<]+)<", page)
    shown = {plural.get(words, words): int(number) for number, words in found}
    judged = sum(shown.values())
    assert shown == {words: counts.get(words, 0) for words in shown}
    assert judged + counts["not run"] == sum(counts.values())
    assert f"have {sum(counts.values())} parts; this scale judges {judged} of them" in page


def test_an_unknown_scale_is_refused(tmp_path):
    with pytest.raises(
        InputError, match="allowed: quick, seeds, remedies, mixtures, standard, published, paper"
    ):
        write_grid_report("huge", places_below(tmp_path), tmp_path / "report")


def test_a_figure_has_the_same_bytes_each_time(tree, tmp_path):
    results = Results("quick", read_cells(cells_of("quick"), tree))
    first, second = tmp_path / "first", tmp_path / "second"
    with styled():
        for folder in (first, second):
            draw = lambda width: draw_figure3(results, width=width)  # noqa: E731
            picture = save(draw, folder, "figure3", "t", "c", "a")
    for name in (picture.svg, picture.png):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert (
        base64.b64decode(picture.inline.partition(",")[2]) == (second / "figure3.svg").read_bytes()
    )


@pytest.mark.slow
def test_the_same_results_give_the_same_bytes(tree, tmp_path):
    for name in ("first", "second"):
        write_grid_report("quick", tree, tmp_path / "report")
        shutil.copytree(tmp_path / "report", tmp_path / name)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name
