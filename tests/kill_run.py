"""SIGKILLs at random over every kind of stage, as many as asked for: `make kill-run`.

    python -m tests.kill_run --kills 1000 --seed 1 --log kill_run.jsonl

In turn, each task below is killed ten times at moments from the seed, run to its end, and every
file that it leaves, with all that MLflow has of it, is compared with what nobody has killed. The
log has a line for each such round; a run that was stopped goes on after the last of them. At the
end there is a line for each kind of stage. Exit code 1 if anything differed; what did is kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from slow_features.provenance import git_revision
from slow_features.tracking.store import open_store
from tests.killed import KINDS, Killable, kill_at_random, with_epochs
from tests.stage_processes import ForkedStage
from tests.test_kills_grid import Grid

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "reproduce_configs/published"
KILLS, EPOCHS = 10, 5  # of each round
STRIDE = 23  # from task to task, so that the kinds of stages take turns
BY_HAND = ("--configs", "config.yaml")
CELL = "quick/{}/changing_uniform/alpha1.5-published-seed1"
# Of another moment, empty, or compared as what MLflow has of it.
DIFFERS = {"run.json", "sha256.json", "lock", "mlflow.db", "alpha1.5-published-seed1.json"}
# Of another moment in MLflow, too: times, speed, the process, the checksum of what was filled in.
DUMP = """
    SELECT i.value, r.status, r.name, 'metric', m.key, m.step, m.value
    FROM runs r JOIN tags i ON i.run_uuid = r.run_uuid AND i.key = 'identity'
    JOIN metrics m ON m.run_uuid = r.run_uuid
    WHERE r.lifecycle_stage = 'active' AND m.key != 'run/sequences_per_second'
    UNION ALL SELECT i.value, r.status, r.name, 'param', p.key, 0, p.value
    FROM runs r JOIN tags i ON i.run_uuid = r.run_uuid AND i.key = 'identity'
    JOIN params p ON p.run_uuid = r.run_uuid WHERE r.lifecycle_stage = 'active'
    UNION ALL SELECT i.value, r.status, r.name, 'tag', t.key, 0, t.value
    FROM runs r JOIN tags i ON i.run_uuid = r.run_uuid AND i.key = 'identity'
    JOIN tags t ON t.run_uuid = r.run_uuid
    WHERE r.lifecycle_stage = 'active' AND t.key NOT IN ('process', 'content')
