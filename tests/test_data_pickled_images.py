"""A pickled file of images gives its images, and nothing else that a pickle can hold."""

import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slow_features.data.pickled_images import read_images
from tests.cifar_files import batch, content_of, python_2_file, python_3_file

LABELS, IMAGES = content_of("data_batch_1", images=4)


@pytest.mark.parametrize("write", [python_2_file, python_3_file])
def test_the_images_of_a_file_are_read(write):
    found = read_images(write(LABELS, IMAGES))
    assert found.dtype == np.uint8
    assert np.array_equal(found, IMAGES)


def test_the_file_of_python_2_is_one():
    """The hand-written opcodes are a pickle: what Python makes of them is what was put in."""
    found = pickle.loads(python_2_file(LABELS, IMAGES), encoding="latin-1")
    assert found["labels"] == LABELS.tolist() and len(found["filenames"]) == len(IMAGES)
    assert np.array_equal(found["data"], IMAGES)


@pytest.mark.parametrize("change", [np.asfortranarray, lambda images: images.T.copy().T])
def test_the_order_in_memory_does_not_matter(change):
    assert np.array_equal(read_images(python_3_file(LABELS, change(IMAGES))), IMAGES)


def test_old_and_new_names_of_numpy_are_read():
    new = python_3_file(LABELS, IMAGES)
    old = new.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != new
    assert np.array_equal(read_images(old), IMAGES)


def test_ten_thousand_images_are_few_opcodes():
    labels, images = content_of("data_batch_2", images=10_000)
    for write in (python_2_file, python_3_file):
        assert np.array_equal(read_images(write(labels, images)), images)


