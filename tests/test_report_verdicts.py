"""How verdicts are reached: criteria, preconditions, ranges of levels, what is missing."""

from __future__ import annotations

import pytest

from slow_features.report.claims import judge
from slow_features.report.criteria import Rules, read_rules
from slow_features.report.results import CellResult, Results
from tests.fake_cells import LEVEL, cells, finished, one_check, rules_with
from tests.fake_results import CENTRE_PX

UNTRAINED = {"losses": (4.0, 3.99), "moved": 1e-3}


def judged(part, error_of=lambda cell: 7.0, absent=lambda cell: False, made_up=lambda cell: {}):
    """Return the verdict about a part; error_of, absent, made_up: of a cell."""
    results = [
        CellResult(cell, None, "not run")
        if absent(cell)
        else finished(cell, error_of(cell), **made_up(cell))
        for cell in cells({part["family"], "changing_uniform", "fixed_uniform"})
    ]
    return judge(Results("standard", results), rules_with(part))[0].parts[0]


def by_model(errors):
    """Return the error of a cell from a dictionary by (model, variant); the rest is 7 px."""
    return lambda cell: errors.get((cell.model_type, cell.variant), 7.0)


@pytest.mark.parametrize(
    ("check", "error", "expected"),
    [
        (one_check("found"), 0.5 * CENTRE_PX - 0.01, "reproduced"),
        (one_check("found"), 0.5 * CENTRE_PX + 0.01, "not reproduced"),
        (one_check("below_untrained"), 0.7 * 7 - 0.01, "reproduced"),
        (one_check("below_untrained"), 0.7 * 7 + 0.01, "not reproduced"),
        (one_check("as_good_as_reconstruction"), 7.49, "reproduced"),
        (one_check("as_good_as_reconstruction"), 7.51, "not reproduced"),
        (one_check("near_untrained"), 0.8 * 7 + 0.01, "reproduced"),
        (one_check("near_untrained"), 0.8 * 7 - 0.01, "not reproduced"),
        (one_check("within_centre"), 1.05 * CENTRE_PX + 0.01, "not reproduced"),
        (one_check("not_above_untrained"), 7.24, "reproduced"),
        (one_check("not_above_untrained"), 7.26, "not reproduced"),
        (one_check("not_below_supervised"), 6.76, "reproduced"),
        (one_check("not_below_supervised"), 6.74, "not reproduced"),
    ],
)
def test_a_criterion_turns_at_its_number(check, error, expected):
    part = judged(LEVEL | {"checks": [check]}, by_model({("VICReg", "published"): error}))
    assert part.verdict == expected


@pytest.mark.parametrize(
    ("criterion", "share", "expected"),
    [
        ("is_noise", {"noise_share": 0.801}, "reproduced"),
        ("is_noise", {"noise_share": 0.799}, "not reproduced"),
        ("holds_no_dot", {"dot_share": 0.099}, "reproduced"),
        ("holds_no_dot", {"dot_share": 0.101}, "not reproduced"),
        ("holds_the_dot", {"dot_share": 0.501}, "reproduced"),
        ("holds_the_dot", {"dot_share": 0.499}, "not reproduced"),
    ],
)
def test_a_criterion_about_a_share_compares_it_with_a_number(criterion, share, expected):
    part = judged(
        LEVEL | {"checks": [one_check(criterion)]}, made_up=lambda cell: {"dynamics": share}
    )
    assert part.verdict == expected
    (measured,) = part.checks[0].decisive
    assert measured.value == f"{next(iter(share.values())):.3f} of the variance"


def test_claims_of_our_own_are_judged_apart_and_say_what_they_claim():
    rules = read_rules()
    assert not {claim.id for claim in rules.own} & {claim.id for claim in rules.claims}
    results = Results("standard", [finished(c) for c in cells({"changing_uniform"})])
    own = judge(results, rules, rules.own)
    assert [verdict.claim.id for verdict in own] == [claim.id for claim in rules.own]
    with pytest.raises(ValueError, match="a claim of ours has a text"):
        Rules.model_validate(
            rules.model_dump() | {"own": [rules.own[0].model_dump() | {"text": ""}]}
        )


# Preconditions

RSSM_FOUND = {"criterion": "found", "models": ["RSSM"], "otherwise": "has not found the dot itself"}
AS_GOOD = one_check("as_good_as_reconstruction", needs=RSSM_FOUND)


