"""The loss curve while it grows: a row for each window of steps, read from the device at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from slow_features.errors import TrainingError

LAST_GOOD = "the last good checkpoint, if there is one, is kept; try a lower learning rate"


@dataclass
class Window:
    """Losses of the steps since the last row of the curve, still on the device.

    Reading a number from an accelerator waits for all of its work, so it is done once a row.
    """

    names: list[str] = field(default_factory=list)
    rows: list[Tensor] = field(default_factory=list)

    def add(self, losses: dict[str, Tensor]) -> None:
        """Note the losses of one step."""
        self.names = list(losses)
        self.rows.append(torch.stack([value.detach().float() for value in losses.values()]))

    def check(self, step: int) -> Tensor:
        """Return the losses [steps, terms] in float64; `step` is the number of updates done.

        Raises TrainingError when one of them is not finite.
        """
        values = torch.stack([row.cpu() for row in self.rows]).double()
        bad = (~torch.isfinite(values)).nonzero()
        if len(bad):
            row, column = bad[0].tolist()
            raise TrainingError(
                f"{self.names[column]} is {values[row, column].item()} at step "
                f"{step - len(values) + row + 1}; {LAST_GOOD}"
            )
        return values

    def close(self, step: int, epoch: float) -> dict[str, float]:
        """Return the mean of the window as a row of the curve, and empty it.

        Raises TrainingError when a loss is not finite.
        """
        means = (float(f"{value:.6g}") for value in self.check(step).mean(0).tolist())
        self.rows = []
        return {"step": step, "epoch": epoch} | dict(zip(self.names, means, strict=True))


@dataclass
class Progress:
    """How far a training is.

    step: updates done. curve: one row of loss terms per finished window of steps.
    window: the steps after the last row. seconds: wall-clock seconds so far, over all starts.
    """

    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    window: Window = field(default_factory=Window)
    seconds: float = 0.0

    def as_dict(self) -> dict:
        """Return JSON values. Raises TrainingError for a loss that is not finite."""
        pending = self.window.check(self.step).tolist() if self.window.rows else []
        return {
            "step": self.step,
            "curve": self.curve,
            "names": self.window.names,
            "pending": pending,
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, values: dict) -> Progress:
        """Return the progress that `as_dict` described, exactly."""
        rows = [torch.tensor(row, dtype=torch.float32) for row in values["pending"]]
        return cls(
            step=values["step"],
            curve=values["curve"],
            window=Window(values["names"], rows),
            seconds=values["seconds"],
        )
