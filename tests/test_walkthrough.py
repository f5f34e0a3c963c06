"""The walkthrough page shows what the code really prints, and what it prints is the model's own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from slow_features import walkthrough
from slow_features.config.load import load_config
from slow_features.training.session import build_model, seeded_generator

PAGE = Path("docs/walkthrough.md")


@pytest.fixture(scope="module")
def printed():
    """What a reader gets who types the page's command."""
    command = [sys.executable, "-m", "slow_features.walkthrough"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def section(printed, title):
    """Return the lines below a title, as (what, shape)."""
    lines = printed.split(f"{title}\n", 1)[1].splitlines()
    rows = []
    for line in lines:
        found = re.match(r"  (.+?) +(\[[\d, ]*\]) ", line)
        if not found:
            break
        rows.append((found[1], found[2]))
    return rows


def test_the_page_quotes_the_output(printed):
    blocks = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert blocks == [printed]


def test_shapes_from_the_loader_to_the_model(printed):
    assert section(printed, "batch, as loaded") == [
        ("states", "[32, 17, 1, 28, 28]"),
        ("locations", "[32, 17, 1, 2]"),
        ("actions", "[32, 16, 1, 2]"),
    ]
    assert section(printed, "batch, time first") == [
        ("states", "[17, 32, 1, 28, 28]"),
        ("locations", "[17, 32, 1, 2]"),
        ("actions", "[16, 32, 2]"),
    ]
    assert section(printed, "three dots") == [
        ("states", "[32, 17, 3, 28, 28]"),
        ("locations", "[32, 17, 3, 2]"),
        ("actions", "[32, 16, 3, 2]"),
        ("actions, time first", "[16, 32, 2]"),
    ]


def test_shapes_inside_the_model_and_the_probe(printed):
    shapes = dict(section(printed, "VICReg"))
    assert shapes["into the encoder"] == "[544, 1, 28, 28]"
    assert shapes["out of the encoder"] == "[544, 512]"
    assert shapes["encodings"] == "[17, 32, 512]"
    assert shapes["predictions"] == "[16, 32, 512]"
    assert {shapes[term] for term in ("sim", "std", "cov", "loss")} == {"[]"}
    assert section(printed, "probe")[-1] == ("decoded locations", "[17, 32, 1, 2]")


def test_the_brightest_pixel_is_at_row_y_and_column_x(printed):
    x, y = re.search(r"x = ([\d.]+) px, y = ([\d.]+) px", printed).groups()
    row, column = re.search(r"frame\[(\d+), (\d+)\]", printed).groups()
    assert (int(row), int(column)) == (round(float(y)), round(float(x)))
    assert row != column


def test_terms_shown_one_by_one_are_those_of_the_training_step(printed):
    config = load_config([], walkthrough.SETTINGS).config
    batch = walkthrough.first_batch(config).time_major()
    model = build_model(config, walkthrough.CPU)
    losses = model.losses(batch, seeded_generator(walkthrough.CPU, seed=1, counter=0))
    shown = dict(re.findall(r"  (sim|std|cov|loss) +\[\] .*?(\d[\d.e-]*)", printed))
    assert shown.keys() == losses.keys()
    for name, value in losses.items():
        torch.testing.assert_close(float(shown[name]), value.item(), rtol=6e-3, atol=0)
