"""Searches: what searches.yaml may hold, what is proposed, and a study run, killed and repeated."""

from __future__ import annotations

import math
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.config.load import load_config
from slow_features.errors import InputError
from slow_features.grid.cells import cells_of
from slow_features.grid.run import stored
from slow_features.report.search import write_search_report
from slow_features.search import definition
from slow_features.search.definition import studies_of, study_names
from slow_features.search.outcome import best_of
from slow_features.search.record import OBJECTIVE, read_record, read_records
from slow_features.search.run import _under_way
from slow_features.search.track import track_searches
from slow_features.search.trials import Trial, propose, study_identity
from slow_features.tracking.store import open_store
from tests.stage_processes import Stage, wait_until

ROOT = Path(__file__).parents[1]
TINY = {
    "seeds": [1],
    "settings": {"dataset_size": 64, "val_dataset_size": 64, "n_steps": 5, "val_n_steps": 5,
                 "probing_cfg": {"sequences": 64}},
    "levels": {"changing_uniform": ["1.5"]},
    "only": {"changing_uniform": ["SimCLR"]},
    "budgets": {
        name: {"epochs": 2, "batch_at_most": 16, "embedding_size": 16, "backbone_width_factor": 1}
        for name in ("VICReg", "SimCLR")
    },
}  # fmt: skip


def searches(**study):
    """Return the content of a searches.yaml with one space and one study."""
    space = {"base_lr": {"low": 0.1, "high": 10, "log": True},
             "normalize_z": {"choices": [True, False]}}  # fmt: skip
    start = {"models": ["SimCLR"], "family": "fixed_uniform", "alpha": "1.25", "space": "s",
             "trials": 3}  # fmt: skip
    return {"spaces": {"s": {"SimCLR": space}}, "studies": {"tiny": start | study}}


@pytest.fixture
def project(tmp_root):
    """A project with the published files, a tiny scale and a tiny study."""
    shutil.copytree(ROOT / "reproduce_configs", tmp_root / "reproduce_configs")
    shutil.copy(ROOT / "grids.yaml", tmp_root)
    shutil.copy(ROOT / "params.yaml", tmp_root)
    shutil.rmtree(tmp_root / "reproduce_configs/searched", ignore_errors=True)
    (tmp_root / "grids").mkdir()
    (tmp_root / "grids/tiny.yaml").write_text(yaml.safe_dump(TINY))
    write(searches(scale="tiny"))
    return tmp_root


def write(content):
    Path("searches.yaml").write_text(yaml.safe_dump(content))


def one(**study):
    write(searches(**{"scale": "tiny"} | study))
    return studies_of("tiny")[0]


# What the file may hold.


def test_every_study_of_the_repository_is_complete():
    for name in study_names():
        for study in studies_of(name):
            assert study.base.family == study.definition.family
            assert study.base.config.precision == "auto"
            assert study.trial_config({}).probing_cfg.measured_on == "validation"


def test_the_spaces_hold_the_published_choices():
    """All of them but rates below what a short run can tell from nothing, at a batch of 64."""
    spaces = definition._read(definition.SEARCHES_FILE).spaces
    for file in sorted(Path("reproduce_configs").glob("sweep_*.best.yaml")):
        published = load_config([file]).config
        space = spaces["published"].get(published.model_type, {})
        for key, values in space.items():
            value = getattr(published.model, key, None)
            if key == "dataset_batch_size":
                continue
            if key == "base_lr":
                value = max(value * published.batch_size / 64, values.low)
            ends = sorted(values.ends())
            assert ends[0] <= value <= ends[-1], (file.name, key, value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trials": 0}, "studies.tiny.trials = 0: "),
        ({"models": ["VicReg"]}, "studies.tiny.models.0 = 'VicReg': "),
        ({"models": []}, "studies.tiny.models = []: "),
        ({"models": ["VICReg"]}, "space s has none for VICReg"),
        ({"models": ["Random"]}, "space s has none for Random"),
        ({"space": "other"}, "studies.tiny.space = 'other': allowed: s"),
        ({"scale": "none"}, "scale = 'none': allowed: "),
        ({"sampler": "grid"}, "studies.tiny.sampler = 'grid': "),
        ({"alpha": "1.26"}, "no configuration for fixed_uniform, alpha 1.26, SimCLR"),
        ({"alpha": 1.25}, "studies.tiny.alpha = 1.25: "),
        ({"best": 1}, "studies.tiny.best = 1: "),
    ],
)
def test_a_wrong_study_is_refused_with_the_place(project, change, said):
    write(searches(**{"scale": "tiny"} | change))
    with pytest.raises(InputError) as caught:
        studies_of("tiny")
    assert said in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("key", "values", "said"),
    [
        ("base_lr", {"low": 0.0, "high": 1.0, "log": True}, "low should be above 0"),
        ("base_lr", {"low": 2, "high": 1}, "high should be above low"),
        ("base_lr", {"low": 0.1, "high": 1e4}, "spaces.s.SimCLR.base_lr: simclr.base_lr = 10000.0"),
        ("base_lr", {"low": 0.1}, "spaces.s.SimCLR.base_lr.high = "),
        ("base_lr", {"choices": []}, "spaces.s.SimCLR.base_lr.choices = []"),
        ("base_lrs", {"low": 0.1, "high": 1.0}, "simclr.base_lrs: unknown key"),
        ("negatives", {"choices": ["within", "without"]}, "simclr.negatives = 'without'"),
        ("dataset_batch_size", {"choices": [128]}, "larger than the data"),
    ],
)
def test_a_wrong_space_is_refused_before_any_trial(project, key, values, said):
    content = searches(scale="tiny")
    content["spaces"]["s"]["SimCLR"][key] = values
    write(content)
    with pytest.raises(InputError) as caught:
        studies_of("tiny")
    assert said in str(caught.value) and str(caught.value).isprintable()


