"""The table of bad input: what is wrong, and what the one line that refuses it has to name.

Each case is one call of a real command. `test_bad_input.py` runs all of them inside one process
and some, or with `-m slow` all, as processes of their own.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from slow_features.config.load import load_config
from slow_features.config.schema import Experiment
from slow_features.data.cache import data_for
from slow_features.data.store import StoredDataset

SETTINGS = {
    "dataset_noise": 1.5, "dataset_batch_size": 16, "dataset_size": 64, "val_dataset_size": 32,
    "n_steps": 5, "val_n_steps": 5, "threads": 1, "probing_cfg": {"sequences": 64},
    "vicreg": {"embedding_size": 16, "backbone_width_factor": 1, "epochs": 2},
}  # fmt: skip
DATA, RUN = ".cache", "run"  # folders of a finished experiment, ready for a case to spoil
WEIGHTS = f"{RUN}/train/model.safetensors"


@dataclass(frozen=True)
class Case:
    """One bad call.

    arguments: of the stage, run in a folder with `good.yaml`. names: what the line must hold.
    spoil: makes the bad file. needs: copies of the finished experiment's folders.
    """

    name: str
    arguments: tuple[str, ...]
    names: tuple[str, ...]
    stage: str = "train"
    code: int = 2
    spoil: Callable[[Path], object] = lambda folder: None
    needs: tuple[str, ...] = ()


@contextmanager
def sound_project(folder: Path) -> Iterator[tuple[Experiment, StoredDataset, pytest.MonkeyPatch]]:
    """Work in a new project with sound settings, `good.yaml`, and their data set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("DVC_ROOT", raising=False)
        (folder / "dvc.yaml").touch()
        (folder / "good.yaml").write_text(yaml.safe_dump(SETTINGS))
        config = load_config(["good.yaml"]).config
        yield config, data_for(config), patch


def for_each(keys: Iterable[str], values: list[str]) -> dict[str, list[str]]:
    """Return the same values for every key."""
    return dict.fromkeys(keys, values)


# --- settings: every key, each value wrong in its own way -------------------------------------

NOT_A_NUMBER = [
    "", "null", "text", "[1]", "{a: 1}", "true", ".nan", ".inf", "-.inf", "1:30", "0x1f"
]  # fmt: skip
NOT_WHOLE = [*NOT_A_NUMBER, "1.5", "1e3", "'1'", "1" + "0" * 30, "-1" + "0" * 30]
NOT_A_SWITCH = ["", "null", "text", "[true]", "{a: 1}", "1", "0", "yes", "'true'", ".nan"]
NOT_A_TEXT = ["[a]", "{a: b}", "1", "true", ".nan", ".inf", "''"]
NOT_ONE_OF = ["", "null", "nonsense", "[a]", "{a: b}", "1", "true", ".nan", "''", "x" * 5000]
NOT_A_SECTION = ["", "null", "text", "[1]", "1", "true", ".nan"]
SIZES = ["0", "-1", "5-", "-5", "5--5", "512-0", "a-b", "123456", "5 5", "[5]", "{a: 5}", "''"]

RATE = ["0", "-0.1", "1000.1", "1e300"]
COEFFICIENT = ["-0.1", "-1e-9", "1000001", "1e300"]
NOT_0 = ["-0.1", "1e-9", "1"]
COUNT = ["0", "-1", "100000001"]
OUTSIDE = {  # real numbers just outside their bounds
    "dataset_noise": COEFFICIENT,
    "dataset_static_noise": COEFFICIENT,
    "dataset_static_noise_speed": ["-0.1", "28.1"],
    "dataset_dot_std": ["0", "0.24", "6.1"],
    **for_each(["vicreg.base_lr", "simclr.base_lr", "idm.base_lr"], RATE),
    **for_each(["rssm.learning_rate", "supervised.lr", "probing_cfg.lr"], RATE),
    **{
        f"vicreg.{key}_coeff": COEFFICIENT
        for key in ("sim", "std", "cov", "action", "time_std", "time_cov", "sigreg")
    },
    **for_each(["vicreg.encoding_std_coeff", "vicreg.encoding_cov_coeff"], NOT_0),
    **for_each([f"{model}.decoding_coeff" for model in ("vicreg", "simclr", "idm")], NOT_0),
    "simclr.action_coeff": COEFFICIENT,
    "simclr.across_coeff": COEFFICIENT,
    "simclr.across_share": ["0", "-0.5", "1.01"],
    "simclr.loss_temp": ["0", "-1", "1000001"],
    "idm.action_coeff": ["0", "-1", "1000001"],
    "rssm.rssm_adam_epsilon": ["0", "1.1"],
    "rssm.min_var": ["-0.1", "100.1"],
}
MODELS = ("vicreg", "simclr", "rssm", "idm", "supervised", "random")
OUTSIDE_WHOLE = {  # whole numbers just outside their bounds
    "dataset_batch_size": ["1", "-1", "1000001"],
    **for_each(["dataset_size", "val_dataset_size", "safe_every_n_epochs"], COUNT),
    **for_each(["n_steps", "val_n_steps"], ["1", "0", "-1", "1001"]),
    "seed": ["-1", "2147483648"],
    "threads": ["0", "-1", "1025"],
    "simclr.other_actions": ["0", "-1", "65"],
    **for_each([f"probing_cfg.{key}" for key in ("sequences", "epochs", "epochs_enc")], COUNT),
}
for _model in MODELS:
    OUTSIDE_WHOLE |= {
        f"{_model}.backbone_width_factor": ["0", "-1", "65"],
        f"{_model}.embedding_size": ["0", "-1", "65537"],
        f"{_model}.channels": ["0", "2", "4", "-1", "1.0"],
        f"{_model}.action_dim": ["0", "1", "3", "2.0"],
        f"{_model}.rnn_layers": ["0", "-1", "65"],
        f"{_model}.rnn_burnin": ["0", "-1", "2", "1.0"],
        f"{_model}.epochs": COUNT,
    }
