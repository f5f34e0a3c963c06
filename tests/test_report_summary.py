"""The page about the paper as a whole: which evidence stands at each number."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import pytest

from slow_features.grid.cells import cells_of
from slow_features.report import summary
from slow_features.report.criteria import read_rules
from slow_features.report.measurements import Measurement
from slow_features.report.results import CellResult, Results, mean_error
from slow_features.report.summary import judged_parts, strongest, write_summary
from tests.fake_cells import finished

SHARES = {"noise_share": 0.9, "dot_share": 0.05, "interaction_share": 0.05}
SHORT, LONG = (4.0, 2.0), (4.0, 3.0, 2.0)  # losses: the made-up trainings see 64 sequences for each


def scale(name, error, losses=SHORT, seeds=(1,), keep=lambda cell: True):
    """Return the cells of quick as if a scale of this name had run them, where `keep` says so."""
    there = [replace(c, scale=name, seed=s) for c in cells_of("quick") for s in seeds]
    run = {"losses": losses, "dynamics": SHARES}
    return Results(
        name,
        [finished(c, error, **run) if keep(c) else CellResult(c, None, "not run") for c in there],
    )


def chosen(*found):
    """Return the scale and the error that stand for VICReg at changing noise."""
    cells = strongest(found).of("changing_uniform", "1.5", "VICReg")
    return cells[0].cell.scale, mean_error(cells)


def test_the_longer_training_counts_and_then_the_number_of_seeds():
    one, three = scale("one", 5.0), scale("three", 4.0, seeds=(1, 2, 3))
    long = scale("long", 3.0, losses=LONG)
    assert chosen(one, three) == chosen(three, one) == ("three", 4.0)
    assert chosen(one, three, long) == chosen(long, three, one) == ("long", 3.0)


def test_what_a_scale_has_not_finished_does_not_count():
    partly = scale("partly", 3.0, LONG, (1, 2), keep=lambda c: c.seed == 1)
    assert chosen(scale("one", 5.0), partly) == ("one", 5.0)


def test_remedies_do_not_stand_among_the_papers_numbers():
    assert all("/remedies/" not in r.cell.source for r in strongest([scale("q", 1.0)]).cells)


def test_the_families_come_in_the_order_of_the_grid_whatever_has_them():
    every = Results("every", [finished(cell, 2.0) for cell in cells_of("standard")])
    few = {"changing_uniform", "fixed_structured"}
    some = Results("some", [r for r in every.cells if r.cell.family in few])
    assert strongest([some, every]).families == every.families
    quick = {"changing_uniform", "fixed_uniform"}
    both = [family for family in every.families if family in few | quick]
    assert strongest([some, scale("q", 1.0)]).families == both


def test_a_part_of_a_claim_is_judged_within_one_scale():
    """JEPA as good as reconstruction: never one trained long against one trained short."""
    claim = next(c for c in read_rules().claims if c.id == "changing-noise")
    short, long = scale("short", 2.0), scale("long", 3.0, losses=LONG)
    worse = Results("long", [
        r if r.cell.model_type != "RSSM" else finished(r.cell, 9.0, losses=LONG)
        for r in long.cells
    ])  # fmt: skip
    rules = read_rules()
    (first, *others) = judged_parts(claim, [short, worse], rules)
    assert first.scale == "long"
    measured = {m.bound for check in first.part.checks for m in check.measurements}
    assert not any("2.5" in bound for bound in measured), "RSSM of the short scale"
    assert {judged.part.verdict for judged in others} == {"not run"}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Return a function that writes the page of made-up scales and returns its folder."""
    monkeypatch.setattr(summary, "PAGE", tmp_path / "reports/index.html")
    monkeypatch.setattr(summary, "FOLDER", tmp_path / "reports/summary")

    def write(*made):
        read = {results.scale: results.cells for results in made} | {"paper": []}
        monkeypatch.setattr(summary, "scales", lambda: [*read])
        monkeypatch.setattr(summary, "cells_of", lambda name: name)
        monkeypatch.setattr(summary, "read_cells", read.get)
        write_summary()
        return tmp_path / "reports"

    return write


@pytest.fixture
def page(written):
    """The page of two made-up scales."""
    return written(scale("quick", 5.0), scale("seeds", 4.0, seeds=(1, 2, 3)))


def test_each_number_says_its_scale_and_the_page_links_to_it(page):
    html = (page / "index.html").read_text()
    assert "4.00 (seeds)" in html and "5.00 (quick)" not in html
    assert 'href="seeds/index.html"' in html and "paper/index.html" not in html
    for name in re.findall(r'href="(summary/[^"]+)"', html):
        assert (page / name).is_file(), name
    assert not re.search(r'href="[\w]+\.csv"', html)


def test_a_number_leads_to_the_row_of_its_cell(page):
    """Of several seeds to the first; from there the page of the scale leads to the run."""
    html = (page / "index.html").read_text()
    cell = "cell-VICReg-changing_uniform-alpha1.5-published-seed1"
    assert f'<a href="seeds/index.html#row-{cell}">4.00 (seeds)</a>' in html
    claims = html.partition('id="claims"')[2].partition('id="own"')[0]
    judged = re.findall(r'<a href="seeds/index.html#row-cell-[^"]+">seeds</a>', claims)
    assert len(judged) == 7, "one for each part that is judged"


def test_the_measurement_shown_is_the_closest_to_its_bound_whatever_its_unit():
    """A distance in px is no larger than one of shares because its numbers are."""
    near = Measurement("VICReg", "1.5", margin=0.4, unit=8.0)
    far = Measurement("VICReg", "1.5", margin=-0.2, unit=0.8)
    assert (near.closeness, far.closeness) == pytest.approx((0.05, 0.25))


@pytest.mark.parametrize(
    ("vicreg", "simclr", "shown"), [(6.5, 8.0, "SimCLR"), (3.0, 2.0, "VICReg")]
)
def test_a_part_that_fails_shows_the_worst_and_one_that_holds_the_narrowest(
    vicreg, simclr, shown, written
):
    """Both JEPA models at changing noise beside a reconstruction of 4 px."""
    errors = {"VICReg": vicreg, "SimCLR": simclr, "RSSM": 4.0}
    run = {"losses": SHORT, "dynamics": SHARES}
    cells = [finished(c, errors.get(c.model_type, 9.0), **run) for c in cells_of("quick")]
    folder = written(Results("quick", cells))
    rows = list(csv.DictReader((folder / "summary/claims.csv").open()))
    row = next(r for r in rows if r["part"] == "uniform noise, level 1.5")
    assert row["holds"] == ("holds" if shown == "VICReg" else "does not hold")
    assert row["measured"].startswith(f"{shown}, level 1.5: ")


def test_every_part_of_every_claim_has_its_row_once(page):
    rows = list(csv.DictReader((page / "summary/claims.csv").open()))
    parts = [part.name for claim in read_rules().claims for part in claim.parts]
    assert [row["part"] for row in rows] == parts
    judged = [row for row in rows if row["holds"] != "not run"]
    assert {row["scale"] for row in judged} == {"seeds"} and len(judged) == 7
    assert all(row["scale"] == "" for row in rows if row["holds"] == "not run")


def test_what_is_not_run_is_folded_away_once(page):
    html = (page / "index.html").read_text()
    shown, _, folded = html.partition('<details class="absent">')
    assert "structured noise, any level" in folded
    assert "structured noise, any level" not in shown
