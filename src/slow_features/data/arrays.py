"""Arrays on disk: written block by block, mapped into memory when read."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from slow_features.errors import InputError
from slow_features.files import NO_HANDLE_LEFT


class ArrayWriter:
    """Writes a float32 .npy file block by block, so that it never is whole in memory.

    Plain writes and no memory map: a full disk is then an error and not a crash.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        """Open the file and write its header. shape: of the whole array."""
        self._shape, self._rows = shape, 0
        self._file = path.open("wb")
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, block: np.ndarray) -> None:
        """Write the next rows, [n, ...]."""
        self._file.write(np.ascontiguousarray(block, dtype="<f4"))
        self._rows += len(block)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the file; ValueError if it has fewer or more rows than its header says."""
        self._file.close()
        if kind is None and self._rows != self._shape[0]:
            raise ValueError(f"{self._file.name}: {self._rows} rows, not {self._shape[0]}")


def map_array(
    path: Path, shape: tuple[int | None, ...], dtype: type[np.number] = np.float32
) -> np.ndarray:
    """Map an array into memory; InputError if the file holds anything else.

    shape: None stands for any number. Raises OSError when no file handle is left.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, OSError) and error.errno in NO_HANDLE_LEFT:
            raise
        raise InputError(f"{path}: not an array ({error})") from error
    fits = len(array.shape) == len(shape) and all(
        wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype != dtype:
        raise InputError(
            f"{path}: {array.dtype} {array.shape} instead of {np.dtype(dtype)} {shape}"
        )
    return array