WRONG = {
    **{key: NOT_A_NUMBER + values for key, values in OUTSIDE.items()},
    **{key: NOT_WHOLE + values for key, values in OUTSIDE_WHOLE.items()},
    **{key: [v for v in NOT_WHOLE if v not in ("", "null")] + COUNT
       for key in ("probing_cfg.batch_size", "supervised.batch_size")},
    **for_each(
        ["dataset_structured_noise", "dataset_normalize", "eval_only", "wandb",
         "vicreg.skip_first_step_vc", "simclr.normalize_z", "probing_cfg.full_finetune",
         "vicreg.frame_differences", "simclr.frame_differences", "idm.frame_differences"],
        NOT_A_SWITCH),
    **for_each(
        ["vicreg.repr_loss_after_projector", "vicreg.random_projector", "simclr.random_projector",
         "idm.random_projector"], ["true", "0.0", *NOT_A_SWITCH]),
    **for_each(["dataset_structured_noise_path", "load_checkpoint_path"], NOT_A_TEXT),
    **for_each(["run_name", "run_group"], [*NOT_A_TEXT, "x" * 201]),
    "output_path": NOT_A_TEXT,
    "scale": [*NOT_A_TEXT, "null", "QUICK", "'; touch pwned'", "../x", "a-b", "x" * 33, "'a\n'"],
    **for_each(["model_type", "dataset_type", "device", "precision", "simclr.negatives"],
               NOT_ONE_OF),
    **for_each([f"{model}.arch" for model in MODELS], NOT_ONE_OF),
    **for_each([f"{model}.predictor" for model in MODELS], ["null", "gru", "RNN", "id", *SIZES]),
    **for_each(
        [f"{model}.backbone_mlp" for model in MODELS],
        ["512-512", "512-", "true", "1.0", "65537", "'65537'", "' 5'", "'+5'", "'٣'", *SIZES]),
    **for_each([f"{model}.projector" for model in ("vicreg", "simclr", "idm")], ["null", *SIZES]),
    "probing_cfg.solver": NOT_ONE_OF,
    "probing_cfg.measured_on": NOT_ONE_OF,
    "probing_cfg.schedule": ["cosine", "1", "[a]", "false"],
    "probing_cfg.prober_arch": ["null", "512", "'512'", "[a]"],
    **for_each([*MODELS, "probing_cfg"], NOT_A_SECTION),
}  # fmt: skip


def setting_cases() -> list[Case]:
    """Return a case for every wrong value of every key, given by --values."""
    return [
        Case(f"{key}={value[:20]}", ("--values", f"{key}={value}"), ("--values", key, "allowed:"))
        for key, values in WRONG.items()
        for value in values
    ]


TOGETHER = {  # fine alone, impossible together
    ("dataset_batch_size=65",): ("dataset_batch_size = 65", "dataset_size = 64"),
    ("vicreg.channels=3",): ("vicreg.channels = 3", "dataset_type"),
    ("rssm.rnn_layers=2",): ("rssm.rnn_layers = 2", "only 1"),
    ("rssm.backbone_mlp=8",): ("rssm.backbone_mlp = 8", "allowed: null"),
    ("vicreg.sim_coeff=0", "vicreg.std_coeff=0", "vicreg.cov_coeff=0"): ("vicreg.sim_coeff",),
    ("eval_only=true",): ("eval_only = True", "load_checkpoint_path"),
    ("probing_cfg.full_finetune=true",): ("probing_cfg.full_finetune = True", "eval_only"),
    ("model_type=RSSM", "eval_only=true", "probing_cfg.full_finetune=true"): (
        "model_type = RSSM",
        "VICReg or SimCLR",
    ),
    ("probing_cfg.solver=adam", "dataset_batch_size=33"): ("dataset_batch_size = 33", "32"),
    ("probing_cfg.solver=adam", "probing_cfg.batch_size=33"): ("probing_cfg.batch_size = 33",),
}
UNKNOWN = {
    "sede=1": ("sede", "did you mean seed?"),
    "vicreg.base_lrr=1": ("vicreg.base_lrr", "did you mean vicreg.base_lr?"),
    "base_lr=1": ("base_lr", "did you mean"),
    "VICReg.base_lr=1": ("VICReg",),
    "__class__=1": ("__class__",),
    "model_config=1": ("model_config",),
    "vicreg.model_fields=1": ("vicreg.model_fields",),
    "é=1": ("é",),
    "nonsense={a: 1}": ("nonsense",),
    f"{'k' * 64}=1": ("kkk",),
}
NO_SETTING = {  # no `key=value` at all
    "": "''", "seed": "'seed'", "=1": "'=1'", ".=1": "'.=1'", "a.b.c=1": "'a.b.c=1'",
    "seed =1 = 2": "seed", "seed: 1": "'seed: 1'", "a b=1": "'a b'", "\x1b[31m=1": "\\x1b",
    "vicreg..base_lr=1": "'vicreg..base_lr=1'", "seed=[1": "seed=[1", "seed='": "seed=",
    "seed=!!python/object/apply:os.getcwd []": "tag", "seed=*a": "alias",
    "vicreg={a: {b: 1}}": "nested too deep", "vicreg={1: 2}": "key 1",
    'run_name="a\\0b"': "#x0000", 'output_path="\\ud800"': "#xd800",
    "seed=" + "9" * 5000: "4300", "seed=" + "[" * 2000: "nested too deep", "seed=\x00": "#x0000",
}  # fmt: skip
ARGUMENTS = {  # of the command line itself
    ("--bogus",): "--bogus",
    ("--no-probe", "good.yaml"): "good.yaml",
    ("--values",): "--values",
    ("--configs",): "--configs",
    ("--data", "data"): "--data data",
    ("--record=1",): "--record",
    ("--no-probe=1",): "--no-probe",
    ("--print-config", "--bogus"): "--bogus",
    ("--configs", "none.yaml"): "none.yaml",
    ("--configs", ""): "''",
    ("--configs", "\n"): "'\\n'",
    ("--configs", "x" * 5000): "too long",
    ("--configs", "good.yaml", "none.yaml"): "none.yaml",
    ("--configs", "/dev/null"): "/dev/null",
    ("--configs", "/dev/zero"): "/dev/zero",
    ("--configs", "good.yaml/x"): "good.yaml/x",
    ("--configs", "."): ".:",
    ("--help-settings", "nonsense"): "nonsense",
}


