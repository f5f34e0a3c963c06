"""The same run in Weights & Biases, for those who ask for it (`wandb: true`)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from slow_features import paths
from slow_features.config.schema import WANDB_EXTRA
from slow_features.errors import MachineError
from slow_features.tracking.charts import SYSTEM
from slow_features.tracking.sink import Description, Metrics, Row, Status, one_line

PROJECT = "slow-features"
_IMAGES = {".png", ".jpg"}


class WandbSink:
    """One open run in Weights & Biases; with WANDB_MODE=offline it needs no network."""

    name = "Weights & Biases"

    def __init__(self, description: Description, from_scratch: bool) -> None:
        """Start or continue the run whose id is the identity.

        Raises MachineError without the package, or where Weights & Biases refuses (no key).
        """
        try:
            from wandb import Image, init
        except ImportError:
            raise MachineError(
                f"wandb = True: the package wandb is not installed; {WANDB_EXTRA}, or set "
                "wandb=False"
            ) from None
        self._image = Image
        try:
            self._run = init(
                project=PROJECT,
                id=description.identity,
                resume=None if from_scratch else "allow",
                name=description.name,
                group=description.tags.get("group"),
                notes=description.note,
                config={**description.parameters, **description.tags},
                dir=str(paths.project_root()),
                allow_val_change=True,
            )
        except Exception as error:
            raise MachineError(
                f"wandb = True: Weights & Biases did not start ({one_line(error)}); "
                "run `wandb login`, or set WANDB_MODE=offline, or wandb=False"
            ) from error

    def log_curve(self, rows: Sequence[Row]) -> None:
        """Log rows by step; Weights & Biases itself drops those before its last step."""
        for row in rows:
            values = {name: value for name, value in row.items() if name != "step"}
            own = {name: value for name, value in values.items() if not name.startswith(SYSTEM)}
            if own:  # it measures the machine itself
                self._run.log(own, step=int(row["step"]))

    def log_metrics(self, metrics: Metrics) -> None:
        """Set final values in the run's summary."""
        self._run.summary.update(dict(metrics))

    def log_artifact(self, path: Path) -> None:
        """Keep a copy of a file: pictures as media, others as files of the run."""
        if path.suffix in _IMAGES:
            self._run.log({path.stem: self._image(str(path))})
        else:  # a copy, since save() only links to a file outside the run's folder
            copy = shutil.copy(path, self._run.dir)
            self._run.save(copy, base_path=self._run.dir, policy="now")

    def log_text(self, name: str, text: str) -> None:
        """Keep a text as a file of the run."""
        file = Path(self._run.dir, name)
        file.write_text(text, encoding="utf-8")
        self._run.save(str(file), base_path=self._run.dir, policy="now")

    def finish(self, status: Status, failure: str | None) -> None:
        """End the run; an exit code other than 0 marks it as failed."""
        if failure:
            self._run.summary["failure"] = failure
        self._run.finish(exit_code=0 if status == "FINISHED" else 1)
