"""The file that a worker needs: where the driver is, the key, and the code it must have.

Whoever has the key can make the driver run Python, and the other way round: it is for the user
alone, new in every run, and removed at its end.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from slow_features import paths
from slow_features.errors import InputError
from slow_features.files import write_json
from slow_features.identity import EVALUATION, TRAINING, code_of
from slow_features.models.registry import MODELS

if TYPE_CHECKING:
    from distributed.security import Security

_PACKAGES = ("distributed", "numpy", "torch")


@dataclass(frozen=True)
class Invitation:
    """Content of the file. needs: what driver and workers must have alike, by name."""

    address: str
    certificate: str
    key: str
    needs: Mapping[str, str]

    def security(self) -> Security:
        """Return Dask's settings of TLS: both sides show this one certificate, and ask for it."""
        from distributed.security import Security

        sides = ("client", "scheduler", "worker")
        certificates = {f"tls_{side}_cert": self.certificate for side in sides}
        keys = {f"tls_{side}_key": self.key for side in sides}
        ca = {"tls_ca_file": self.certificate, "require_encryption": True}
        return Security(**certificates, **keys, **ca)

    def check(self) -> None:
        """Raise InputError, in one line, unless this process has all that is needed."""
        mine = needs()
        other = [
            name if name.startswith("code") else f"{name} ({mine.get(name)}, not {value})"
            for name, value in self.needs.items()
            if mine.get(name) != value
        ]
        if other:
            raise InputError(
                f"this worker has other {', '.join(other)} than the driver of {self.address}; "
                "allowed: the same revision and the same packages"
            )


def needs() -> dict[str, str]:
    """Return what decides the numbers of cells: code and packages, without a build's name."""
    versions = {name: metadata.version(name).partition("+")[0] for name in _PACKAGES}
    python = ".".join(platform.python_version_tuple()[:2])
    code = {
        f"code of {model}": code_of(TRAINING, model) + code_of(EVALUATION, model)
        for model in MODELS
    }
    return {"python": python, **versions, **code, "code of the grid": code_of(("grid/work.py",))}


def invitation_file() -> Path:
    """Return where the driver leaves it."""
    return paths.cells() / "cluster" / "worker.json"


@contextmanager
def left(invitation: Invitation) -> Iterator[Path]:
    """Leave an invitation for a while, in a folder that is the user's alone."""
    file = invitation_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.parent.chmod(0o700)
    write_json(file, asdict(invitation))
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def read_invitation(file: Path) -> Invitation:
    """Read an invitation. Raises InputError."""
    try:
        return Invitation(**json.loads(file.read_bytes()))
    except OSError as error:
        raise InputError(
            f"{file}: {error.strerror}; allowed: the file that a running driver has written"
        ) from None
    except (ValueError, TypeError):
        raise InputError(f"{file}: no invitation of a driver") from None
