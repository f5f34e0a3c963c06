"""Pieces of a report that need no result: links, folds, words, curves."""

from __future__ import annotations

import csv

from slow_features.grid.cells import cells_of
from slow_features.models.rssm import FREE_NATS
from slow_features.report.claim_tables import parts_in_words
from slow_features.report.curves import relative_loss
from slow_features.report.grid import seeds_in_words
from slow_features.report.links import Link, linked
from slow_features.report.style import new_figure, save, styled
from slow_features.report.tables import NotRun, Table


def test_links_escape_what_is_around_them():
    links = {"a/b": Link("cell-a-b", "a/b")}
    assert linked("<i> a/b. a/b/c", links) == ('&lt;i&gt; <a href="#cell-a-b">a/<wbr>b</a>. a/b/c')
    assert linked("<i>", {}) == "&lt;i&gt;"
    hostile = linked("x", {"x": Link('"><script>', "<script>")})
    assert hostile == '<a href="#&#34;&gt;&lt;script&gt;">&lt;script&gt;</a>'


def test_rows_that_were_not_run_are_folded_and_those_run_in_part_are_not():
    rows = [NotRun(("a", None, "2 not run")), ("b", "not run", "not run"), ("c", 1, "d")]
    table = Table("t", "T", "c", ("name", "verdict", "parts"), rows)
    assert [row[0] for row in table.absent()] == ["a"]
    assert [row[0] for row in table.present()] == ["b", "c"]
    assert table.csv().count("\n") == table.markdown().count("\n") == 4


def test_a_cell_is_its_path_on_the_page_and_its_labels_in_csv():
    cell = cells_of("quick")[0]
    table = Table("t", "T", "c", ("cell", "px"), [(cell, 1.5), NotRun((cell, None))])
    assert table.shown()[0] == [str(cell.path), "1.5"]
    head, first, second = csv.reader(table.csv().splitlines())
    assert head == ["scale", "family", "alpha", "model", "variant", "seed", "px"]
    assert first == ["quick", "changing_uniform", "1.5", "VICReg", "published", "1", "1.5"]
    assert second == [*first[:-1], ""]


def test_one_seed_is_said_to_be_one():
    assert seeds_in_words([1]) == "one seed (1)"
    assert seeds_in_words([1, 2, 3]) == "seeds 1, 2, 3"


def test_the_constant_of_rssms_loss_is_left_out_of_its_curve():
    curve = [{"loss": FREE_NATS + 2.0}, {"loss": FREE_NATS + 0.5}]
    assert relative_loss("RSSM", curve) == [1.0, 0.25]
    assert relative_loss("IDM", curve) == [1.0, (FREE_NATS + 0.5) / (FREE_NATS + 2.0)]


def test_parts_of_claims_are_counted_in_words():
    counts = {"reproduced": 1, "not run": 2, "cannot tell": 3}
    assert parts_in_words(counts) == "1 holds, 0 do not hold, 3 cannot tell, 2 not run"


def test_a_figure_holds_no_date_and_no_version(tmp_path):
    with styled():
        picture = save(new_figure(1.0), tmp_path, "empty", "t", "c")
    assert b"dc:date" not in (tmp_path / picture.svg).read_bytes()
    assert b"Software" not in (tmp_path / picture.png).read_bytes()
