"""The progress bar of a training: loss, sequences per second, time left."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from tqdm import tqdm

# Where stderr is a file, updates follow each other in one line, apart by carriage returns: few.
_SECONDS_BETWEEN_UPDATES = 15.0


class ProgressBar:
    """A bar over the steps of a training that counts sequences, starting at a resumed step."""

    def __init__(self, total_steps: int, first_step: int, batch_size: int) -> None:
        self._batch_size = batch_size
        self._bar = tqdm(
            total=total_steps * batch_size,
            initial=first_step * batch_size,
            unit="seq",
            unit_scale=True,
            dynamic_ncols=True,
            mininterval=0.2 if sys.stderr.isatty() else _SECONDS_BETWEEN_UPDATES,
        )

    def advance(self) -> None:
        """Count one batch."""
        self._bar.update(self._batch_size)

    def show(self, loss: float) -> None:
        """Show the loss beside the bar at its next update."""
        self._bar.set_postfix(loss=f"{loss:.4g}", refresh=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
