"""One training from its settings to its files: resumed where a killed one stopped."""

from __future__ import annotations

import csv
import datetime
import io
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from slow_features import paths, provenance, tracking
from slow_features.config.schema import Experiment
from slow_features.data.store import StoredDataset
from slow_features.errors import InputError, InterruptError
from slow_features.files import (
    atomic_folder,
    check_replaceable,
    check_writable,
    write_json,
    write_text,
)
from slow_features.identity import settings_of_weights, training_identity
from slow_features.interrupt import stop_on_signals
from slow_features.locks import only_one
from slow_features.results import files
from slow_features.results.files import CURVES_FILE, RUN_FILE, SUMMARY_FILE, WEIGHTS_FILE
from slow_features.results.model_card import CARD_FILE, model_card
from slow_features.training.checkpoint import load_checkpoint, save_checkpoint
from slow_features.training.curve import Progress
from slow_features.training.loop import run_steps
from slow_features.training.session import Session, build_model, start_session, weights_moved
from slow_features.weights import checksum, load_weights, save_weights

_LOCK_SECONDS = 30.0  # long enough for a training whose parent died to write its checkpoint


def train(config: Experiment, dataset: StoredDataset, folder: Path, log: bool = True) -> None:
    """Train and write weights, loss curve, summary and run into `folder`, replacing it whole.

    Goes on from the checkpoint of the same settings, data and code, if a run was killed. The same
    settings give the same bytes in all files but run.json. log: to MLflow, while it trains.
    Raises InputError before any work for bad input, TrainingError for a loss that is not finite,
    InterruptError after Ctrl-C, SIGTERM or SIGHUP.
    """
    session = start_session(config, dataset)
    name = training_identity(config)
    file = paths.checkpoint(name)
    check_place(folder)
    check_writable(file)
    with _only_one(name), stop_on_signals() as stop:
        progress = _start_or_resume(session, file, name)
        with _tracked(session, name, progress, log) as run:

            def save() -> None:
                optimizer = session.optimisation.optimizer
                save_checkpoint(file, name, session.model, optimizer, progress)
                run.log_curve(progress.curve)
                run.flush()

            run_steps(session, progress, save, stop)
            _write_results(session, progress, name, folder)
            run.log_curve(progress.curve)
            for result in (WEIGHTS_FILE, CURVES_FILE, SUMMARY_FILE):
                run.log_artifact(folder / result)
            if log:
                summary = files.read_summary(folder)
                run.log_text(CARD_FILE, model_card(summary, folder / WEIGHTS_FILE))
        shutil.rmtree(file.parent, ignore_errors=True)  # still locked: nobody is at work in it
    if stop.signal_number is not None:  # it came when there was no step left to stop at
        raise InterruptError(stop.signal_number, "the training is finished and written")


def check_place(folder: Path) -> None:
    """Refuse a place for a training's results: before it starts, not after hours.

    Raises InputError for a folder of other things, MachineError for one that cannot be written.
    """
    check_writable(folder)
    check_replaceable(folder, "training", SUMMARY_FILE)


def _tracked(
    session: Session, name: str, progress: Progress, log: bool
) -> AbstractContextManager[tracking.Run]:
    if not log:
        return nullcontext(tracking.Run([]))
    tags = {
        "data_checksum": session.data_checksum,
        "arithmetic": session.model.arithmetic,
    }
    return tracking.run(
        session.config,
        stage="train",
        identity=name,
        tags=tags,
        from_scratch=progress.step == 0,
    )


def _only_one(name: str) -> AbstractContextManager[None]:
    """Keep a second process out of the same training.

    The lock lies beside the folder, which goes when the training is finished: another process may
    be waiting for it.
    """
    return only_one(
        paths.checkpoints() / f"{name}.lock",
        f"another process is training exactly this configuration ({name}); wait for it or stop it",
        _LOCK_SECONDS,
    )


def _start_or_resume(session: Session, file: Path, name: str) -> Progress:
    if session.config.load_checkpoint_path:
        load_weights(Path(session.config.load_checkpoint_path), session.model)
    if not file.exists():
        return Progress()
    try:
        progress = load_checkpoint(file, name, session.model, session.optimisation.optimizer)
    except InputError as error:
        aside = file.with_suffix(".damaged")
        file.replace(aside)
        print(f"warning: {error}; kept as {aside.name}, starting afresh", file=sys.stderr)
        return Progress()
    print(f"going on from step {progress.step} of {session.total_steps}", file=sys.stderr)
    return progress


def _write_results(session: Session, progress: Progress, name: str, folder: Path) -> None:
    model = session.model
    made_from = {
        "settings": settings_of_weights(session.config),
        "data_checksum": session.data_checksum,
        "noise_source": session.stream.noise.source,
    }
    summary = files.Summary(
        identity=name,
        **made_from,
        weights_checksum=checksum(model.state_dict()),
        steps=progress.step,
        sequences=progress.step * session.config.batch_size,
        final=progress.curve[-1] if progress.curve else {},
        weights_moved=weights_moved(model, build_model(session.config, session.device)),
    )
    with atomic_folder(folder) as beside:
        save_weights(beside / WEIGHTS_FILE, model, made_from)
        write_text(beside / CURVES_FILE, _as_csv(progress.curve))
        write_json(beside / SUMMARY_FILE, summary.model_dump())
        write_json(beside / RUN_FILE, _run_record(session, progress).model_dump())
        files.seal(beside)


def _run_record(session: Session, progress: Progress) -> files.RunRecord:
    """Return what differs from one run of this training to the next."""
    sequences, here = progress.step * session.config.batch_size, provenance.provenance()
    ended = datetime.datetime.now(datetime.UTC)
    return files.RunRecord(
        started=(ended - datetime.timedelta(seconds=progress.seconds)).isoformat("T", "seconds"),
        seconds=round(progress.seconds, 2),
        sequences_per_second=round(sequences / max(progress.seconds, 1e-9), 1),
        device=str(session.device),
        threads=session.config.threads,
        arithmetic=session.model.arithmetic,
        machine=here.machine,
        packages=here.packages,
        git_revision=here.git_revision,
    )


def _as_csv(curve: list[dict[str, float]]) -> str:
    """Return the loss curve as CSV; a training without steps has a header alone."""
    text = io.StringIO()
    columns = list(curve[0]) if curve else ["step", "epoch", "loss"]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(curve)
    return text.getvalue()