def test_a_study_that_there_is_not(project):
    with pytest.raises(InputError, match=r"study 'x': allowed: tiny"):
        studies_of("x")


# What is proposed.


class FakeStorage:
    """A storage in memory whose trials end as they are told to."""

    def __init__(self):
        self.there = []

    def trials(self, study):
        return self.there[: study.definition.trials]

    def add(self, trial):
        self.there.append(trial)

    def end(self, number, error):
        t = self.there[number]
        self.there[number] = Trial(t.study, number, t.drawn, {OBJECTIVE: error})


def error_of(drawn):
    return abs(math.log(drawn["base_lr"])) + drawn["normalize_z"]


def proposals(study, order=lambda numbers: numbers, kill_after=None):
    """Run a study whose trials end in this order; kill_after: how many a kill let propose."""
    storage = FakeStorage()
    if kill_after:
        _under_way(study, storage)
        del storage.there[kill_after:]
    while waiting := _under_way(study, storage):
        for trial in order(waiting):
            storage.end(trial.number, error_of(trial.drawn))
            _under_way(study, storage)  # as if the study were started again
    return [trial.drawn for trial in storage.there]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_the_order_in_which_trials_end_changes_no_proposal(project, sampler):
    """So it does not matter how many run at once, nor where a study was stopped."""
    study = one(sampler=sampler, trials=14)
    expected = proposals(study)
    assert proposals(study, order=lambda trials: trials[::-1]) == expected
    assert proposals(study, kill_after=3) == expected
    assert len({drawn["base_lr"] for drawn in expected}) == 14


def test_tpe_learns_and_random_does_not(project):
    """Behind its first ten trials, tpe looks where the error was small."""
    found = {
        sampler: [error_of(d) for d in proposals(one(sampler=sampler, trials=40))[16:]]
        for sampler in ("random", "tpe")
    }
    assert sum(found["tpe"]) < 0.8 * sum(found["random"])


def test_more_trials_of_a_study_begin_with_those_it_had(project):
    few, many = proposals(one(trials=5)), proposals(one(trials=9))
    assert many[:5] == few


def test_another_seed_or_model_draws_otherwise(project):
    first = proposals(one())
    assert proposals(one(seed=2)) != first
    content = searches(scale="tiny", models=["SimCLR", "VICReg"])
    content["spaces"]["s"]["VICReg"] = {"base_lr": {"low": 0.1, "high": 10, "log": True}}
    write(content)
    drawn = [proposals_of_one(study) for study in studies_of("tiny")]
    assert drawn[0]["base_lr"] != drawn[1]["base_lr"]


def proposals_of_one(study):
    return propose(study, [])


@pytest.fixture(scope="module")
def fixed():
    """The repository's search of SimCLR at fixed noise."""
    return studies_of("fixed")[1]


