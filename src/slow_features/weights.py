"""Tensors on disk: safetensors with a description inside, written whole, checked when read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from slow_features.errors import InputError, shorten
from slow_features.files import NO_HANDLE_LEFT, write_bytes
from slow_features.models.base import WorldModel

FORMAT = "slow-features weights 1"
_KEY = "slow_features"  # one metadata entry: safetensors writes several in random order
_CHECKSUM = "tensors_sha256"
_REMEDY = "name another, or write it again"


@dataclass(frozen=True)
class TensorFile:
    """The content of a safetensors file: tensors by name, and the description stored with them."""

    file: Path
    tensors: dict[str, Tensor]
    description: dict[str, Any]

    def problem(self, what: str) -> InputError:
        """Return an error about this file."""
        return InputError(f"{self.file}: {what}")


def write_tensors(file: Path, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write tensors with a description (JSON) atomically; same input, same bytes."""
    on_cpu = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    text = json.dumps(description | {_CHECKSUM: checksum(on_cpu)})
    write_bytes(file, save(on_cpu, metadata={_KEY: text}))


def checksum(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 of tensors: names, types, shapes and bytes, sorted by name."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.detach().cpu().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def first_not_finite(tensors: dict[str, Tensor]) -> str | None:
    """Say which tensor has values that are not finite, or whose squares are not; None if none has.

    A weight beyond 1e19 is as lost as an infinite one: norms, and whatever it is multiplied with,
    overflow float32.
    """
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            return f"{name} is not finite"
        if not torch.isfinite(value.float().square().sum()):
            return f"{name} has grown to {value.abs().max():.0e}, whose square is not finite,"
    return None


def read_tensors(file: Path, expected_format: str) -> TensorFile:
    """Read a file of `write_tensors`; nothing in it is ever executed.

    Raises InputError when it is not such a file, or not as it was written, to the last bit;
    OSError when no file handle is left.
    """
    if not file.is_file():
        what = "a folder" if file.is_dir() else "no such file"
        raise InputError(f"{file}: {what}; allowed: a .safetensors file of this project")
    try:
        file.open("rb").close()  # says what is the matter; safe_open calls all of it "no such file"
        with safe_open(str(file), framework="pt") as content:
            metadata = content.metadata() or {}
            description = json.loads(metadata.get(_KEY, "{}"))
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        if isinstance(error, OSError) and error.errno in NO_HANDLE_LEFT:
            raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{file}: not a sound safetensors file ({reason}); {_REMEDY}") from None
    found = description.get("format") if isinstance(description, dict) else None
    if found != expected_format:
        raise InputError(f"{file}: format is {shorten(found)}; allowed: {expected_format!r}")
    if description.pop(_CHECKSUM, None) != checksum(tensors):
        raise InputError(f"{file}: damaged, its tensors are not those written; {_REMEDY}")
    return TensorFile(file, tensors, description)


def require_same_shapes(
    content: TensorFile, expected: dict[str, Tensor], found: dict[str, Tensor]
) -> None:
    """Raise InputError unless names, shapes and types are those of the expected tensors."""
    missing = sorted(expected.keys() - found.keys()) + sorted(found.keys() - expected.keys())
    if missing:
        raise content.problem(f"tensor {missing[0]} does not fit the model of this configuration")
    for name, value in expected.items():
        if found[name].shape != value.shape or found[name].dtype != value.dtype:
            raise content.problem(
                f"tensor {name} is {list(found[name].shape)} {found[name].dtype}; "
                f"the model of this configuration has {list(value.shape)} {value.dtype}"
            )


def read_description(file: Path) -> dict[str, Any]:
    """Return what a file of weights says of its origin. Raises InputError if it is damaged."""
    return read_tensors(file, FORMAT).description


def save_weights(file: Path, model: WorldModel, description: dict[str, Any]) -> None:
    """Write a model's weights with what made them (configuration, data checksum, revision)."""
    write_tensors(file, model.state_dict(), {"format": FORMAT, **description})


def load_weights(file: Path, model: WorldModel) -> dict[str, Any]:
    """Put the weights of `file` into the model and return their description.

    Raises InputError when the file is damaged, is of another model or has no finite numbers.
    """
    content = read_tensors(file, FORMAT)
    require_same_shapes(content, model.state_dict(), content.tensors)
    bad = first_not_finite(content.tensors)
    if bad:
        raise content.problem(f"{bad.rstrip(',')}; name another file")
    model.load_state_dict(content.tensors)
    return content.description
