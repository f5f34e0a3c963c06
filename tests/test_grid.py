"""The grid: cells are those of the paper, each with its file's settings and named changes."""

from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePath

import pytest
import yaml

from slow_features.config.authors_layout import authors_settings, published_rows
from slow_features.config.load import load_config, resolve
from slow_features.errors import InputError
from slow_features.grid import write_configs
from slow_features.grid.cells import cells_of
from slow_features.grid.config_files import config_file
from slow_features.grid.definition import load_grid
from slow_features.grid.engine import Job, failure_lines, run_jobs
from slow_features.grid.machines import Machines
from slow_features.grid.plan import sequences_of
from slow_features.grid.run import _jobs, data_groups, find_cell
from slow_features.grid_stages import run_stage
from slow_features.models.registry import MODELS

SCALES = ("quick", "seeds", "remedies", "standard", "published", "paper")


@pytest.mark.parametrize("row", published_rows(), ids=lambda row: row["file"])
def test_a_published_file_says_what_its_row_says(row):
    """Each of the 144 files loads to the settings that the authors' layout describes."""
    expected = resolve(authors_settings(row)).config
    assert load_config([Path("reproduce_configs") / row["file"]]).config == expected


def test_files_are_the_ones_that_the_table_writes():
    for row in published_rows():
        file = Path("reproduce_configs") / row["file"]
        assert file.read_text() == write_configs.config_text(row), file


@pytest.mark.parametrize("scale", SCALES)
def test_cells_have_places_of_their_own(scale):
    cells = cells_of(scale)
    assert max(Counter(cell.path for cell in cells).values()) == 1
    assert {cell.scale for cell in cells} == {scale}


def test_the_paper_scale_is_the_published_grid():
    """Every published cell is there, unchanged but for seed and threads, with three seeds."""
    cells = {cell.path: cell for cell in cells_of("paper")}
    found = 0
    for row in published_rows():
        method = {"vicreg": "VICReg", "simclr": "SimCLR", "idm": "IDM", "rssm": "RSSM"}
        model = method.get(row["method"], "Supervised")
        for seed in (1, 2, 3):
            name = f"alpha{row['alpha']}-published-seed{seed}"
            cell = cells.get(Path("paper", model, row["noise"], name))
            if cell is None:
                assert float(row["alpha"]) > 3 or row["alpha"] in ("0.25", "0.75", "1.25")
                continue
            found += 1
            own = {"seed": seed, "threads": 1}
            one_dot = "Multiple" not in row["dataset_type"]
            if one_dot:
                file = load_config([cell.source]).config
                assert cell.config == file.model_copy(update=own), cell.path
                assert cell.changes == ()
    assert found > 380


def test_short_scales_name_every_change():
    for cell in cells_of("quick"):
        config = load_config([cell.source]).config
        if cell.config.model.epochs != config.model.epochs:
            assert f"epochs {cell.config.model.epochs} instead of {config.model.epochs}" in map(
                str, cell.changes
            )


def test_the_longest_cells_start_first_and_those_without_training_last(monkeypatch):
    def order():
        jobs = _jobs(cells_of("quick"), "probe")
        return list(dict.fromkeys(job.name.split("/")[1] for job in jobs))

    assert order() == ["RSSM", "VICReg", "SimCLR", "IDM", "Supervised", "Random"]
    monkeypatch.setitem(MODELS, "IDM", replace(MODELS["IDM"], cost=2.0))  # of twice the epochs
    monkeypatch.setitem(MODELS, "VICReg", replace(MODELS["VICReg"], trains=False))
    assert order() == ["IDM", "RSSM", "SimCLR", "Supervised", "VICReg", "Random"]


def test_seeds_are_the_cells_of_quick_three_times():
    """The same settings, so that what quick has trained is found in the store."""
    quick = {str(cell.path): cell.config for cell in cells_of("quick")}
    for cell in cells_of("seeds"):
        name = str(cell.path).replace("seeds/", "quick/").replace(f"seed{cell.seed}", "seed1")
        assert cell.config == quick[name].model_copy(update={"seed": cell.seed})
    assert len(cells_of("seeds")) == 3 * len(quick)


@pytest.mark.parametrize("scale", ["seeds", "standard", "paper"])
def test_the_published_probe_is_fitted_once_for_each_method(scale):
    cells = [cell for cell in cells_of(scale) if cell.adam_probe]
    assert sorted(cell.model_type for cell in cells) == sorted(load_grid(scale)["models"])
    assert {cell.seed for cell in cells} == {1}


def test_the_published_budget_changes_no_published_setting_and_has_the_published_probe():
    for cell in cells_of("published"):
        assert cell.adam_probe == (cell.variant != "control")
        if cell.variant == "published":
            assert {change.key for change in cell.changes} <= {"dataset_type"}  # of Random
        if cell.variant == "searched":
            assert [change.key for change in cell.changes] == ["hyper-parameters"]
        if cell.model_type != "Random":
            assert sequences_of(cell.config) > 0.99e6
            assert cell.config.n_steps == 17


