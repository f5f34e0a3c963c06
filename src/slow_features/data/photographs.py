"""Grey patches of photographs that scikit-image and scikit-learn carry in their packages.

They stand in for CIFAR-10 where it is not at hand: small natural images, many of them, without a
download. Whole photographs belong to one split, so no scene is seen in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from slow_features.errors import MachineError

# Split by hand so that mean, spread and contrast of the two sides agree to 0.01 (of grey 1.0).
TRAIN = (
    "astronaut",
    "brick",
    "camera",
    "chelsea",
    "china",
    "coffee",
    "coins",
    "grass",
    "retina",
    "rocket",
)
EVALUATION = ("flower", "gravel", "immunohistochemistry", "moon", "stereo_motorcycle")
ORIGIN = "patches of the photographs shipped with scikit-image and scikit-learn"

_FROM_SKLEARN = ("china", "flower")
_PATCH = 32  # px, the size of an image of CIFAR-10
_STRIDE = 8  # px between neighbouring patches
_SHORT_SIDES = (48, 80, 128)  # px of the reduced photograph: a patch shows 2/3 to 1/4 of its height
_LEAST_CONTRAST = 10.0  # standard deviation in grey values; flatter patches are left out


def patches(names: Iterable[str]) -> np.ndarray:
    """Cut the photographs into grey patches, uint8 [n, 32, 32], always in the same order.

    Raises MachineError when a package does not carry one of them.
    """
    return np.stack([patch for name in names for patch in _cut(_grey(name))])


def _grey(name: str) -> np.ndarray:
    """Load a photograph as grey values in [0, 255], float64 [height, width]."""
    try:
        if name in _FROM_SKLEARN:
            from sklearn.datasets import load_sample_image

            photograph = load_sample_image(f"{name}.jpg")
        else:
            import skimage.data

            photograph = getattr(skimage.data, name)()
    except Exception as error:
        raise MachineError(
            f"photograph '{name}' cannot be loaded from its package ({error}); install the locked "
            "versions of scikit-image and scikit-learn"
        ) from error
    if isinstance(photograph, tuple):  # a stereo pair: the left picture
        photograph = photograph[0]
    if photograph.ndim == 2:
        return photograph.astype(np.float64)
    return photograph[..., :3] @ np.array([0.299, 0.587, 0.114])


def _cut(grey: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the patches of one photograph at every scale, flat ones left out."""
    for short_side in _SHORT_SIDES:
        reduced = _reduce(grey, min(grey.shape) // short_side)
        windows = np.lib.stride_tricks.sliding_window_view(reduced, (_PATCH, _PATCH))
        for patch in windows[::_STRIDE, ::_STRIDE].reshape(-1, _PATCH, _PATCH):
            if patch.std() >= _LEAST_CONTRAST:
                yield patch


def _reduce(grey: np.ndarray, factor: int) -> np.ndarray:
    """Shrink by a whole factor: the mean of each factor x factor block, rounded to uint8."""
    height, width = (side // factor for side in grey.shape)
    blocks = grey[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