@pytest.mark.parametrize(
    ("vicreg", "rssm", "expected"),
    [
        (4.0, 4.6, "reproduced"),
        (6.0, 4.6, "not reproduced"),
        (4.0, 6.27, "cannot tell"),
        (8.0, 6.27, "cannot tell"),  # nor does it fail
    ],
)
def test_a_reference_that_has_learned_nothing_tells_nothing(vicreg, rssm, expected):
    errors = by_model({("VICReg", "published"): vicreg, ("RSSM", "published"): rssm})
    part = judged(LEVEL | {"checks": [AS_GOOD]}, errors)
    assert part.verdict == expected
    said = "cannot tell: RSSM (6.27 px) has not found the dot itself"
    assert part.checks[0].decisive[0].text.endswith(said) == (expected == "cannot tell")


@pytest.mark.parametrize(
    ("criterion", "expected"), [("found", "cannot tell"), ("near_untrained", "not reproduced")]
)
def test_a_part_that_cannot_tell_holds_not_but_fails_with_another_check(criterion, expected):
    errors = by_model({("VICReg", "published"): 4.0, ("RSSM", "published"): 6.0})
    part = judged(LEVEL | {"checks": [one_check(criterion), AS_GOOD]}, errors)
    assert part.verdict == expected


def test_a_precondition_is_judged_at_each_level_and_a_missing_cell_of_it_is_named():
    part = {"family": "changing_uniform", "levels": ["0.5", "1.5", "3"], "checks": [AS_GOOD]}

    def error_of(cell):
        return 6.0 if (cell.model_type, cell.alpha) == ("RSSM", "3") else 4.0

    levels = {m.alpha: m.verdict for m in judged(part, error_of).checks[0].measurements}
    assert levels == {"0.5": "reproduced", "1.5": "reproduced", "3": "cannot tell"}
    needs = {**RSSM_FOUND, "models": ["IDM"]}
    gone = judged(
        LEVEL | {"checks": [one_check("found", needs=needs)]},
        absent=lambda cell: (cell.model_type, cell.alpha) == ("IDM", "1.5"),
    )
    assert gone.verdict == "not run"
    assert gone.checks[0].missing == ["IDM/changing_uniform/alpha1.5-published-seed1"]


FIXED = {"family": "fixed_uniform", "levels": ["0.5", "1.25", "2.5"]}
MOVED = {"criterion": "training_worked", "otherwise": "hardly moved", "leave_out": True}
JEPA_FAILS = [
    one_check("training_worked", variant="control"),
    one_check("near_untrained", variant="control"),
    one_check("near_untrained", needs=MOVED),
]


@pytest.mark.parametrize(
    ("control", "published", "untrained", "expected"),
    [
        (8.0, 8.0, (), "reproduced"),
        (8.0, 8.0, ("control",), "not reproduced"),
        (2.0, 8.0, (), "not reproduced"),  # the control finds the dot
        (8.0, 2.0, (), "not reproduced"),  # the published rate finds it
        (8.0, 8.0, ("published",), "reproduced"),  # the control alone decides
        (8.0, 2.0, ("published",), "not reproduced"),  # whatever its loss did
        (2.0, 8.0, ("published",), "not reproduced"),
    ],
)
def test_a_failure_counts_only_where_something_has_trained(control, published, untrained, expected):
    part = judged(
        FIXED | {"checks": JEPA_FAILS},
        by_model({("VICReg", "control"): control, ("VICReg", "published"): published}),
        made_up=lambda cell: UNTRAINED if cell.variant in untrained else {},
    )
    assert part.verdict == expected
    if "published" in untrained and published == 8.0:
        assert part.checks[2].verdict == "cannot tell"
        assert "hardly moved" in part.checks[2].decisive[0].text


@pytest.mark.parametrize("facts", [{"losses": (4.0, 3.9)}, {"moved": 0.01}])
def test_a_training_has_worked_if_the_loss_fell_and_the_network_moved(facts):
    part = FIXED | {"checks": [one_check("training_worked", variant="control")]}
    assert judged(part).verdict == "reproduced"
    assert judged(part, made_up=lambda cell: facts).verdict == "not reproduced"


def test_rules_that_decide_nothing_are_refused():
    only = one_check("near_untrained", needs=MOVED)
    with pytest.raises(ValueError, match="none decides"):
        rules_with(LEVEL | {"checks": [only]})
    with pytest.raises(ValueError, match="outside of its own range"):
        rules_with(LEVEL | {"within": {"above": "1.5"}, "checks": [one_check("found")]})
    unknown = one_check("found", needs={**RSSM_FOUND, "criterion": "seen"})
    with pytest.raises(ValueError, match="unknown criteria: seen"):
        rules_with(LEVEL | {"checks": [unknown]})


