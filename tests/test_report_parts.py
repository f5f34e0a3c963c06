"""Pieces of a report that need no result: links, folds, words, curves."""

from __future__ import annotations

import base64
import csv

import pytest

from slow_features.grid.cells import cells_of
from slow_features.models.rssm import FREE_NATS
from slow_features.report.claim_tables import parts_in_words
from slow_features.report.curves import relative_loss
from slow_features.report.grid import seeds_in_words
from slow_features.report.page import mark
from slow_features.report.style import new_figure, save, styled
from slow_features.report.tables import NotRun, Table


def test_rows_that_were_not_run_are_folded_and_those_run_in_part_are_not():
    rows = [NotRun(("a", None, "2 not run")), ("b", "not run", "not run"), ("c", 1, "d")]
    table = Table("t", "T", "c", ("name", "verdict", "parts"), rows)
    assert [row.texts[0] for row in table.absent()] == ["a"]
    assert [row.texts[0] for row in table.present()] == ["b", "c"]
    assert table.csv().count("\n") == table.markdown().count("\n") == 4


def test_a_cell_has_columns_on_the_page_and_all_its_labels_in_csv():
    cell = cells_of("quick")[0]
    table = Table("t", "T", "c", ("cell", "px"), [(cell, 1.5), NotRun((cell, None))])
    assert table.header() == ["method", "variant", "noise", "alpha", "seed", "px"]
    shown = table.shown()[0]
    assert shown.texts == ["VICReg", "published", "changing uniform", "1.5", "1", "1.5"]
    assert shown.anchor == "cell-VICReg-changing_uniform-alpha1.5-published-seed1"
    assert shown.name.startswith(shown.texts[0]), "a link is called what is seen of it, and more"
    right = [table.is_number(i) for i in range(6)]
    assert right == [False, False, False, True, True, True]
    assert table.markdown().splitlines()[0].count("|") == 7
    head, first, second = csv.reader(table.csv().splitlines())
    assert head == ["scale", "family", "alpha", "model", "variant", "seed", "px"]
    assert first == ["quick", "changing_uniform", "1.5", "VICReg", "published", "1", "1.5"]
    assert second == [*first[:-1], ""]


def test_a_repeated_text_spans_its_rows_only_within_the_columns_before_it():
    rows = [("a", "x", 1), ("a", "x", 2), ("a", "y", 3), ("b", "y", 4)]
    table = Table("t", "T", "c", ("one", "two", "n"), rows, merged=2)
    assert table.spans(table.present()) == [[3, 2], [0, 0], [0, 1], [1, 1]]
    assert list(table.split()) == ["a", "b"]
    assert table.split()["b"].rows == [("y", 4)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("holds so far (2 of 6 parts)", "good"),
        ("undecided at this scale", "absent"),
        ("cannot tell: RSSM (6.21 px) has not found the dot itself", "absent"),
        ("not reproduced", "bad"),
        ("does not hold", "bad"),
        ("trained", "good"),
        ("trained on", ""),
        ("not run yet by anybody", ""),
    ],
)
def test_a_verdict_has_a_colour_whatever_stands_behind_it_and_no_other_text_has(text, kind):
    assert mark(text) == kind


def test_a_number_that_rounds_to_zero_has_no_sign():
    assert Table("t", "T", "", ("r2",), [(-0.001,)], {"r2": 2}).shown()[0].texts == ["0.00"]


def test_one_seed_is_said_to_be_one():
    assert seeds_in_words([1]) == "one seed (1)"
    assert seeds_in_words([1, 2, 3]) == "seeds 1, 2, 3"


def test_the_constant_of_rssms_loss_is_left_out_of_its_curve():
    curve = [{"loss": FREE_NATS + 2.0}, {"loss": FREE_NATS + 0.5}]
    assert relative_loss("RSSM", curve) == [1.0, 0.25]
    assert relative_loss("IDM", curve) == [1.0, (FREE_NATS + 0.5) / (FREE_NATS + 2.0)]


def test_parts_of_claims_are_counted_in_words():
    counts = {"reproduced": 1, "not run": 2, "cannot tell": 3}
    assert parts_in_words(counts) == "1 holds, 3 cannot tell, 2 not run"


def test_a_figure_holds_no_date_and_no_version(tmp_path):
    with styled():
        picture = save(lambda width: new_figure(1.0, width), tmp_path, "empty", "t", "c", "a")
    assert b"dc:date" not in (tmp_path / picture.svg).read_bytes()
    assert b"Software" not in (tmp_path / picture.png).read_bytes()
    assert b"dc:date" not in base64.b64decode(picture.narrow.partition(",")[2])
