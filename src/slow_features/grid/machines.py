"""Where cells run: in this process's own cluster, or on workers that join it from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from slow_features.provenance import cores

SLICE_SECONDS = 1800  # what a lost machine without the driver's store costs at most


@dataclass(frozen=True)
class Machines:
    """Where cells run, and how many at once.

    jobs: cells at once, of each worker; None for as many as this process has cores, or one where
    workers are elsewhere. listen: HOST or HOST:PORT that workers find this machine at, "" for its
    own address; None where it runs the cells itself. array: how many workers Slurm is asked for,
    with sbatch's flags. slice_seconds: of a worker without this store, see `grid.work`.
    dashboard: whether Dask's is shown, on this machine alone.
    """

    jobs: int | None = None
    listen: str | None = None
    array: int | None = None
    sbatch: tuple[str, ...] = ()
    slice_seconds: float = SLICE_SECONDS
    dashboard: bool = False

    @property
    def elsewhere(self) -> bool:
        """Whether cells run on other machines' workers."""
        return self.listen is not None

    @property
    def at_once(self) -> int:
        """Cells at once, of each worker."""
        return self.jobs or (1 if self.elsewhere else cores())