def command_line_cases() -> list[Case]:
    """Return the cases of keys, values and options that are none."""
    cases = [
        Case(f"together {values[-1]}", ("--values", *values), (*names, "allowed:"))
        for values, names in TOGETHER.items()
    ]
    cases += [Case(f"unknown {v[:20]}", ("--values", v), names) for v, names in UNKNOWN.items()]
    cases += [
        Case(f"no setting {value[:20]!r}", ("--values", value), ("--values", name))
        for value, name in NO_SETTING.items()
    ]
    cases += [Case(f"{given[-1][:20]!r}", given, (name,)) for given, name in ARGUMENTS.items()]
    return cases


# --- files of settings ------------------------------------------------------------------------


def laughs(levels: int = 12) -> str:
    """Return a page of YAML whose aliases stand for 10 ** levels texts."""
    first = "run_name: &a0 [" + ", ".join("x" * 10) + "]"
    more = (
        f"k{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 10) + "]"
        for level in range(1, levels)
    )
    return "\n".join([first, *more])


FILES: dict[str, tuple[str | bytes, str]] = {  # content, and what the line must hold
    "empty": ("", "holds no settings"),
    "blank": ("  \n\n", "holds no settings"),
    "comment": ("# seed: 1\n", "holds no settings"),
    "list": ("- seed\n- 1\n", "holds no settings"),
    "text": ("seed", "holds no settings"),
    "number": ("3", "holds no settings"),
    "json list": ("[1, 2]", "holds no settings"),
    "two documents": ("seed: 1\n---\nseed: 2\n", "line 2"),
    "unclosed list": ("seed: [1\n", "line 2"),
    "unclosed brace": ("{seed: 1", "column 9"),
    "unclosed quote": ("run_name: 'a\n", "line 2"),
    "tab": ("vicreg:\n\tbase_lr: 1\n", "line 2"),
    "colon in value": ("seed: a: b\n", "line 1"),
    "bad indent": ("vicreg:\n  base_lr: 1\n sim_coeff: 1\n", "line 3"),
    "at sign": ("seed: @1\n", "line 1"),
    "percent": ("%TAG\nseed: 1\n", "line 1"),
    "twice": ("seed: 1\nthreads: 1\nseed: 2\n", "line 3, column 1: key 'seed' comes twice"),
    "twice in a section": ("vicreg: {base_lr: 1, base_lr: 2}\n", "key 'base_lr' comes twice"),
    "section twice": ("vicreg: {base_lr: 1}\nvicreg: {sim_coeff: 1}\n", "'vicreg' comes twice"),
    "dotted key": ("vicreg.base_lr: 1\n", "'vicreg.base_lr'"),
    "number as key": ("1: 2\n", "key 1"),
    "null as key": ("~: 1\n", "key null"),
    "list as key": ("? [1]\n: 2\n", "unhashable"),
    "line break in key": ('"a\\nb": 1\n', "key 'a\\nb'"),
    "escape in key": ('"\\e[31m": 1\n', "key '\\x1b[31m'"),
    "long key": ("k" * 65 + ": 1\n", "key 'kkk"),
    "three levels": ("vicreg: {base_lr: {a: 1}}\n", "nested too deep"),
    "deep list": ("seed: " + "[" * 5000, "nested too deep"),
    "deep mapping": ("{a: " * 3000, "nested too deep"),
    "section empty": ("vicreg:\n", "vicreg = null"),
    "unknown key": ("seeed: 1\n", "did you mean seed?"),
    "unknown section": ("vicregg: {base_lr: 1}\n", "vicregg"),
    "wrong type": ("seed: one\n", "seed = 'one'"),
    "date": ("seed: 2001-01-01\n", "seed = '2001-01-01'"),
    "template": ("seed: {{ 7 * 7 }}\n", "line 1"),
    "variable": ("seed: ${HOME}\n", "'${HOME}'"),
    "object": ("seed: !!python/object/apply:os.system ['touch pwned']\n", "line 1, column 7: tag"),
    "object new": ("seed: !!python/object/new:os.system [touch pwned]\n", "tag"),
    "name": ("seed: !!python/name:os.system\n", "tag"),
    "module": ("!!python/module:os\n", "tag"),
    "tuple": ("seed: !!python/tuple [1]\n", "tag"),
    "set": ("seed: !!set {1}\n", "tag"),
    "binary tag": ("seed: !!binary aGVsbG8=\n", "tag"),
    "own tag": ("seed: !mine 1\n", "tag !mine"),
    "bad int tag": ("seed: !!int x\n", "tag"),
    "anchor in itself": ("vicreg: &a {arch: *a}\n", "alias *a"),
    "list in itself": ("seed: &a [*a]\n", "alias *a"),
    "merge key": ("vicreg: &v {base_lr: 1}\nsimclr: {<<: *v}\n", "alias *v"),
    "merge without alias": ("vicreg: {<<: {base_lr: 1}}\n", "<<"),
    "billion laughs": (laughs(), "alias *a0"),
    "hexadecimal": ("seed: 0x" + "f" * 5000 + "\n", "seed = '0xff"),
    "many digits": ("seed: " + "9" * 5000 + "\n", "4300"),
    "large": ("# " + "x" * 65_536, "larger than 65536 bytes"),
    "null byte": ("seed: 1\x00\n", "#x0000"),
    "bytes": (bytes(range(256)), "not a YAML file"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(200), "not a YAML file"),
    "utf-16": ("seed: 1\n".encode("utf-16"), "not a YAML file"),
    "latin-1": ("run_name: café\n".encode("latin-1"), "not a YAML file"),
    "pickle": (pickle.dumps({"seed": 1}), "not a YAML file"),
    "half a character": ("run_name: é".encode()[:-1], "not a YAML file"),
}  # fmt: skip


