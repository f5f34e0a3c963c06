"""Claim: a result is a small file that says what its numbers mean and always has the same bytes."""

import json

import pytest
import torch

from slow_features.data.noise import NoiseSetting
from slow_features.errors import InputError
from slow_features.probe.collapse import COLLAPSED_BELOW, Spread
from slow_features.probe.metrics import NAMES, error_table
from slow_features.probe.result import (
    Errors,
    Noise,
    Paths,
    ProbeErrors,
    ProbeResult,
    json_schema,
    read_paths,
    read_result,
    write_block,
)


def result(dots=("action",), squares=4.0):
    table = error_table(torch.full((17, len(dots)), squares, dtype=torch.float64), dots)
    probe = ProbeErrors(
        **table, solver="closed_form", fitted_on=100, rank=512, spread=0.5, collapsed=False
    )
    return ProbeResult(
        model_type="VICReg",
        dataset_type="Single" if len(dots) == 1 else "Multiple",
        noise=Noise.of(NoiseSetting(changing=1.5)),
        seed=1,
        embedding_size=512,
        evaluated_on=100,
        pred=probe,
        enc=probe,
        centre=Errors(**table),
        data_checksum="ab" * 32,
        weights_checksum="cd" * 32,
    )


def test_a_result_comes_back_as_it_was_written(tmp_path):
    file = tmp_path / "probe.json"
    write_block(file, result())
    first = file.read_bytes()
    assert read_result(file) == result()
    write_block(file, read_result(file))
    assert file.read_bytes() == first


def test_numbers_are_kept_to_six_digits():
    squares = 2.0 + 1e-12  # noise of the last bits must not reach the file
    assert result(squares=squares) == result(squares=2.0)
    assert result(squares=2.0).pred.rmse_px == 1.41421


ENCODINGS = {"copy_mse": 0.1, "noise_share": 0.75, "dot_share": 0.2, "interaction_share": 0.05}


def test_headline_metrics_are_the_named_ones():
    one, three = result(), result(("action", "random", "stationary"))
    assert list(one.flat(ENCODINGS)) == list(NAMES)
    assert set(three.flat(ENCODINGS)) - set(NAMES) == {
        "rmse_px_action",
        "rmse_px_random",
        "rmse_px_stationary",
    }
    assert one.flat(ENCODINGS) == {
        "rmse_px": 2.0,
        "rmse_unit": 0.0714286,
        "enc_rmse_px": 2.0,
        "centre_rmse_px": 2.0,
        "spread": 0.5,
        "collapsed": 0.0,
        "rank": 512.0,
        "noise_share": 0.75,
        "dot_share": 0.2,
    }
    without_noise = one.flat({"copy_mse": 0.1})
    assert set(NAMES) - set(without_noise) == {"noise_share", "dot_share"}


def test_a_collapse_and_a_singular_matrix_are_among_the_metrics_and_named():
    whole = result()
    singular = whole.model_copy(update={"pred": whole.pred.model_copy(update={"rank": 37})})
    gone = whole.model_copy(update={"pred": whole.pred.model_copy(update={"collapsed": True})})
    own = whole.model_copy(update={"pred": whole.pred.model_copy(update={"rank": None})})
    assert (singular.flat({})["rank"], singular.states()) == (37.0, "rank 37 of 512")
    assert (gone.flat({})["collapsed"], gone.states()) == (1.0, "collapsed to one constant")
    assert "rank" not in own.flat({})
    assert own.states() is None


def test_every_field_is_described():
    schema = json_schema()
    described = [
        item
        for block in (schema, *schema["$defs"].values())
        for item in block["properties"].items()
    ]
    assert len(described) > 25
    assert [name for name, field in described if not field.get("description")] == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"schema_version": 1}, "schema_version"),
        ({"extra": 1}, "extra"),
        ({"seed": "x"}, "seed"),
        ({"pred": None}, "pred"),
    ],
)
def test_a_file_of_another_form_is_refused_in_one_line(tmp_path, change, place):
    file = tmp_path / "probe.json"
    file.write_text(json.dumps(result().model_dump(mode="json") | change))
    with pytest.raises(InputError) as caught:
        read_result(file)
    assert str(file) in str(caught.value)
    assert place in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe", b"[]"])
def test_a_missing_or_broken_file_is_refused(tmp_path, content):
    file = tmp_path / "probe.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"probe\.json"):
        read_result(file)


def test_an_error_that_is_not_a_number_cannot_be_written():
    with pytest.raises(ValueError, match="finite"):
        result(squares=float("nan"))


def test_paths_are_kept_to_a_thousandth_of_a_pixel(tmp_path):
    paths = Paths(dots=["action"], true=[[[[1.23456, 2.0]]]], decoded=[[[[-0.0001, 3.0]]]])
    write_block(tmp_path / "paths.json", paths)
    again = read_paths(tmp_path / "paths.json")
    assert again == paths
    assert again.true == [[[(1.235, 2.0)]]]
    assert "-0.0" not in (tmp_path / "paths.json").read_text()


def spread_of(states, parts=3):
    spread = Spread()
    for part in states.split(parts, 1):
        spread.add(part.double())
    return spread.value()


def test_spread_is_the_standard_deviation_over_the_size():
    g = torch.Generator().manual_seed(0)
    states = torch.randn(4, 10, 6, generator=g) + 2
    rows = states.double().flatten(0, 1)
    expected = ((rows - rows.mean(0)).square().sum() / rows.square().sum()).sqrt().item()
    assert spread_of(states) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_constant_states_count_as_collapsed_whatever_their_size(size):
    g = torch.Generator().manual_seed(0)
    constant = size * torch.randn(6, generator=g).expand(4, 10, 6)
    noise = size * torch.randn(4, 10, 6, generator=g)
    assert spread_of(constant + 1e-5 * noise) < COLLAPSED_BELOW
    assert spread_of(constant + 1e-1 * noise) > COLLAPSED_BELOW
    assert spread_of(0 * constant) == 0
