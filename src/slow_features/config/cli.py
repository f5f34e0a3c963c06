"""The command line that every stage script shares: --configs, --values, --print-config, --help.

As in the paper's code: `python train.py --configs FILE ... --values KEY=VALUE ...`.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from typing import Any, NoReturn

from slow_features.config.describe import all_settings, help_text
from slow_features.config.load import VALUES, Loaded, load_config
from slow_features.config.schema import WANDB_EXTRA, Experiment
from slow_features.config.yaml_text import write_yaml_text
from slow_features.errors import InputError, MachineError

DEFAULT_FILES = ("params.yaml",)
_QUOTES = """\
A file name with parentheses needs quotes, or the shell refuses the line before it gets here:
  --configs 'reproduce_configs/sweep_changing_uniform.(1.5).vicreg.best.yaml'
"""


class Parser(argparse.ArgumentParser):
    """A parser whose refusals are those of every other bad input: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Raise InputError; argparse itself would print its usage first."""
        raise InputError(f"{self.prog}: {message}; allowed: what {self.prog} --help lists")


def positive(text: str) -> int:
    """Return a whole number above 0, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: allowed: a whole number above 0")
    return int(text)


class _HelpOnSettings(argparse.Action):
    """Print the settings whose key holds a word, and stop."""

    def __call__(self, parser: Parser, _namespace: Any, word: str, _option: Any = None) -> None:
        if not any(word in key for key in all_settings()):
            parser.error(f"--help-settings {word}: no setting has that in its name")
        print(help_text(word))
        parser.exit()


def parser(description: str) -> Parser:
    """Return a parser with the options of every stage; a stage adds its own."""
    result = Parser(
        description=description,
        epilog=f"{_QUOTES}\n{help_text()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--configs",
        nargs="+",
        action="extend",
        metavar="FILE",
        help="YAML files of settings; later files win (default: params.yaml)",
    )
    result.add_argument(
        "--values",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="settings that win over the files, as vicreg.base_lr=0.3 wandb=True "
        "output_path=runs/a; the value is YAML, or Python's True, False, None",
    )
    result.add_argument(
        "--print-config", action="store_true", help="print the resolved settings and stop"
    )
    result.add_argument(
        "--help-settings",
        action=_HelpOnSettings,
        metavar="WORD",
        help="print the settings that have WORD in their name, as vicreg or noise, and stop",
    )
    return result


def configuration(arguments: argparse.Namespace) -> Experiment:
    """Load the settings that the arguments name; print notices on stderr.

    With --print-config, prints the settings as YAML and ends the program with exit code 0.
    Raises InputError for bad settings, MachineError for a package that --values asks for.
    """
    loaded = load_config(arguments.configs or DEFAULT_FILES, arguments.values)
    for notice in loaded.notices:
        _note(notice)
    if arguments.print_config:
        print(as_yaml(loaded.config, sys.stdout.encoding), end="")
        sys.exit(0)
    return _with_trackers_that_are_here(loaded)


def _with_trackers_that_are_here(loaded: Loaded) -> Experiment:
    """Go on without Weights & Biases where it is not installed, unless --values asks for it.

    Each published file asks for it, and MLflow has the run either way.
    """
    package = find_spec("wandb")
    is_here = package is not None and package.origin is not None  # no mere folder of that name
    if is_here or not loaded.config.wandb:
        return loaded.config
    if loaded.origins["wandb"] == VALUES:
        raise MachineError(
            f"--values wandb=True: the package wandb is not installed; {WANDB_EXTRA} installs it"
        )
    _note(
        f"{loaded.origins['wandb']}: wandb = true: the package is not installed, so MLflow alone "
        f"has the run; for both: {WANDB_EXTRA}"
    )
    return loaded.config.model_copy(update={"wandb": False})


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def as_yaml(config: Experiment, encoding: str | None = "utf-8") -> str:
    """Return all settings as YAML, in the order of the schema, for a stream of that encoding."""
    only_ascii = not (encoding or "utf-8").lower().startswith("utf")
    return write_yaml_text(config.model_dump(), only_ascii)