def file_cases() -> list[Case]:
    """Return the cases of broken files of settings, for three stages in turn."""
    stages = ("train", "generate", "probe")
    cases = [
        Case(
            f"file: {name}", ("--configs", "bad.yaml"), ("bad.yaml", part),
            stages[number % len(stages)], spoil=lambda folder, text=text: put(folder, text),
        )
        for number, (name, (text, part)) in enumerate(FILES.items())
    ]  # fmt: skip
    folder = Case(
        "file: a folder", ("--configs", "bad.yaml"), ("bad.yaml", "Is a directory"),
        spoil=lambda folder: (folder / "bad.yaml").mkdir(),
    )  # fmt: skip
    link = Case(
        "file: a link to nowhere", ("--configs", "bad.yaml"), ("bad.yaml", "No such file"),
        spoil=lambda folder: (folder / "bad.yaml").symlink_to("none"),
    )  # fmt: skip
    circle = Case(
        "file: a link to itself", ("--configs", "bad.yaml"), ("bad.yaml",),
        spoil=lambda folder: (folder / "bad.yaml").symlink_to("bad.yaml"),
    )  # fmt: skip
    pipe = Case(
        "file: a pipe", ("--configs", "bad.yaml"), ("bad.yaml", "a pipe or a device"),
        spoil=lambda folder: os.mkfifo(folder / "bad.yaml"),
    )  # fmt: skip
    return [*cases, folder, link, circle, pipe]


def put(folder: Path, content: str | bytes, name: str = "bad.yaml") -> None:
    """Write a file of text or bytes."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


# --- weights, checkpoints ---------------------------------------------------------------------


def header_of(content: bytes) -> tuple[dict, bytes]:
    """Split a safetensors file into its header and its numbers."""
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def with_header(header: object, numbers: bytes) -> bytes:
    """Put a header before the numbers of a safetensors file."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def change_header(content: bytes, change: Callable[[dict], object]) -> bytes:
    """Return the file with its header changed in place."""
    header, numbers = header_of(content)
    change(header)
    return with_header(header, numbers)


def first_tensor(header: dict) -> dict:
    """Return the entry of the first tensor."""
    return header[sorted(name for name in header if name != "__metadata__")[0]]


def flip(content: bytes, place: int) -> bytes:
    """Return the bytes with one bit changed."""
    changed = bytearray(content)
    changed[place] ^= 1
    return bytes(changed)


def rename_first(header: dict) -> None:
    """Give the first tensor another name."""
    name = sorted(name for name in header if name != "__metadata__")[0]
    header["other"] = header.pop(name)


def metadata(**entries: str) -> Callable[[dict], object]:
    """Return a change of the metadata."""
    return lambda header: header.update(__metadata__=entries)


