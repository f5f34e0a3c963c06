"""The training loop: step, watch the loss, checkpoint, stop when asked."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from slow_features.errors import InterruptError
from slow_features.interrupt import StopRequest
from slow_features.training.curve import Progress
from slow_features.training.progress import ProgressBar
from slow_features.training.session import Session

CURVE_ROWS = 400  # rows of a loss curve at most, however long the training


def run_steps(
    session: Session, progress: Progress, save: Callable[[], None], stop: StopRequest
) -> None:
    """Train from `progress` to the end; `save` writes a checkpoint, at the end too.

    Raises TrainingError for a loss or a weight that is not finite, InterruptError after a stop
    request.
    """
    config, total = session.config, session.total_steps
    row_every = max(1, math.ceil(total / CURVE_ROWS))
    save_every = config.steps_per_epoch * config.safe_every_n_epochs
    session.model.train()
    with ProgressBar(total, progress.step, config.batch_size) as bar:
        while progress.step < total:
            started = time.perf_counter()
            progress.window.add(train_step(session, progress.step))
            progress.step += 1
            if progress.step % row_every == 0 or progress.step == total:
                epoch = round(progress.step / config.steps_per_epoch, 4)
                progress.curve.append(progress.window.close(progress.step, epoch))
                bar.show(progress.curve[-1]["loss"])
            progress.seconds += time.perf_counter() - started
            bar.advance()
            if stop.signal_number is not None:
                save()
                raise InterruptError(
                    stop.signal_number, f"step {progress.step} of {total} is done and kept"
                )
            if progress.step % save_every == 0 or progress.step == total:
                save()  # the last one, too: the results may not fit on the disk


def train_step(session: Session, step: int) -> dict[str, Tensor]:
    """Do one update and return the loss terms of its batch, without waiting for the device."""
    model, optimisation = session.model, session.optimisation
    if optimisation.schedule is not None:
        for group in optimisation.optimizer.param_groups:
            group["lr"] = optimisation.schedule(step)
    losses = model.losses(session.batch(step), session.generator(step))
    optimisation.optimizer.zero_grad()
    losses["loss"].backward()
    if optimisation.clip_norm is not None:
        clip_grad_norm_(model.parameters(), optimisation.clip_norm)
    optimisation.optimizer.step()
    return losses