@settings(max_examples=25, deadline=None)
@given(before=st.integers(0, 5), seed=st.integers(0, 2**31 - 1))
def test_what_is_drawn_lies_in_the_space(fixed, before, seed):
    study = replace(fixed, definition=fixed.definition.model_copy(update={"seed": seed}))
    first = propose(study, [])
    drawn = propose(study, [Trial(study, n, first, {OBJECTIVE: 1.0}) for n in range(before)])
    for key, values in study.space.items():
        ends = sorted(values.ends())
        assert ends[0] <= drawn[key] <= ends[-1]
    assert study.trial_config(drawn).simclr.base_lr == drawn["base_lr"]


def test_the_identity_of_a_study_is_all_that_its_trials_depend_on(project):
    first = study_identity(one())
    assert study_identity(one(trials=7)) == first
    assert study_identity(one(seed=2)) != first
    assert study_identity(one(sampler="tpe")) != first
    assert study_identity(one(alpha="1")) != first
    grids = TINY | {"settings": TINY["settings"] | {"dataset_size": 128}}
    Path("grids/tiny.yaml").write_text(yaml.safe_dump(grids))
    assert study_identity(one()) != first


def test_the_best_is_the_smallest_error_and_the_first_of_several():
    errors = [{OBJECTIVE: 3.0}, {}, {OBJECTIVE: 2.0}, {OBJECTIVE: 2.0}]
    trials = [Trial(None, n, {}, error, diverged=not error) for n, error in enumerate(errors)]
    assert best_of(trials).number == 2
    assert best_of([trials[1]]) is None


# A study run for real.


def start(folder, *arguments):
    return Stage(folder, "search", "tiny", *arguments)


def finish(folder, *arguments):
    stage = start(folder, *arguments)
    assert stage.wait() == 0, stage.errors()
    return stage.errors()


def left_behind(folder):
    """Return the bytes of the record and of the file of the best."""
    files = [*folder.glob("results/search/*/*.json"), *folder.glob("reproduce_configs/searched/*")]
    assert len(files) == 2
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """A project in which the tiny study has run, two trials at once."""
    folder = tmp_path_factory.mktemp("studied")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "dvc.yaml").touch()
        make_project(folder)
        finish(folder, "--jobs", "2")
    return folder


def make_project(folder):
    """Fill a folder with what a search reads; a rate among the trials makes one diverge."""
    shutil.copytree(ROOT / "reproduce_configs", folder / "reproduce_configs")
    shutil.rmtree(folder / "reproduce_configs/searched", ignore_errors=True)
    shutil.copy(ROOT / "grids.yaml", folder)
    (folder / "stages").symlink_to(ROOT / "stages")
    (folder / "grids").mkdir()
    (folder / "grids/tiny.yaml").write_text(yaml.safe_dump(TINY))
    (folder / "searches.yaml").write_text(yaml.safe_dump(searches(scale="tiny")))


def test_a_study_leaves_its_trials_the_best_of_them_and_a_page(studied, monkeypatch):
    monkeypatch.chdir(studied)
    monkeypatch.setenv("DVC_ROOT", str(studied))
    record = read_records()[0]
    errors = [trial.error_px for trial in record.trials]
    assert len(errors) == 3 and record.best == errors.index(min(errors))
    assert record.sequences == 128 and record.n_steps == 5
    drawn = record.trials[record.best].drawn
    file = Path("reproduce_configs/searched/sweep_fixed_uniform.(1.25).simclr.best.yaml")
    best = load_config([file]).config
    assert (best.simclr.base_lr, best.simclr.normalize_z) == (
        drawn["base_lr"], drawn["normalize_z"])  # fmt: skip
    assert best.simclr.epochs == 2 and best.dataset_static_noise == 1.25
    assert best.run_group == "best of 3 trials, study tiny"
    page = Path("reports/search/index.html").read_text()
    assert "Fixed uniform noise 1.25" in page
    assert f"{record.evaluation[OBJECTIVE]:.2f}" in page
    assert (Path("reports/search") / "trials_tiny_SimCLR.csv").read_text().count("\n") == 4


def test_the_best_is_judged_on_other_sequences_than_it_was_chosen_on(studied, monkeypatch):
    monkeypatch.chdir(studied)
    record = read_records()[0]
    chosen = record.trials[record.best]
    assert chosen.errors[OBJECTIVE] != record.evaluation[OBJECTIVE]
    assert chosen.errors["centre_rmse_px"] != record.evaluation["centre_rmse_px"]


