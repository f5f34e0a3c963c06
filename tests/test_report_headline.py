"""What a page says first, what repairs the failure, and claims of our own, from made-up results."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import pytest

from slow_features.grid.cells import cells_of
from slow_features.grid.definition import scales
from slow_features.report import grid
from slow_features.report.criteria import read_rules
from slow_features.report.figure3 import draw_figure3
from slow_features.report.headline import headline_in_words, headline_table
from slow_features.report.mechanism import draw_mechanism, draw_repaired, has_repaired
from slow_features.report.names import is_remedy, listed, look_of
from slow_features.report.remedies import remedies_in_words, remedies_table
from slow_features.report.results import CellResult, Results
from slow_features.report.style import styled
from tests.fake_cells import cells, finished, with_remedies
from tests.fake_results import CENTRE_PX, fake_dynamics

RULES = read_rules()
FOUND = RULES.criteria["found"]
REMEDIES = ("within", "time_std", "action")
GOOD = {"within", "action"}


def error_of(cell):
    """Return an error as in the paper, and two remedies that work."""
    if cell.variant in GOOD:
        return 2.0
    if cell.model_type == "Random":
        return 7.5
    return (
        8.0 if cell.family.startswith("fixed") and cell.model_type in ("VICReg", "SimCLR") else 2.5
    )


def results_of(there, absent=lambda cell: False):
    """Return results of cells, of three dots with an error of its own for each."""
    dots = {"action": 3.0, "random": 8.0, "stationary": 1.0}
    return Results(
        there[0].scale,
        [
            CellResult(cell, None, "not run")
            if absent(cell)
            else finished(
                cell,
                error_of(cell),
                per_dot=dots if cell.config.dots == 3 else None,
                dynamics=fake_dynamics(error_of(cell)),
            )
            for cell in there
        ],
    )


@pytest.fixture(scope="module")
def repaired():
    return results_of(with_remedies("quick", REMEDIES))


# First of all


def test_the_sentence_says_who_finds_the_dot_and_who_does_not(repaired):
    assert headline_in_words(repaired, FOUND) == (
        "With changing uniform noise 1.5, VICReg, SimCLR, RSSM, IDM and Supervised find the dot; "
        "with fixed uniform noise 1.25, RSSM, IDM and Supervised find the dot and VICReg and "
        "SimCLR do not (nor as “control”)."
    )


def test_the_sentence_names_the_variants_that_miss_the_dot_too():
    searched = [c for c in cells_of("remedies") if c.variant == "searched"]
    there = [c for c in cells_of("quick") + searched if c.family == "fixed_uniform"]
    results = results_of(there, absent=lambda cell: cell.model_type not in ("VICReg", "SimCLR"))
    said = headline_in_words(results, FOUND)
    assert said.endswith("VICReg and SimCLR do not find the dot (nor as “control” or “searched”).")
    some = results_of(
        there,
        absent=lambda c: (
            c.model_type not in ("VICReg", "SimCLR")
            or (c.model_type, c.variant) == ("VICReg", "searched")
        ),
    )
    said = headline_in_words(some, FOUND)
    assert said.endswith("do not find the dot (nor as “control”, nor SimCLR as “searched”).")


def test_settings_with_the_same_outcome_share_a_sentence():
    said = headline_in_words(results_of(with_remedies("standard", ())), FOUND)
    assert "changing uniform noise 1.5 and changing structured noise 1.5, VICReg" in said
    assert said.count("find the dot") == 2
    assert "three dots" not in said, "an error over three dots says not which is found"


def test_nothing_is_said_of_what_has_not_run(repaired):
    nothing = results_of(with_remedies("quick", REMEDIES), absent=lambda cell: True)
    assert headline_in_words(nothing, FOUND) == "Nothing of this scale has run yet."
    assert remedies_in_words(nothing, FOUND) == ""
    assert headline_table(nothing, FOUND).present() == []
    part = results_of(with_remedies("quick", ()), absent=lambda cell: cell.model_type == "RSSM")
    assert "RSSM" not in headline_in_words(part, FOUND)


def test_the_table_has_a_row_for_each_method_and_no_remedy(repaired):
    table = headline_table(repaired, FOUND)
    assert table.columns[1:] == (
        "changing uniform 1.5",
        "fixed uniform 1.25",
        "fixed uniform 1.25, control",
    )
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["VICReg"] == (2.5, 8.0, 8.0)
    assert rows["Inverse dynamics (IDM)"] == (2.5, 2.5, None)
    assert rows["always the centre"] == pytest.approx((CENTRE_PX,) * 3)


def test_a_table_is_the_mean_over_the_seeds_and_only_of_all_of_them():
    there = with_remedies("seeds", ())
    results = results_of(there)
    shifted = [
        replace(r, outputs=finished(r.cell, 2.0 + r.cell.seed).outputs) for r in results.cells
    ]
    table = headline_table(Results("seeds", shifted), FOUND)
    assert table.rows[0][1] == pytest.approx(4.0)
    shifted[0] = replace(shifted[0], outputs=None)
    assert headline_table(Results("seeds", shifted), FOUND).rows[0][1] == "not run"


@pytest.mark.parametrize(
    ("words", "said"),
    [([], ""), (["A"], "A"), (["A", "B"], "A and B"), (["A", "B", "C"], "A, B and C")],
)
def test_a_list_in_a_sentence(words, said):
    assert listed(words) == said


# What repairs it


def test_a_remedy_is_told_by_the_folder_of_its_file():
    there = with_remedies("quick", REMEDIES)
    assert {cell.variant for cell in there if is_remedy(cell)} == set(REMEDIES)


def test_each_remedy_has_a_row_beside_the_variants_that_fail(repaired):
    table = remedies_table(repaired, FOUND)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["method"], row["variant"]) for row in rows[:5]] == [
        ("VICReg", "published"),
        ("VICReg", "control"),
        ("VICReg", "within"),
        ("VICReg", "time std"),
        ("VICReg", "action"),
    ]
    assert {row["variant"]: row["fixed uniform 1.25"] for row in rows[:5]} == {
        "published": 8.0,
        "control": 8.0,
        "within": 2.0,
        "time std": 8.0,
        "action": 2.0,
    }
    assert {row["variant"]: row["finds the dot"] for row in rows[:3]} == {
        "published": "in 1 of 2",
        "control": "in 0 of 1",
        "within": "in 2 of 2",
    }
    assert [row["is"] for row in rows[:3]] == ["the paper's", "the paper's", "remedy"]


def test_the_caption_names_the_searches_of_its_columns_alone():
    caption = headline_table(results_of(cells_of("remedies")), FOUND).caption
    assert "trials, study changing" in caption
    assert "trials, study fixed" in caption
    assert "three_dots" not in caption


def test_three_dots_are_three_numbers():
    there = [c for c in with_remedies("standard", REMEDIES) if c.family == "three_dots"]
    table = remedies_table(results_of(there), FOUND)
    assert table.columns[3:6] == tuple(
        f"three dots: {d}" for d in ("action", "random", "stationary")
    )
    assert table.rows[0][3:6] == pytest.approx((3.0, 8.0, 1.0))
    assert table.rows[0][-1] is None, "the dots are found or lost one by one"


def test_there_is_no_table_until_a_remedy_has_run():
    part = results_of(with_remedies("quick", REMEDIES), absent=is_remedy)
    table = remedies_table(part, FOUND)
    assert not table.present()
    assert {row.texts[2] for row in table.absent()} == {"remedy"}


def test_the_table_leaves_out_settings_of_which_nothing_has_run():
    there = with_remedies("quick", REMEDIES)
    part = results_of(there, absent=lambda cell: cell.family != "fixed_uniform")
    columns = remedies_table(part, FOUND).columns
    assert [name for name in columns if "uniform" in name] == ["fixed uniform 1.25"]
    nothing = remedies_table(results_of(there, absent=lambda cell: True), FOUND).columns
    assert [name for name in nothing if "uniform" in name] == [
        "changing uniform 1.5",
        "fixed uniform 1.25",
    ]


def test_the_page_says_which_remedies_work(repaired):
    assert remedies_in_words(repaired, FOUND) == (
        "With fixed uniform noise 1.25, 4 of 6 remedies find the dot, best VICReg, "
        "within (2.00 px)."
    )


def test_the_figure_of_remedies_sets_them_below_what_fails_at_fixed_noise_alone(repaired):
    with styled():
        panels = draw_repaired(repaired).axes
        others = draw_mechanism(repaired).axes
    (panel,) = panels
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names[:3] == ["VICReg", "VICReg, control", "VICReg, within"]
    assert len(names) == 6 + 2 + 2 * len(REMEDIES)
    assert not any("within" in label.get_text() for a in others for label in a.get_yticklabels())
    assert not has_repaired(results_of(with_remedies("quick", ())))


def test_every_variant_has_its_own_look_in_figure_3(repaired):
    with styled():
        panel = draw_figure3(repaired).axes[1]
    ours = [line for line in panel.get_lines() if str(line.get_label()).startswith("VICReg")]
    looks = {(line.get_color(), line.get_marker(), line.get_fillstyle()) for line in ours}
    assert len(ours) == len(looks) == 5
    assert len({line.get_color() for line in ours}) == 1, "of one model"


@pytest.mark.parametrize("scale", scales())
def test_no_two_variants_of_a_method_look_the_same_at_any_scale(scale):
    results = Results(scale, [CellResult(cell, None) for cell in cells_of(scale)])
    looks = {(r.cell.model_type, r.cell.variant): look_of(results, r.cell) for r in results.cells}
    shown = {(look["color"], look["marker"], look["fillstyle"]) for look in looks.values()}
    assert len(shown) == len(looks)


# The page


@pytest.fixture(scope="module")
def page(repaired, tmp_path_factory):
    """A page with remedies and with a claim of our own: the paper's about IDM, said again."""
    claim = next(claim for claim in RULES.claims if claim.id == "fixed-noise-idm")
    own = claim.model_copy(update={"text": "A remedy <finds> the dot."})
    rules = RULES.model_copy(update={"own": (own,)})
    root = tmp_path_factory.mktemp("report")
    folder = root / "page"
    shutil.copytree("reproduce_configs", root / "reproduce_configs")
    shutil.copy("grids.yaml", root)
    for result in repaired.cells:
        if is_remedy(result.cell):
            file = root / result.cell.source
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"model_type: {result.cell.model_type}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(grid, "read_rules", lambda: rules)
        grid.write_page_about(repaired, folder)
    return folder / "index.html"