# What is wrong with a file of weights, as a function of a sound one, and what the line must hold.
TENSORS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda c: b"", "not a sound safetensors file"),
    "pickle": (lambda c: pickle.dumps({"a": 1}), "not a sound safetensors file"),
    "zip": (lambda c: b"PK\x03\x04" + c, "not a sound safetensors file"),
    "text": (lambda c: b"hello", "not a sound safetensors file"),
    "one byte short": (lambda c: c[:-1], "not a sound safetensors file"),
    "half": (lambda c: c[: len(c) // 2], "not a sound safetensors file"),
    "header cut": (lambda c: c[:100], "not a sound safetensors file"),
    "bytes behind": (lambda c: c + b"x", "not a sound safetensors file"),
    "one bit of a number": (lambda c: flip(c, -5), "damaged"),
    "one bit of the middle": (lambda c: flip(c, len(c) * 3 // 4), "damaged"),
    "header of 2^63 bytes": (lambda c: struct.pack("<Q", 2**63) + c, "not a sound"),
    "header of 200 MB": (lambda c: struct.pack("<Q", 200_000_000) + c[8:], "not a sound"),
    "header no JSON": (lambda c: with_header(b"{" * 50, header_of(c)[1]), "not a sound"),
    "header deep": (lambda c: with_header(b'{"a":' * 30000, b""), "not a sound"),
    "header a list": (lambda c: with_header([1], b""), "not a sound"),
    "sizes that lie": (lambda c: change_header(
        c, lambda h: first_tensor(h).update(shape=[9999999])), "not a sound"),
    "offsets that lie": (lambda c: change_header(
        c, lambda h: first_tensor(h).update(data_offsets=[0, 2**60])), "not a sound"),
    "negative offsets": (lambda c: change_header(
        c, lambda h: first_tensor(h).update(data_offsets=[-4, 0])), "not a sound"),
    "type that is none": (lambda c: change_header(c, lambda h: first_tensor(h).update(dtype="X")),
                          "not a sound"),
    "overlapping": (lambda c: change_header(c, lambda h: h.update(copy=first_tensor(h))),
                    "not a sound"),
    "another type": (lambda c: change_header(c, lambda h: first_tensor(h).update(dtype="I32")),
                     "damaged"),
    "another name": (lambda c: change_header(c, rename_first), "damaged"),
    "no metadata": (lambda c: change_header(c, lambda h: h.pop("__metadata__")), "format is null"),
    "foreign metadata": (lambda c: change_header(c, metadata(format="pt")), "format is null"),
    "metadata no JSON": (lambda c: change_header(c, metadata(slow_features="{")), "not a sound"),
    "metadata a list": (lambda c: change_header(c, metadata(slow_features="[1]")), "is null"),
    "metadata deep": (lambda c: change_header(c, metadata(slow_features="[" * 9999)), "not a"),
    "another version": (lambda c: change_header(
        c, metadata(slow_features='{"format": "slow-features weights 99"}')), "weights 99"),
    "version of a megabyte": (lambda c: change_header(
        c, metadata(slow_features=json.dumps({"format": "x" * 2**20}))), "xxx...; allowed"),
    "no checksum": (lambda c: change_header(
        c, metadata(slow_features='{"format": "slow-features weights 1"}')), "damaged"),
}  # fmt: skip


def weights_cases() -> list[Case]:
    """Return the cases of files of weights, to start from or to probe."""
    start = ("--values", "load_checkpoint_path=bad.safetensors")
    cases = [
        Case(
            f"weights: {name}", start, ("bad.safetensors", part), needs=(RUN,),
            spoil=lambda folder, change=change: put(
                folder, change((folder / WEIGHTS).read_bytes()), "bad.safetensors"
            ),
        )
        for name, (change, part) in TENSORS.items()
    ]  # fmt: skip
    probe = {"stage": "probe", "needs": (RUN,)}
    own = f"output_path={RUN}"
    cases += [
        Case("weights: in the output", ("--values", f"load_checkpoint_path={WEIGHTS}",
                                        f"output_path={RUN}"),
             (f"load_checkpoint_path = {WEIGHTS}", "allowed: weights outside"), needs=(RUN,)),
        Case("weights: missing", start, ("bad.safetensors", "no such file")),
        Case("weights: a folder", ("--values", "load_checkpoint_path=."), (".", "a folder")),
        Case("weights: of a checkpoint", ("--values", "load_checkpoint_path=good.yaml"),
             ("good.yaml", "not a sound")),
        Case("probe: other size", ("--values", own, "vicreg.embedding_size=8"),
             (WEIGHTS, "the model of this configuration has"), **probe),
        Case("probe: other model", ("--values", own, "model_type=RSSM", "rssm.embedding_size=16"),
             (WEIGHTS, "does not fit the model"), **probe),
        Case("probe: three dots", ("--values", own, "dataset_type=Multiple", "vicreg.channels=3"),
             (WEIGHTS,), **probe),
        Case("probe: nothing trained", ("--values", "output_path=none"),
             ("none/train/model.safetensors", "no such file"), stage="probe"),
        Case("probe: weights gone", ("--values", own), (WEIGHTS, "no such file"),
             spoil=lambda folder: (folder / WEIGHTS).unlink(), **probe),
        Case("probe: weights cut", ("--values", own), (WEIGHTS, "not a sound"),
             spoil=lambda folder: os.truncate(folder / WEIGHTS, 5000), **probe),
        Case("probe: weights a folder", ("--values", own), (WEIGHTS, "a folder"),
             spoil=lambda f: [(f / WEIGHTS).unlink(), (f / WEIGHTS).mkdir()], **probe),
    ]  # fmt: skip
    return cases


# --- data sets, CIFAR-10 ----------------------------------------------------------------------


def data_cases() -> list[Case]:
    """Return the cases of images that are none, and of places for a description of a data set."""
    cases = [
        Case("generate: into a file", ("--folder", "good.yaml"), ("good.yaml",), "generate"),
        Case("generate: into a folder of other things", ("--folder", "."), (".", "not replaced"),
             "generate"),
        Case("generate: below a file", ("--folder", "good.yaml/x"), ("yaml/x",), "generate", 1),
    ]  # fmt: skip
    noise = "dataset_structured_noise"
    structured = ("--values", f"{noise}=true", f"{noise}_path=cifar")
    files = ("data_batch_1.bin", "data_batch_2.bin")
    for name, content in {"missing": None, "empty": b"", "short": bytes(3073), "cut": b"x"}.items():
        cases.append(
            Case(
                f"CIFAR-10: {name}", structured,
                ("dataset_structured_noise_path", "cifar", "data_batch_1.bin", "null"), "generate",
                spoil=lambda folder, content=content: fill_cifar(folder, files, content),
            )
        )  # fmt: skip
    cases.append(
        Case(
            "CIFAR-10: another pickle", structured,
            ("dataset_structured_noise_path", "cifar", "data_batch_1 ", "MD5", "null"), "generate",
            spoil=lambda folder: fill_cifar(folder, ("data_batch_1",), pickle.dumps([1])),
        )
    )  # fmt: skip
    cases.append(Case("CIFAR-10: no folder", structured, ("data_batch_1.bin",), "generate"))
    cases.append(
        Case("CIFAR-10: a file", structured, ("data_batch_1.bin",), "generate",
             spoil=lambda folder: put(folder, "x", "cifar"))
    )  # fmt: skip
    return cases


def fill_cifar(folder: Path, names: tuple[str, ...], content: bytes | None) -> None:
    """Make a folder that is no CIFAR-10."""
    (folder / "cifar").mkdir()
    for name in names:
        if content is not None:
            (folder / "cifar" / name).write_bytes(content)


# --- the grid ---------------------------------------------------------------------------------

CELL = "quick/VICReg/changing_uniform/alpha1.5-published-seed1"
GRID = {
    "families": ["changing_uniform"],
    "models": ["VICReg"],
    "quick": {"seeds": [1], "levels": {"changing_uniform": ["1.5"]}, "variants": {}, "budgets": {}},
}


def grid_file(change: Callable[[dict], object] = lambda grids: None) -> Callable[[Path], None]:
    """Return what writes grids.yaml, changed, and the one configuration that it needs."""

    def spoil(folder: Path) -> None:
        grids = json.loads(json.dumps(GRID))
        change(grids)
        (folder / "grids.yaml").write_text(yaml.safe_dump(grids))
        (folder / "reproduce_configs").mkdir()
        text = yaml.safe_dump({"model_type": "VICReg", **SETTINGS})
        (folder / "reproduce_configs" / "vicreg.yaml").write_text(text)
        (folder / "reproduce_configs" / "random.yaml").write_text("model_type: Random")

    return spoil


def quick(**entries: object) -> Callable[[dict], object]:
    """Return a change of the scale `quick`."""
    return lambda grids: grids["quick"].update(entries)


GRIDS: dict[str, tuple[Callable[[dict], object], str]] = {
    "no scale": (lambda g: g.pop("quick"), "scale = 'quick'"),
    "scale a list": (lambda g: g.update(quick=[1]), "quick = [1]: allowed: a scale"),
    "scale null": (lambda g: g.update(quick=None), "quick = null: allowed: a scale"),
    "no families": (lambda g: g.pop("families"), "families"),
    "families a text": (lambda g: g.update(families="changing_uniform"), "families"),
    "family unknown to DVC": (lambda g: g.update(families=["x"]), "quick.levels.changing_uniform"),
    "no models": (lambda g: g.pop("models"), "models"),
    "model unknown": (lambda g: g.update(models=["VicReg"]), "models"),
    "no levels": (lambda g: g["quick"].pop("levels"), "levels"),
    "level a number": (quick(levels={"changing_uniform": [1.5]}), "levels"),
    "level no number": (quick(levels={"changing_uniform": ["a"]}), "levels"),
    "level a path": (quick(levels={"changing_uniform": ["../.."]}), "levels"),
    "level negative": (quick(levels={"changing_uniform": ["-1"]}), "levels"),
    "level in other digits": (quick(levels={"changing_uniform": ["١.٥"]}), "levels"),
    "adam_probe at no level": (quick(adam_probe={"changing_uniform": ["9"]}), "has 9, which is no"),
    "adam_probe of no family": (quick(adam_probe={"fixed_unifrom": ["1.5"]}), "no level of the"),
    "family a shell line": (quick(levels={"; touch pwned": ["1"]}), "'; touch pwned'"),
    "no seeds": (quick(seeds=[]), "seeds"),
    "seed a text": (quick(seeds=["1"]), "seeds"),
    "seed negative": (quick(seeds=[-1]), "seeds"),
    "seeds a number": (quick(seeds=1), "seeds"),
    "unknown key": (quick(budget={}), "budget"),
    "unknown variant": (quick(variants={"mine": {}}), "mine"),
    "variant without source": (quick(variants={"control": {"models": [], "families": []}}),
                               "should have either tuned_at, a level, or folder"),
    "variant with two sources": (
        quick(variants={"x": {"models": [], "tuned_at": "1", "folder": "remedies"}}),
        "should have either tuned_at, a level, or folder"),
    "variant in a folder above": (quick(variants={"x": {"models": [], "folder": "../.."}}),
                                  "variants.x.folder = '../..'"),
    "variant without its file": (
        quick(variants={"mine": {"models": ["VICReg"], "folder": "remedies"}}),
        "remedies/vicreg.mine.yaml"),
    "variant of no seed": (
        quick(variants={"x": {"models": [], "folder": "remedies", "seeds": []}}),
        "variants.x.seeds"),
    "variant called published": (
        quick(variants={"published": {"models": [], "folder": "remedies"}}),
        "should not have published"),
    "only of no model": (quick(only={"changing_uniform": ["X"]}), "only.changing_uniform"),
    "budget of no model": (quick(budgets={"X": {}}), "budgets"),
    "budget a number": (quick(budgets={"VICReg": 3}), "budgets.VICReg"),
    "budget with unknown key": (quick(budgets={"VICReg": {"epocs": 1}}), "vicreg.epocs"),
    "budget of no epochs": (quick(budgets={"VICReg": {"epochs": 0}}), "vicreg.epochs = 0"),
    "batch a text": (quick(budgets={"VICReg": {"batch_at_most": "64"}}), "batch_at_most"),
    "batch of 1": (quick(budgets={"VICReg": {"batch_at_most": 1}}), "batch_at_most"),
    "settings a list": (quick(settings=[1]), "settings"),
    "settings unknown": (quick(settings={"sede": 1}), "sede"),
    "no level": (quick(levels={}), "levels should have a level"),
    "an empty level": (quick(levels={"changing_uniform": []}), "levels should have a level"),
    "models empty": (lambda g: g.update(models=[]), "models = []"),
    "families numbers": (lambda g: g.update(families=[1, 2]), "families = [1, 2]"),
    "models twice": (lambda g: g.update(models=["VICReg", "VICReg"]), "no value twice"),
    "seeds twice": (quick(seeds=[1, 2, 1]), "no value twice"),
    "levels twice": (quick(levels={"changing_uniform": ["1.5", "1.50"]}), "no value twice"),
    "variant of a model without settings": (
        lambda g: [g.update(models=["VICReg", "Random"]), quick(variants={"control": {
            "models": ["Random"], "families": ["changing_uniform"], "tuned_at": "1"}})(g)],
        "random.yaml: has no section random"),
    "no budget for one model": (
        lambda g: [g.update(models=["VICReg", "IDM"]), quick(budgets={"VICReg": {}})(g)],
        "budgets should have IDM"),
    **{f"settings that a cell has: {key}": (quick(settings={key: value}), f"not have {key}")
       for key, value in {"model_type": "IDM", "seed": 2, "dataset_type": "Multiple",
                          "dataset_noise": 3.0, "dataset_static_noise": 1.0, "eval_only": True,
                          "dataset_structured_noise": True, "vicreg": {"base_lr": 1.0},
                          "load_checkpoint_path": "x"}.items()},
    "no configuration": (quick(levels={"changing_uniform": ["1.5"]}) and (
        lambda g: g.update(models=["RSSM"])), "no configuration for changing_uniform"),
}  # fmt: skip
CELL_FILES = {  # the configuration of a cell of VICReg
    "of another model": ("model_type: IDM", "model_type = 'IDM': allowed: VICReg"),
    "of no model": ("seed: 1", "model_type = null: allowed: VICReg"),
    "section null": ("model_type: VICReg\nvicreg:", "vicreg = null: allowed: a section"),
    "section a list": ("model_type: VICReg\nvicreg: [1]", "vicreg = [1]: allowed: a section"),
}
NO_CELL = [
    "",
    "/",
    "..",
    "quick",
    "quick/x",
    "nope/x/y/z",
    f"{CELL}/",
    f" {CELL}",
    "quick/../x",
    f"{CELL}\nx",
]
NO_STAGE = ["", "@", "train", "train@", "train@quick", "data@nope", "data@quick-x", "x@quick",
            "train@quick-nope", "probe@quick-X", "report@quick-a-b", "verify@quick-VICReg",
            "train@quick-VICReg-x", "track@", "data@; touch pwned", "../x@quick",
]  # fmt: skip


LISTEN = ("--cluster", "listen", "--address")
CLUSTERS = {  # options of stages/reproduce.py that are refused, and what is named
    ("--cluster", "pbs"): ("--cluster", "'pbs'", "'slurm'"),
    ("--workers", "0"): ("--workers", "0"),
    ("--workers", "3"): ("--workers", "--cluster slurm"),
    ("--sbatch=--time=1",): ("--sbatch", "--cluster slurm"),
    ("--cluster", "slurm", "--sbatch='"): ("--sbatch", "No closing quotation"),
    ("--slice", "0"): ("--slice", "0"),
    (*LISTEN, "a:b"): ("--address a:b", "HOST:PORT"),
    (*LISTEN, "203.0.113.9"): ("--address 203.0.113.9", "an address of this machine"),
    (*LISTEN, "127.0.0.1:99999"): ("--address 127.0.0.1:99999", "allowed"),
    (*LISTEN, "nowhere.invalid"): ("--address nowhere.invalid", "allowed"),
}


def grid_cases() -> list[Case]:
    """Return the cases of grids.yaml, of cells and of stages that are none."""
    cases = [
        Case(f"grids.yaml: {name}", (CELL,), (part,), "cell", spoil=grid_file(change))
        for name, (change, part) in GRIDS.items()
    ]
    cases += [
        Case(f"cell's file: {name}", (CELL,), ("reproduce_configs/vicreg.yaml", part), "cell",
             spoil=lambda folder, text=text: [
                 grid_file()(folder), put(folder, text, "reproduce_configs/vicreg.yaml")])
        for name, (text, part) in CELL_FILES.items()
    ]  # fmt: skip
    cases += [Case(f"cell {c!r}", (c,), ("allowed",), "cell", spoil=grid_file()) for c in NO_CELL]
    cases += [Case(f"stage {s!r}", (s,), ("allowed",), "grid", spoil=grid_file()) for s in NO_STAGE]
    cases += [
        Case("cell: no such step", (CELL, "--step", "x"), ("--step", "'x'"), "cell",
             spoil=grid_file()),
        Case("no grids.yaml", (CELL,), ("grids.yaml", "No such file"), "cell"),
        Case("grids.yaml empty", (CELL,), ("grids.yaml",), "cell",
             spoil=lambda folder: put(folder, "", "grids.yaml")),
        Case("cell: none", (), ("cell",), "cell"),
        Case("cell: two", (CELL, CELL), (CELL,), "cell"),
        Case("grid: none", (), ("stage",), "grid"),
        *(Case(f"--jobs {n}", ("--jobs", n), ("--jobs", n), "reproduce") for n in ("0", "-1", "x")),
        *(Case(f"reproduce {' '.join(line)}", line, parts, "reproduce")
          for line, parts in CLUSTERS.items()),
        Case("worker: no file", ("none.json",), ("none.json", "No such file"), "worker"),
        Case("worker: no invitation", ("params.yaml",), ("params.yaml", "no invitation"), "worker",
             spoil=lambda folder: put(folder, "x", "params.yaml")),
        Case("reproduce: no params.yaml", (), ("params.yaml", "No such file"), "reproduce"),
        Case("reproduce: scale", (), ("scale", "nope"), "reproduce",
             spoil=lambda folder: [grid_file()(folder), put(folder, "scale: nope", "params.yaml")]),
    ]  # fmt: skip
    return cases


# --- the machine ------------------------------------------------------------------------------


def machine_cases() -> list[Case]:
    """Return the cases of places and sizes that a machine has not: exit code 1."""
    huge = "vicreg.embedding_size=65536"
    wide = ("vicreg.backbone_width_factor=64", "vicreg.rnn_layers=64")
    cases = {
        "output a file": (("output_path=good.yaml",), "good.yaml/train"),
        "output below a file": (("output_path=good.yaml/a/b",), "good.yaml/a/b/train"),
        "output /dev/null": (("output_path=/dev/null",), "/dev/null/train"),
        "output /proc": (("output_path=/proc/x",), "/proc/x"),
        "output too long": ((f"output_path={'x' * 300}",), "shorter name"),
        "memory": ((huge, *wide), "not enough memory"),
        "memory of a batch": (
            ("dataset_batch_size=1000000", "dataset_size=1000000", "n_steps=1000"), "GB"),
        "disk": (("dataset_size=100000000", "vicreg.epochs=100000000"), "GB are free"),
        "disk, evaluation": (("val_dataset_size=100000000", "val_n_steps=1000"), "GB are free"),
    }  # fmt: skip
    found = [
        Case(f"machine: {name}", ("--values", *values), (part,), code=1)
        for name, (values, part) in cases.items()
    ]
    found += [
        Case("output a link to nowhere", ("--values", "output_path=link"), ("link/train",), code=1,
             spoil=lambda folder: (folder / "link").symlink_to("none")),
        Case("output below a link to itself", ("--values", "output_path=loop/x"), ("loop/x/train",),
             code=1, spoil=lambda folder: (folder / "loop").symlink_to("loop")),
        Case("train a link to nowhere", ("--values", "output_path=."),
             ("train: a link to nowhere",),
             spoil=lambda folder: (folder / "train").symlink_to("none")),
    ]  # fmt: skip
    found.append(
        Case(
            "output that no shell has expanded",
            ("--values", "output_path=~/x"),
            ("output_path = ~/x", "$HOME/x"),
        )
    )
    found.append(
        Case("output of other things", ("--values", "output_path=mine"),
             ("mine/train", "is no training, so it is not replaced"), needs=(RUN,),
             spoil=lambda folder: shutil.copytree(folder / RUN, folder / "mine" / "train"))
    )  # fmt: skip
    return found


def all_cases() -> list[Case]:
    """Return the whole table."""
    return [
        *setting_cases(), *command_line_cases(), *file_cases(), *weights_cases(), *data_cases(),
        *grid_cases(), *machine_cases(),
    ]  # fmt: skip
