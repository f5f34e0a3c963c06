"""Stand-ins of CIFAR-10's files, in both published layouts; pickles are only written here."""

from __future__ import annotations

import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from slow_features.data.cifar import VERSIONS


def content_of(name: str, images: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return labels [n] and images [n, 3072] of a file, uint8; `name` without a suffix."""
    generator = np.random.default_rng(list(name.encode()))
    return generator.integers(0, 10, images), generator.integers(0, 256, (images, 3072), np.uint8)


def binary_file(labels: np.ndarray, images: np.ndarray) -> bytes:
    """Return the records of the binary version."""
    return np.concatenate([labels.astype(np.uint8)[:, None], images], axis=1).tobytes()


def batch(labels: np.ndarray, images: np.ndarray) -> dict:
    """Return what a file of the python version holds."""
    return {
        b"batch_label": b"training batch 1 of 5",
        b"labels": labels.tolist(),
        b"data": images,
        b"filenames": [b"leptodactylus_pentadactylus_s_000004\xe9.png"] * len(images),
    }


def python_3_file(labels: np.ndarray, images: np.ndarray) -> bytes:
    """Return what Python 3 writes in the protocol of the published files."""
    return pickle.dumps(batch(labels, images), 2)


def python_2_file(labels: np.ndarray, images: np.ndarray) -> bytes:
    """Return what Python 2 wrote, as published: strings of bytes, old names, opcode by opcode."""
    names = [b"camion_s_%06d.png" % number for number in range(len(images))]
    array = (
        *(b"cnumpy.core.multiarray\n_reconstruct\nq\x08", b"cnumpy\nndarray\nq\x09"),
        *(b"K\x00\x85q\x0a", b"U\x01bq\x0b", b"\x87q\x0cRq\x0d"),
        *(b"(K\x01", b"M" + struct.pack("<H", len(images)), b"M\x00\x0c\x86q\x0e"),
        *(b"cnumpy\ndtype\nq\x0f", b"U\x02u1q\x10K\x00K\x01\x87q\x11Rq\x12"),
        *(b"(K\x03U\x01|q\x13NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb", b"\x89"),
        *(b"T" + struct.pack("<i", images.size) + images.tobytes(), b"tb"),
    )
    return b"".join(
        [
            b"\x80\x02}q\x01(",
            *(b"U\x0bbatch_labelq\x02", b"U\x15training batch 1 of 5q\x03"),
            *(b"U\x06labelsq\x04]q\x05(", *(b"K" + bytes([n]) for n in labels.tolist()), b"e"),
            *(b"U\x04dataq\x06", *array),
            *(b"U\x09filenamesr\x14\x00\x00\x00]r\x15\x00\x00\x00(",),
            *(b"U" + bytes([len(name)]) + name + b"q\x16" for name in names),
            b"eu.",
        ]
    )


LAYOUTS = {"binary": binary_file, "python": python_2_file}


def write_cifar(folder: Path, patch: pytest.MonkeyPatch, layout: str = "binary") -> None:
    """Write tiny files of a layout, and take their checksums as the known ones."""
    (version,) = [version for version in VERSIONS if version.name == layout]
    folder.mkdir(exist_ok=True)
    for name in version.checksums:
        content = LAYOUTS[layout](*content_of(name.removesuffix(".bin")))
        (folder / name).write_bytes(content)
        digest = hashlib.new(version.algorithm.replace("-", ""), content).hexdigest()
        patch.setitem(version.checksums, name, digest)