def test_our_own_claims_stand_apart_from_the_papers(page):
    text = page.read_text()
    papers, own = text.index('<h2 id="claims">'), text.index('<h2 id="own">')
    assert papers < own < text.index('<h2 id="figure3">')
    assert text[own:].count("A remedy &lt;finds&gt; the dot.") >= 2
    assert "A remedy" not in text[papers:own]
    assert "10 claims have 31 parts" in text, "ours are not counted among them"
    assert "A remedy" in (page.parent / "own_claims.csv").read_text()


def test_what_repairs_it_has_a_section_with_table_and_figure(page):
    section = re.search(r'<h2 id="remedies">.*?<h2', page.read_text(), re.DOTALL).group()
    assert "VICReg, within" in section, "in the alternative text of the figure"
    assert 'rowspan="5"' in section
    assert '<a href="#remedies">' in page.read_text()
    assert "remedies find the dot" in page.read_text().partition("<nav")[0]


def test_a_setting_of_which_nothing_has_run_has_no_column_beside_others():
    two = cells({"changing_uniform", "fixed_uniform"})
    some = [finished(c) if c.family == "fixed_uniform" else CellResult(c, None) for c in two]
    titles = headline_table(Results("standard", some), FOUND).columns
    assert titles == ("method", "fixed uniform 1.25", "fixed uniform 1.25, control")
    nothing = headline_table(Results("standard", [CellResult(c, None) for c in two]), FOUND)
    assert "changing uniform 1.5" in nothing.columns