def test_a_smaller_batch_keeps_the_rate_per_step():
    cell = find_cell("quick/SimCLR/changing_uniform/alpha1.5-published-seed1")
    published = load_config([cell.source]).config
    rate = cell.config.simclr.base_lr * cell.config.batch_size
    assert rate == pytest.approx(published.simclr.base_lr * published.batch_size)
    assert cell.config.batch_size < published.batch_size


def test_the_control_has_the_noise_of_its_cell_and_the_rate_of_the_other():
    cell = find_cell("quick/VICReg/fixed_uniform/alpha1.25-control-seed1")
    tuned = load_config([config_file("changing_uniform", "1.5", "VICReg")]).config
    assert (cell.config.dataset_noise, cell.config.dataset_static_noise) == (0.0, 1.25)
    assert cell.config.vicreg.base_lr == tuned.vicreg.base_lr
    assert cell.config.vicreg.sim_coeff == tuned.vicreg.sim_coeff


def test_a_remedy_has_the_settings_of_its_file_and_the_noise_of_its_cell():
    cell = find_cell("remedies/SimCLR/fixed_structured/alpha1.5-within-seed1")
    file = load_config([cell.source]).config
    assert cell.source == "reproduce_configs/remedies/simclr.within.yaml"
    assert cell.config.simclr == file.simclr and cell.config.simclr.negatives == "within"
    assert (cell.config.dataset_static_noise, cell.config.dataset_structured_noise) == (1.5, True)


def test_each_remedy_differs_from_the_control_in_what_its_name_says():
    """Everything else is the control's, so that a difference in the error is the remedy's."""
    control = {
        cell.model_type: cell.config.model.model_dump()
        for cell in cells_of("remedies")
        if (cell.variant, cell.family) == ("control", "fixed_uniform")
    }
    changed = {
        "within": {"negatives"},
        "within_action": {"negatives", "action_coeff"},
        "other_actions": {"negatives"},
        "action": {"action_coeff"},
        "time_std": {"time_std_coeff"},
        "differences": {"frame_differences"},
        "sigreg": {"std_coeff", "cov_coeff", "sigreg_coeff"},
    }
    remedies = [cell for cell in cells_of("remedies") if "/remedies/" in cell.source]
    assert {cell.variant for cell in remedies} == changed.keys()
    for cell in remedies:
        own, channels = cell.config.model.model_dump(), {"channels"}
        differs = {key for key in own if own[key] != control[cell.model_type][key]} - channels
        assert differs == changed[cell.variant], cell.path
        assert cell.config.dataset_batch_size == 64


def test_a_variant_may_have_seeds_of_its_own_and_a_family_fewer_models():
    cells = [cell for cell in cells_of("remedies") if cell.family == "fixed_uniform"]
    seeds = {v: [c.seed for c in cells if c.variant == v] for v in ("within", "within_action")}
    assert seeds == {"within": [1], "within_action": [1, 2, 3]}
    assert {c.model_type for c in cells if c.variant == "published"} == {"IDM", "Random"}


def test_a_budget_of_frames_changes_the_training_and_not_the_evaluation():
    cell = find_cell("quick/RSSM/fixed_uniform/alpha1.25-published-seed1")
    assert (cell.config.n_steps, cell.config.val_n_steps) == (4, 17)
    assert "n_steps 4 instead of 17" in map(str, cell.changes)
    groups = data_groups(cells_of("quick"))
    assert sorted({c.n_steps for group in groups for c in group}) == [4, 17]
    assert all(len({c.n_steps for c in group}) == 1 for group in groups)


def test_unknown_names_are_refused():
    for name in (
        "train@quick",
        "data@nope",
        "train@quick-nope",
        "x",
        "probe@quick-VICReg-X",
        "verify@quick-VICReg",
        "track@nope",
    ):
        with pytest.raises(InputError, match="allowed"):
            run_stage(name)
    with pytest.raises(Exception, match="no such cell"):
        find_cell("quick/a/b/c")


def test_levels_of_a_family_that_dvc_does_not_know_are_refused(tmp_path):
    grids = yaml.safe_load(Path("grids.yaml").read_text())
    grids["families"].remove("fixed_uniform")
    file = tmp_path / "grids.yaml"
    file.write_text(yaml.safe_dump(grids))
    with pytest.raises(InputError, match=r"quick\.levels\.fixed_uniform"):
        load_grid("quick", file)


def test_a_failing_job_neither_stops_nor_hides_the_others(tmp_root):
    def job(name, code):
        return Job(name, ["-c", code], PurePath(f"{name}.log"))

    bad = job("bad", "print('what went wrong'); raise SystemExit(3)")
    killed = job("killed", "import os; os.kill(os.getpid(), 9)")
    good = [job(f"good{i}", "print('fine')") for i in range(3)]
    seen = []
    state = run_jobs([bad, killed, *good], Machines(jobs=2), lambda s: seen.append(len(s.running)))
    assert {j.name for j in state.done} == {"good0", "good1", "good2"}
    assert max(seen) == 2
    assert sorted(failure_lines(state)) == [
        "bad: exit 3: what went wrong",
        "killed: exit -9: no output",
    ]
