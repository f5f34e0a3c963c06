"""CIFAR-10 (Krizhevsky 2009), either published version, read from a folder that the user names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slow_features.data.pickled_images import IMAGE_BYTES, read_images
from slow_features.errors import InputError

PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
_SIDE = 32
_LARGEST = 2**26  # bytes; the published files have about 31 million


@dataclass(frozen=True)
class Version:
    """One form in which CIFAR-10 is published.

    folder: that its archive unpacks to. checksums: of its files, by name, the test file last.
    images: reads the images of a file, uint8 [n, 3072]: red, green and blue, row by row.
    """

    name: str
    folder: str
    algorithm: str
    checksums: dict[str, str]
    images: Callable[[bytes], np.ndarray]

    @property
    def origin(self) -> str:
        """What the images are and how they were checked, one line."""
        return f"CIFAR-10, {self.name} version: every file's {self.algorithm} is the known one"


def _records(content: bytes) -> np.ndarray:
    """Return the images of a binary file: records of the label, one byte, and the image."""
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + IMAGE_BYTES)[:, 1:]


# SHA-1 as Apache MXNet's loader of CIFAR-10 lists them, MD5 as torchvision's.
VERSIONS = (
    Version(
        "binary",
        "cifar-10-batches-bin",
        "SHA-1",
        {
            "data_batch_1.bin": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
            "data_batch_2.bin": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
            "data_batch_3.bin": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
            "data_batch_4.bin": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
            "data_batch_5.bin": "26e2849e66a845b7f1e4614ae70f4889ae604628",
            "test_batch.bin": "67eb016db431130d61cd03c7ad570b013799c88c",
        },
        _records,
    ),
    Version(
        "python",
        "cifar-10-batches-py",
        "MD5",
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
        },
        read_images,
    ),
)


def read_grey(folder: str | Path) -> tuple[Version, np.ndarray, np.ndarray]:
    """Read CIFAR-10 from a folder that holds one of its versions, or is one.

    Returns the version and the grey images of the train and the test split, uint8 [n, 32, 32].
    Raises InputError naming the first file that is missing or is not the published one.
    """
    version, place = _found(Path(folder))
    *train, test = [_grey(version, place / name) for name in version.checksums]
    return version, np.concatenate(train), test


def _found(folder: Path) -> tuple[Version, Path]:
    """Return the version of which most files are there, and where they lie."""
    places = [(v, place) for v in VERSIONS for place in (folder, folder / v.folder)]
    here = [sum((place / name).is_file() for name in v.checksums) for v, place in places]
    if not any(here):
        raise _problem(f"{folder} holds no CIFAR-10")
    return places[here.index(max(here))]


def _grey(version: Version, path: Path) -> np.ndarray:
    """Read a file as 0.299 R + 0.587 G + 0.114 B, rounded to uint8 [n, 32, 32]."""
    content = _verified(version, path)
    try:
        images = version.images(content)
    except ValueError as error:
        raise _problem(f"{path} cannot be read ({error}); the binary version can") from error
    red, green, blue = np.split(images.astype(np.float32), 3, axis=1)
    grey = np.rint(0.299 * red + 0.587 * green + 0.114 * blue)
    return grey.astype(np.uint8).reshape(-1, _SIDE, _SIDE)


def _verified(version: Version, path: Path) -> bytes:
    """Return a file's content after comparing its checksum with the published file's."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        raise _problem(f"cannot read {path} ({error.strerror})") from error
    algorithm = version.algorithm.replace("-", "")
    found = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
    if found != version.checksums[path.name]:
        raise _problem(
            f"{path} ({len(content)} bytes) is not CIFAR-10's file of that name: wrong "
            f"{version.algorithm}"
        )
    return content


def _problem(what: str) -> InputError:
    return InputError(
        f"dataset_structured_noise_path: {what}; give a folder with CIFAR-10 from {PAGE}, binary "
        "version (data_batch_1.bin to data_batch_5.bin, test_batch.bin) or python version "
        "(data_batch_1 to data_batch_5, test_batch), or set dataset_structured_noise_path=null "
        "to use the photographs that scikit-image ships"
    )
