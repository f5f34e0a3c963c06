"""The command line that every stage script shares: --configs, --values, --print-config, --help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from slow_features.config.describe import help_text
from slow_features.config.load import load_config
from slow_features.config.schema import Experiment
from slow_features.config.yaml_text import write_yaml_text
from slow_features.errors import InputError


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


def parser(description: str) -> Parser:
    """Return a parser with the options of every stage; a stage adds its own."""
    result = Parser(
        description=description,
        epilog=help_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--configs",
        nargs="+",
        default=["params.yaml"],
        metavar="FILE",
        help="YAML files of settings; later files win (default: params.yaml)",
    )
    result.add_argument(
        "--values",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="settings that win over the files, as vicreg.base_lr=0.3",
    )
    result.add_argument(
        "--print-config", action="store_true", help="print the resolved settings and stop"
    )
    return result


def configuration(arguments: argparse.Namespace) -> Experiment:
    """Load the settings that the arguments name; print notices on stderr.

    With --print-config, prints the settings as YAML and ends the program with exit code 0.
    Raises InputError for bad settings.
    """
    loaded = load_config(arguments.configs, arguments.values)
    for notice in loaded.notices:
        print(f"note: {notice}", file=sys.stderr)
    if arguments.print_config:
        print(as_yaml(loaded.config), end="")
        sys.exit(0)
    return loaded.config


def parse(description: str, argv: Sequence[str] | None = None) -> Experiment:
    """Return the settings of a stage that has no options of its own."""
    return configuration(parser(description).parse_args(argv))


def as_yaml(config: Experiment) -> str:
    """Return all settings as YAML, in the order of the schema."""
    return write_yaml_text(config.model_dump())