"""


@dataclass(frozen=True)
class Task:
    """A stage to be killed: its settings, the command lines before it, and its own."""

    settings: str
    before: tuple[tuple[str, ...], ...]
    line: tuple[str, ...]

    @property
    def stage(self) -> str:
        """Kind of stage, as the summary counts it: track@ with track."""
        name = self.line[1].partition("@")[0] if self.line[0] == "grid" else self.line[0]
        return name if self.line[0] != "grid" else f"{name}@"

    @property
    def trains(self) -> bool:
        """Whether it writes checkpoints."""
        return self.stage in ("train", "cell") and not self.settings.startswith("Random")


TRAIN, PROBE = ("train", "--no-probe", *BY_HAND), ("probe", *BY_HAND)
REPORT = ("report", "--outputs", "runs/experiment", *BY_HAND)
STORED = tuple(("cell", CELL.format(model)) for model in ("VICReg", "SimCLR", "IDM"))
RECORDED = tuple(
    ("grid", f"{step}@quick-{model}")
    for step in ("train", "probe")
    for model in ("VICReg", "SimCLR", "IDM")
)
FILLED = (*STORED, *RECORDED)
TASKS = [
    *(Task(kind, (), TRAIN) for kind in KINDS),
    *(Task(kind, (TRAIN,), PROBE) for kind in KINDS),
    *(Task("VICReg", (), line) for line in STORED),
    *(Task(kind, (), ("generate", *BY_HAND)) for kind in (*KINDS,)[:6]),
    *(Task("VICReg", (), ("grid", "data@quick")) for _ in range(3)),
    *(Task("VICReg", STORED, line) for line in (RECORDED[0], RECORDED[3])),
    *(Task("SimCLR", (TRAIN, PROBE, *FILLED), ("track",)) for _ in range(4)),
    *(Task("VICReg", FILLED, ("grid", "track@quick")) for _ in range(2)),
    *(Task(kind, (TRAIN, PROBE), REPORT) for kind in (*KINDS,)[3:11:2]),
    *(Task("VICReg", FILLED, ("grid", "report@quick")) for _ in range(2)),
]  # fmt: skip


class Killed(Killable):
    """A copy of a folder in which all that a task needs is there, killed and run again."""

    def __init__(self, folder: Path, template: Path, task: Task) -> None:
        super().__init__(folder, *task.line)
        self.template, self.trains = template, task.trains
        self.forget()

    def forget(self) -> None:
        """Take a fresh copy beside what was printed."""
        old = self.folder.with_name("old")
        if self.folder.exists():
            self.folder.rename(old)
        shutil.copytree(self.template, self.folder, symlinks=True)
        for log in old.glob("*.log"):
            shutil.move(log, self.folder)
        shutil.rmtree(old, ignore_errors=True)

    def results(self) -> dict[str, bytes]:
        """Return the bytes of every file, and what MLflow has."""
        found = {
            str(file.relative_to(self.folder)): file.read_bytes()
            for file in self.folder.rglob("*")
            if file.is_file() and file.name not in DIFFERS and file.suffix not in (".lock", ".log")
            and "mlartifacts" not in file.parts
        }  # fmt: skip
        return {**found, "mlflow": self.in_mlflow()}

    def in_mlflow(self) -> bytes:
        """Return every run of MLflow with its metrics, parameters, tags and files, as text."""
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as database:
            rows = sorted(database.execute(DUMP).fetchall(), key=repr)
            homes = database.execute(
                "SELECT t.value, r.artifact_uri FROM runs r JOIN tags t USING (run_uuid) "
                "WHERE t.key = 'identity' AND r.lifecycle_stage = 'active'"
            ).fetchall()
        files = [
            f"{identity} {file.name} {file.stat().st_size}"
            for identity, home in sorted(homes)
            for file in sorted(Path(home.removeprefix("file://")).glob("*"))
        ]
        return "\n".join([*map(repr, rows), *files]).encode()


def prepare(folder: Path, task: Task, store: Path) -> Path:
    """Make the folder that a task begins with."""
    Grid(folder, epochs=EPOCHS)
    shutil.copytree(PUBLISHED, folder / PUBLISHED.relative_to(ROOT))
    shutil.copy(store, folder / "mlflow.db")
    (folder / "config.yaml").write_text(yaml.safe_dump(with_epochs(task.settings, EPOCHS)))
    for line in task.before:
        Killable(folder, *line).finish()
    for log in folder.glob("*.log"):
        log.unlink()
    return folder


def one_round(task: Task, number: int, seed: int, home: Path, store: Path) -> dict:
    """Kill a task, finish it, compare; return what the log has of it."""
    folder = home / f"round{number}"
    template = prepare(folder / "template", task, store)
    never, killed = (Killed(folder / name, template, task) for name in ("never", "killed"))
    started = time.monotonic()
    try:
        never.finish()
        resumed = kill_at_random(killed, KILLS, time.monotonic() - started, f"{seed} {number}")
        resumed += "going on from step" in killed.finish()
        other = differences(never, killed)
    except AssertionError as error:  # a run that ended with an error; the message is what it said
        resumed, other = 0, [str(error)]
    if not other:
        shutil.rmtree(folder)
    return {
        "round": number, "seed": seed, "stage": task.stage, "line": task.line,
        "settings": task.settings, "kills": KILLS, "resumed": resumed, "other": other,
        "revision": git_revision(),
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def differences(never: Killed, killed: Killed) -> list[str]:
    """Return the names of files that are not the same, or in one of the two alone."""
    expected, found = never.results(), killed.results()
    return [name for name in sorted(expected | found) if expected.get(name) != found.get(name)]


def summary(rounds: list[dict]) -> str:
    """Return a line for each kind of stage, and the total."""
    kills, resumed, other = Counter(), Counter(), Counter()
    for one in rounds:
        for name in (one["stage"], "in all"):
            kills[name] += one["kills"]
            resumed[name] += one["resumed"]
            other[name] += bool(one["other"])
    lines = [
        f"{name}: {kills[name]} SIGKILLs, {resumed[name]} times on from a checkpoint, "
        f"{other[name]} rounds that differ"
        for name in sorted(kills, key=lambda name: name == "in all")
    ]
    return "\n".join(lines)


def main() -> int:
    """Go on until the log has so many kills."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, default=Path("kill_run.jsonl"))
    arguments = parser.parse_args()
    log = arguments.log
    rounds = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    home = Path(tempfile.mkdtemp(prefix="kill_run"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(home))
        open_store()
    ForkedStage(home, "train", "--help").wait()  # now the server has imported everything
    while sum(one["kills"] for one in rounds) < arguments.kills:
        number = len(rounds)
        task = TASKS[STRIDE * number % len(TASKS)]
        rounds.append(one_round(task, number, arguments.seed, home, home / "mlflow.db"))
        with log.open("a") as file:
            file.write(json.dumps(rounds[-1]) + "\n")
    print(summary(rounds))
    return any(one["other"] for one in rounds)


if __name__ == "__main__":
    sys.exit(main())
