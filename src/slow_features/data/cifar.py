"""CIFAR-10 (Krizhevsky 2009), binary version, read from a folder that the user names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from slow_features.errors import InputError

PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
ORIGIN = "CIFAR-10, binary version: every file's SHA-1 is the known one"
# SHA-1 of the files in cifar-10-binary.tar.gz, as Apache MXNet's loader of CIFAR-10 lists them.
SHA1 = {
    "data_batch_1.bin": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "data_batch_2.bin": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
    "data_batch_3.bin": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
    "data_batch_4.bin": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
    "data_batch_5.bin": "26e2849e66a845b7f1e4614ae70f4889ae604628",
    "test_batch.bin": "67eb016db431130d61cd03c7ad570b013799c88c",
}
TEST_FILES = ("test_batch.bin",)
TRAIN_FILES = tuple(name for name in SHA1 if name not in TEST_FILES)

_SIDE = 32
_RECORD = 1 + 3 * _SIDE * _SIDE  # bytes: the label, then red, green and blue, row by row


def read_grey(folder: str | Path, names: Iterable[str]) -> np.ndarray:
    """Read files of CIFAR-10 as grey images, uint8 [n, 32, 32].

    Raises InputError naming the first file that is missing or is not the published one.
    """
    return np.concatenate([_grey(_verified(Path(folder) / name)) for name in names])


def _verified(path: Path) -> bytes:
    """Return a file's content after comparing its SHA-1 with the published file's."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _problem(f"cannot read {path} ({error.strerror})") from error
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != SHA1[path.name]:
        raise _problem(
            f"{path} ({len(content)} bytes) is not CIFAR-10's file of that name: wrong SHA-1"
        )
    return content


def _problem(what: str) -> InputError:
    return InputError(
        f"dataset_structured_noise_path: {what}; the folder must hold data_batch_1.bin to "
        f"data_batch_5.bin and test_batch.bin of the binary version from {PAGE} "
        "(null takes the embedded photographs instead)"
    )


def _grey(content: bytes) -> np.ndarray:
    """Turn records into 0.299 R + 0.587 G + 0.114 B, rounded to uint8 [n, 32, 32]."""
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, _RECORD)
    red, green, blue = np.split(records[:, 1:].astype(np.float32), 3, axis=1)
    grey = np.rint(0.299 * red + 0.587 * green + 0.114 * blue)
    return grey.astype(np.uint8).reshape(-1, _SIDE, _SIDE)
