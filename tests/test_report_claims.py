"""The claims of the paper: what each scale judges of them, and the tables about it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from slow_features.data.geometry import IMAGE_SIZE
from slow_features.grid.cells import Change, cells_of
from slow_features.report import page
from slow_features.report.claim_tables import (
    checks_table,
    claims_table,
    measurements_table,
    parts_found,
)
from slow_features.report.claims import judge
from slow_features.report.criteria import read_published, read_rules
from slow_features.report.results import CellResult, Results
from tests.fake_cells import LEVEL, cells, finished, one_check, rules_with

PAPERS = {claim["id"]: claim["text"] for claim in read_published()["claims"]}
FOUND = {"checks": [one_check("found")]}


@cache
def verdicts_of(scale):
    """Return the verdicts about the paper's claims where every cell has the same error."""
    return judge(Results(scale, [finished(cell) for cell in cells_of(scale)]), read_rules())


def verdicts_about(rules, error_of=lambda cell: 5.0):
    results = [finished(c, error_of(c)) for c in cells({"changing_uniform"})]
    return judge(Results("standard", results), rules)


# A claim from its parts


@pytest.mark.parametrize(
    ("levels", "expected", "parts"),
    [
        (["0.5", "3"], "reproduced", "2 hold"),
        (["0.5", "1.5"], "not reproduced", "1 holds, 1 does not hold"),
        (["1.5", "9"], "not reproduced", "1 does not hold, 1 not run"),  # one is enough to know
        (["0.5", "9"], "holds so far (1 of 2 parts)", "1 holds, 1 not run"),
        (["9"], "not run", "1 not run"),
    ],
)
def test_a_claim_fails_with_a_part_and_holds_only_with_all(levels, expected, parts):
    rules = rules_with(*({**LEVEL, "levels": [alpha], **FOUND} for alpha in levels))
    judged = verdicts_about(rules, lambda cell: 8.0 if cell.alpha == "1.5" else 2.0)
    table = claims_table("claims", judged, {"made-up": "A claim."})
    assert table.rows == [("A claim.", expected, parts, "made-up")]
    assert bool(table.absent()) == (expected == "not run"), "a part of it was run"


def test_a_claim_that_cannot_tell_is_not_reproduced_and_not_counted_as_held():
    needs = {"criterion": "found", "models": ["RSSM"], "otherwise": "is lost"}
    rules = rules_with(LEVEL | {"checks": [one_check("found", needs=needs)]}, LEVEL | FOUND)
    judged = verdicts_about(rules, lambda cell: 8.0 if cell.model_type == "RSSM" else 2.0)
    assert judged[0].verdict == "not run"
    table = claims_table("claims", judged, {"made-up": "A claim."})
    assert table.rows[0][1:3] == ("undecided at this scale", "1 holds, 1 cannot tell")
    assert parts_found(judged) == [("holds", 1), ("do not hold", 0), ("cannot tell", 1)]
    assert [row[7] for row in measurements_table("m", judged).rows] == ["cannot tell", "holds"]


def test_a_claim_is_not_run_without_any_one_of_its_cells_and_names_it():
    rules = rules_with(LEVEL | {"checks": [one_check("below_untrained")]})
    for gone in ("VICReg", "Random"):
        results = [
            CellResult(c, None, "not run")
            if (c.model_type, c.variant, c.alpha) == (gone, "published", "1.5")
            else finished(c)
            for c in cells({"changing_uniform"})
        ]
        claim = judge(Results("standard", results), rules)[0]
        assert claim.verdict == "not run"
        missing = f"{gone}/changing_uniform/alpha1.5-published-seed1"
        assert claim.parts[0].checks[0].missing == [missing]


def test_a_level_outside_the_scale_is_missing():
    claim = verdicts_about(rules_with({**LEVEL, "levels": ["1.5", "9"], **FOUND}))[0]
    assert claim.verdict == "not run"
    assert "alpha9-published (not in this scale)" in claim.parts[0].checks[0].missing[0]


def test_no_verdict_at_all_without_runs():
    results = [CellResult(cell, None, "not run") for cell in cells_of("standard")]
    claims = judge(Results("standard", results), read_rules())
    assert {claim.verdict for claim in claims} == {"not run"}
    tables = (
        claims_table("claims", claims, PAPERS),
        checks_table("checks", claims, PAPERS, read_rules()),
        measurements_table("measurements", claims),
    )
    for table in tables:
        assert len(table.absent()) == len(table.rows) > 9


# The paper's claims


def test_there_are_criteria_for_every_published_claim():
    published = [claim["id"] for claim in read_published()["claims"]]
    assert [claim.id for claim in read_rules().claims] == published


def test_the_standard_and_the_paper_scale_hold_every_cell_that_the_claims_need():
    for scale in ("standard", "paper"):
        for claim in verdicts_of(scale):
            for part in claim.parts:
                assert part.verdict != "not run", (scale, part)