# Levels


@pytest.mark.parametrize(
    ("levels", "within", "expected"),
    [
        (["1.5"], None, ["1.5"]),
        (["0.5", "3"], None, ["0.5", "3"]),
        (["1.5"], {}, ["0", "0.5", "1.5", "3"]),
        (["1.5"], {"above": "0"}, ["0.5", "1.5", "3"]),
        (["1.5"], {"above": "0.5", "to": "1.5"}, ["1.5"]),
        (["0.5"], {"to": "1.5"}, ["0", "0.5", "1.5"]),
    ],
)
def test_every_level_of_the_scale_in_the_range_is_judged(levels, within, expected):
    part = {"family": "changing_uniform", "levels": levels, "within": within}
    measured = judged(part | {"checks": [one_check("found")]}).checks[0].measurements
    assert [m.alpha for m in measured] == expected


def test_a_level_without_its_reference_in_the_scale_is_judged_only_if_it_is_listed():
    check = one_check("not_better", against={"family": "fixed_uniform"})
    part = {"family": "fixed_structured", "within": {"above": "0"}, "checks": [check]}
    measured = judged(part | {"levels": ["0.5"]}).checks[0].measurements
    assert [m.alpha for m in measured] == ["0.5"], "fixed uniform noise has no 1.5 and no 3"
    assert judged(part | {"levels": ["0.5", "3"]}).verdict == "not run"


@pytest.mark.parametrize(
    ("holds", "good", "expected"),
    [
        ("every_level", ("0.5", "1.5", "3"), "reproduced"),
        ("every_level", ("0.5", "3"), "not reproduced"),  # 1.5 lies between, unlisted
        ("some_level", ("1.5",), "reproduced"),
        ("some_level", (), "not reproduced"),
    ],
)
def test_one_bad_level_fails_and_one_good_level_is_enough_where_one_is_asked_for(
    holds, good, expected
):
    part = {"family": "changing_uniform", "levels": ["0.5", "3"], "within": {"above": "0"}}
    part |= {"holds": holds, "checks": [one_check("found")]}
    assert judged(part, lambda cell: 2.0 if cell.alpha in good else 8.0).verdict == expected


@pytest.mark.parametrize(
    ("good", "expected"), [((), "cannot tell"), (("0.5",), "reproduced"), (("1.5",), "cannot tell")]
)
def test_where_one_level_is_enough_one_that_cannot_tell_leaves_it_open(good, expected):
    """RSSM has not found the dot at 1.5."""
    part = {"family": "changing_uniform", "levels": ["0.5", "1.5"], "holds": "some_level"}

    def error_of(cell):
        if cell.model_type == "RSSM":
            return 6.0 if cell.alpha == "1.5" else 2.0
        return 2.0 if cell.alpha in good else 8.0

    check = one_check("found", needs=RSSM_FOUND)
    assert judged(part | {"checks": [check]}, error_of).verdict == expected


def test_the_mean_over_the_seeds_decides():
    shifts = {1: -3.0, 2: 0.0, 3: 2.0}
    results = [
        finished(c, 5.0 + shifts[c.seed]) for c in cells({"changing_uniform"}, seeds=(1, 2, 3))
    ]
    bound = {"b": {"at_most": 1.0, "of": "centre", "plus_px": 4.7 - CENTRE_PX, "why": "test"}}
    rules = rules_with(LEVEL | {"checks": [one_check("b")]}, criteria=bound)
    claim = judge(Results("standard", results), rules)[0]
    assert claim.parts[0].checks[0].decisive[0].text == "4.67 px (at most 4.70)"
    assert claim.verdict == "reproduced"


@pytest.mark.parametrize(("other", "expected"), [("1.25", "reproduced"), ("0.5", "not reproduced")])
def test_a_model_is_compared_with_itself_at_another_level(other, expected):
    """6 px are a quarter more than 4 px, not than 5 px."""
    errors = {"0.5": 5.0, "1.25": 4.0, "2.5": 6.0}
    check = one_check("degraded", against={"alpha": other})
    part = {"family": "fixed_uniform", "levels": ["2.5"], "checks": [check]}
    assert judged(part, lambda cell: errors.get(cell.alpha, 7.0)).verdict == expected