def test_a_cell_of_the_grid_takes_what_was_found(studied, monkeypatch):
    """As the variant `searched`; at the budget of the trials it is the best trial's training."""
    monkeypatch.chdir(studied)
    monkeypatch.setenv("DVC_ROOT", str(studied))
    where = {"models": ["SimCLR"], "families": ["fixed_uniform"], "folder": "searched"}
    scale = TINY | {
        "levels": {"fixed_uniform": ["1.25"]},
        "only": {"fixed_uniform": []},
        "variants": {"searched": where},
    }
    Path("grids/with_searched.yaml").write_text(yaml.safe_dump(scale))
    (cell,) = cells_of("with_searched")
    assert cell.variant == "searched"
    assert str(cell.changes[0]) == (
        "hyper-parameters best of 3 trials, study tiny instead of "
        "sweep_fixed_uniform.(1.25).simclr.best.yaml"
    )
    assert stored(cell).finished


def test_a_search_that_has_not_run_has_no_cells(project):
    where = {"models": ["SimCLR"], "folder": "searched"}
    scale = TINY | {"variants": {"searched": where}}
    Path("grids/with_searched.yaml").write_text(yaml.safe_dump(scale))
    assert [cell.variant for cell in cells_of("with_searched")] == ["published"]


def test_one_at_a_time_gives_the_same_bytes_and_a_clone_runs_nothing(studied, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "dvc.yaml").touch()
    make_project(alone)
    finish(alone, "--jobs", "1")
    assert left_behind(alone) == left_behind(studied)
    shutil.rmtree(alone / ".cells")
    said = finish(alone)  # what git has is enough
    assert "running" not in said
    assert left_behind(alone) == left_behind(studied)


def test_every_trial_has_its_run_in_mlflow(studied, monkeypatch):
    """The search has written them; whoever fills MLflow in later finds nothing to do."""
    monkeypatch.chdir(studied)
    monkeypatch.setenv("DVC_ROOT", str(studied))
    runs = {run.data.tags["trial"]: run for run in open_store().find()}
    record = read_records()[0]
    assert sorted(runs) == ["0", "1", "2"]
    for number, trial in enumerate(record.trials):
        run = runs[str(number)]
        assert run.data.tags["study"] == "tiny"
        assert run.data.metrics["error/rmse_px"] == pytest.approx(trial.error_px)
        assert run.data.tags["probing_cfg.measured_on"] == "validation"
        assert float(run.data.params["simclr.base_lr"]) == trial.drawn["base_lr"]
    assert track_searches() == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_twice_it_leaves_what_an_undisturbed_one_leaves(studied, tmp_path, number):
    (tmp_path / "dvc.yaml").touch()
    make_project(tmp_path)
    for trained in (1, 2):
        runner = start(tmp_path, "--jobs", "1")
        wait_until(lambda n=trained: len(list(tmp_path.glob(".cells/*/train"))) >= n)
        runner.kill(number)
    said = finish(tmp_path, "--jobs", "2")
    assert "Traceback" not in said
    assert left_behind(tmp_path) == left_behind(studied)


def test_a_trial_that_diverges_counts_and_stops_nothing(tmp_path):
    """At the larger rate the loss is soon no number any more; the other trials go on."""
    (tmp_path / "dvc.yaml").touch()
    make_project(tmp_path)
    content = searches(scale="tiny", trials=3, models=["VICReg"])
    rates, weight = {"choices": [1000.0, 1e-9]}, {"choices": [1e6]}
    content["spaces"]["s"] = {"VICReg": {"base_lr": rates, "sim_coeff": weight}}
    (tmp_path / "searches.yaml").write_text(yaml.safe_dump(content))
    said = finish(tmp_path, "--jobs", "2")
    record = read_record(tmp_path / "results/search/tiny/VICReg.json")
    ended = {trial.drawn["base_lr"]: trial.error_px for trial in record.trials}
    assert ended[1000.0] is None and ended[1e-9] > 0
    assert record.trials[record.best].drawn["base_lr"] == 1e-9
    assert "Traceback" not in said
    assert "diverged" in (tmp_path / "reports/search/trials_tiny_VICReg.csv").read_text()


def test_a_damaged_record_is_named(project):
    file = Path("results/search/tiny/SimCLR.json")
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    with pytest.raises(InputError, match=r"results/search/tiny/SimCLR.json: not as it was written"):
        read_records()
    file.unlink()
    write_search_report()
    assert "No study has run yet" in Path("reports/search/index.html").read_text()