@pytest.mark.parametrize("scale", ["quick", "seeds"])
def test_the_short_scales_judge_the_levels_that_they_run(scale):
    """Had this scale no part of its own for a level, its cells would tell nothing."""
    families = {
        (claim.claim.id, part.part.family)
        for claim in verdicts_of(scale)
        for part in claim.parts
        if part.verdict != "not run"
    }
    assert families == {
        ("changing-noise", "changing_uniform"),
        ("fixed-noise-jepa-fails", "fixed_uniform"),
        ("fixed-noise-reconstruction", "fixed_uniform"),
        ("fixed-noise-idm", "changing_uniform"),
        ("fixed-noise-idm", "fixed_uniform"),
        ("bounds", "changing_uniform"),
        ("bounds", "fixed_uniform"),
    }


def test_the_paper_scale_leaves_no_level_of_a_claim_unjudged():
    """Models, variant and families of every claim about a range of levels."""
    about = {
        "changing-noise": (("VICReg", "SimCLR"), "published", "changing"),
        "fixed-noise-jepa-fails": (("VICReg", "SimCLR"), "published", "fixed"),
        "fixed-noise-reconstruction": (("RSSM",), "published", "fixed"),
        "fixed-noise-idm": (("IDM",), "published", ""),
        "bounds": (("VICReg", "SimCLR", "RSSM", "IDM", "Random", "Supervised"), "published", ""),
        "untuned-robustness": (("VICReg", "SimCLR", "RSSM"), "untuned", "changing_uniform"),
    }
    paper = cells_of("paper")
    for verdict in verdicts_of("paper"):
        models, variant, family = about.get(verdict.claim.id, ((), "", ""))
        checks = [check for part in verdict.parts for check in part.checks]
        measured = {cell for check in checks for m in check.measurements for cell in m.cells}
        asked = {
            cell
            for cell in paper
            if (cell.model_type in models, cell.variant) == (True, variant)
            and cell.family.startswith(family)
            and cell.family != "three_dots"
            and cell.alpha != "0"
        }
        assert asked <= measured, verdict.claim.id
        assert asked or not models, verdict.claim.id


def test_the_published_numbers_of_table_1_are_hits_and_misses():
    """The reasons of `kept` and `missed` say how far: of each dot's own centre."""
    padding = 2.6  # the stationary dot is uniform between the paddings, so its spread is known
    stationary = math.sqrt((IMAGE_SIZE - 1 - 2 * padding) ** 2 / 6) / IMAGE_SIZE
    assert stationary == pytest.approx(0.318, abs=5e-4)
    centres = {"action": 0.335, "random": 0.335, "stationary": stationary}
    table = read_published()["table_1_three_dots"]
    shares = sorted(
        table[model][dot] / centres[dot]
        for model in ("VICReg", "SimCLR", "IDM", "RSSM")
        for dot in centres
        if dot in table[model]
    )
    hits = [share for share in shares if share < 0.4]
    misses = shares[len(hits) :]
    assert max(hits) == pytest.approx(0.208, abs=5e-3)
    assert (misses[0], misses[-1]) == pytest.approx((0.576, 0.856), abs=5e-3)


# Tables


def test_the_page_says_how_short_the_trainings_were():
    judged = verdicts_of("quick")
    assert "epochs, of those published" in claims_table("claims", judged, PAPERS).caption
    judged = verdicts_of("paper")
    assert "epochs" not in claims_table("claims", judged, PAPERS).caption
    changed = [
        finished(replace(c, changes=(Change("epochs", 2 + c.seed, 100), Change("batch", 64, 256))))
        for c in cells({"changing_uniform"}, seeds=(1, 2))
    ]
    judged = judge(Results("standard", changed), rules_with(LEVEL | FOUND))
    caption = claims_table("claims", judged, {"made-up": ""}).caption
    assert "epochs, of those published: VICReg 3 of 100 or 4 of 100. A" in caption


def test_every_measurement_names_its_cells():
    results = [finished(c) for c in cells({"changing_uniform"}, seeds=(1, 2))]
    judged = judge(Results("standard", results), rules_with(LEVEL | FOUND))
    path = "standard/VICReg/changing_uniform/alpha1.5-published-seed"
    assert [row[-1] for row in measurements_table("m", judged).rows] == [f"{path}1, {path}2"]


def test_a_check_says_its_precondition_and_when_the_criteria_were_fixed():
    table = checks_table("checks", verdicts_of("quick"), PAPERS, read_rules())
    asked = " ".join(row[2] for row in table.rows)
    assert "cannot tell unless RSSM: at most 0.5 x the centre's error" in asked
    assert "where it holds, it is left out unless the model itself: the loss fell" in asked
    said = (Path(page.__file__).parent / "templates/criteria.txt").read_text()
    assert "after a prototype" in said


def test_a_check_has_a_row_for_each_model_and_one_number_in_each():
    table = checks_table("checks", verdicts_of("quick"), PAPERS, read_rules())
    shown = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    found = [row for row in shown if row["holds"] != "not run" and row["bound"]]
    assert found
    for row in found:
        assert re.fullmatch(r"\d+\.\d\d px", row["measured"])
        assert re.fullmatch(r"at (most|least) \d+\.\d\d", row["bound"])
        assert "," not in row["model"]
    groups = table.split()
    assert set(groups) == {PAPERS[v.claim.id] for v in verdicts_of("quick") if claim_has_run(v)}


def claim_has_run(verdict):
    return any(part.verdict != "not run" for part in verdict.parts)