class Call:
    """Pickled as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Stateful(np.ndarray):
    pass


def written(thing) -> bytes:
    return pickle.dumps(thing, 2)


def with_data(data) -> bytes:
    return written(batch(LABELS, IMAGES) | {b"data": data})


def spoilt(old: bytes, new: bytes) -> bytes:
    """The file of Python 2 with one part of it changed."""
    content = python_2_file(LABELS, IMAGES)
    assert content.count(old) == 1
    return content.replace(old, new)


def nested(depth: int, opener: bytes, closer: bytes) -> bytes:
    return b"\x80\x02" + opener * depth + closer * depth + b"."


TEXT = b"X" + struct.pack("<i", 1_000_000) + b"x" * 1_000_000
PIXELS = b"X" + struct.pack("<i", 300 * 3072) + b"x" * 300 * 3072
DTYPE = (
    b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
HOSTILE = {
    "a command": written(Call(os.system, "touch pwned")),
    "a command among the data": with_data(Call(os.system, "touch pwned")),
    "eval": written(Call(eval, "open('pwned', 'w')")),
    "a command by INST": b"(S'touch pwned'\nios\nsystem\n.",
    "a command by OBJ": b"\x80\x02(cos\nsystem\nU\x0btouch pwnedo.",
    "another global of numpy": b"\x80\x02cnumpy\nload\nU\x05pwned\x85R.",
    "a global by STACK_GLOBAL": pickle.dumps(Call(os.system, "touch pwned"), 4),
    "a global that is allowed, alone": b"\x80\x02c_codecs\nencode\n.",
    "an array called": b"\x80\x02cnumpy\nndarray\nK\x03\x85R.",
    "encode into another codec": b"\x80\x02c_codecs\nencode\nU\x01xU\x05rot13\x86R.",
    "an instance by NEWOBJ": written(OrderedDict),
    "a subclass of an array": with_data(IMAGES.view(Stateful)),
    "an ordered dict": written(OrderedDict(data=1)),
    "a persistent id": b"\x80\x02U\x05pwnedQ.",
    "an extension": b"\x80\x02\x82\x01.",
    "protocol 3": pickle.dumps(batch(LABELS, IMAGES), 3),
    "protocol 5": pickle.dumps(batch(LABELS, IMAGES), 5),
    "objects": with_data(np.array([[None] * 3072], dtype=object)),
    "dtype of objects": spoilt(b"U\x02u1", b"U\x02O8"),
    "dtype of 64 bits": with_data(IMAGES.astype(np.int64)),
    "signed bytes": spoilt(b"U\x02u1", b"U\x02i1"),
    "fields": with_data(np.zeros((4, 3072), dtype=[("a", "u1")])),
    "other state of the dtype": spoilt(b"U\x01|q\x13NNN", b"U\x01|q\x13N}N"),
    "other size in the dtype": spoilt(b"NNNJ\xff\xff\xff\xff", b"NNNJ\xff\xff\xff\x7f"),
    "other state of the array": spoilt(b"(K\x01M", b"(K\x02M"),
    "an array in three dimensions": with_data(IMAGES.reshape(4, 3, 1024)),
    "an array in one dimension": with_data(IMAGES.ravel()),
    "other width": with_data(IMAGES[:, :3071]),
    "no images": with_data(IMAGES[:0]),
    "more rows than bytes": spoilt(b"M\x04\x00", b"J\xff\xff\xff\x7f"),
    "fewer rows than bytes": spoilt(b"M\x04\x00", b"M\x03\x00"),
    "negative rows": spoilt(b"M\x04\x00", b"J\xff\xff\xff\xff"),
    "an array without a state": b"\x80\x02}(U\x04data" + ARRAY + b"u.",
    "a state for a dict": b"\x80\x02}}b.",
    "data a list": with_data([1, 2, 3]),
    "data a text": with_data(b"x" * 3072),
    "no data": written({b"labels": [1, 2], b"filenames": [b"a", b"b"]}),
    "a list": written([1, 2, 3]),
    "a list in a list": with_data([[1, 2], [3, 4]]),
    "a dict in a dict": with_data({b"a": 1, b"b": 2}),
    "a key that is a tuple": written({(1, 2): 1, (3, 4): 2}),
    "a number beyond 32 bits": with_data(2**40),
    "a float": with_data(0.5),
    "a length of 2 GB": b"\x80\x02T\xff\xff\xff\x7fx.",
    "a negative length": b"\x80\x02T\xff\xff\xff\xffx.",
    "a length of 2^63": b"\x80\x02\x8e" + b"\xff" * 8 + b".",
    "lists in lists": nested(100_000, b"](", b"e"),
    "tuples in tuples": nested(100_000, b"", b"\x85").replace(b"\x02\x85", b"\x02K\x00\x85", 1),
    "a dict key of nested tuples": b"\x80\x02}(K\x00" + b"\x85" * 200_000 + b"K\x00u.",
    "a million lists": b"\x80\x02" + b"]" * 1_000_000 + b".",
    "a text encoded over and over": b"\x80\x02" + TEXT + b"q\x00"
    + b"c_codecs\nencode\nh\x00U\x06latin1\x86R" * 10_000 + b".",
    "an array built over and over": b"\x80\x02" + PIXELS + b"q\x00" + DTYPE + b"q\x01"
    + (ARRAY + b"(K\x01M\x2c\x01M\x00\x0c\x86h\x01\x89h\x00tb") * 5_000 + b".",
    "a memo of memos": b"\x80\x02]q\x00" + b"(" + b"h\x00" * 1000 + b"e"
    + b"q\x01(h\x01h\x01eq\x02" * 1000 + b".",
    "what was never stored": b"\x80\x02h\x07.",
    "an empty stack": b"\x80\x02\x85.",
    "no mark": b"\x80\x02]e.",
    "an odd number of items": b"\x80\x02}(U\x04datau.",
    "two things": b"\x80\x02}}.",
    "nothing": b"",
    "only the protocol": b"\x80\x02",
    "no pickle": b"\x89PNG\r\n\x1a\n",
    "text that is no text": b"\x80\x02X\x02\x00\x00\x00\xff\xff.",
    "a letter that no byte is": b"\x80\x02c_codecs\nencode\n" + b"X\x03\x00\x00\x00\xe2\x82\xac"
    + b"U\x06latin1\x86R.",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_everything_else_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = HOSTILE[name]
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"."):
            read_images(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000
    assert not list(tmp_path.iterdir())


def test_one_array_of_a_text_is_read():
    """The bomb above is refused for its number of arrays alone."""
    array = ARRAY + b"(K\x01M\x2c\x01M\x00\x0c\x86" + DTYPE + b"\x89" + PIXELS + b"tb"
    found = read_images(b"\x80\x02}(U\x04data" + array + b"u.")
    assert found.shape == (300, 3072) and (found == ord("x")).all()


def test_the_commands_would_have_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a command", "eval", "a command by INST", "a command by OBJ"):
        pickle.loads(HOSTILE[name])
        assert (tmp_path / "pwned").exists(), name
        (tmp_path / "pwned").unlink()


@pytest.mark.parametrize("write", [python_2_file, python_3_file])
def test_a_file_that_is_cut_is_refused(write):
    content = write(LABELS, IMAGES)
    for end in [*range(200), *range(200, len(content), 997), len(content) - 1]:
        with pytest.raises(ValueError, match=r"."):
            read_images(content[:end])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # texts with escapes, then refused
@settings(max_examples=300, deadline=None)
@given(
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4),
    write=st.sampled_from([python_2_file, python_3_file]),
)
def test_bytes_changed_at_random_give_images_or_a_refusal(places, write):
    labels, images = LABELS[:2], IMAGES[:2]
    content = bytearray(write(labels, images))
    pixels = content.find(images.tobytes()[:20]) if write is python_2_file else len(content)
    for place, value in places:
        content[int(place * min(pixels, len(content) - 1))] = value
    try:
        found = read_images(bytes(content))
    except ValueError:
        return
    assert found.dtype == np.uint8 and found.ndim == 2 and found.shape[1] == 3072
