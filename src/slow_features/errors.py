"""Errors that a user can act on: one clear line and an exit code, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable


class SlowFeaturesError(Exception):
    """Base of every error whose message is meant for the user. Exit code 1."""

    exit_code = 1


class InputError(SlowFeaturesError):
    """The user's input is wrong (a key, a value, a file); nothing was written. Exit code 2."""

    exit_code = 2


class MachineError(SlowFeaturesError):
    """The machine cannot do it (full disk, missing package, no such device). Exit code 1."""


class TrainingError(SlowFeaturesError):
    """The numbers went wrong (a loss that is not finite); the last good state is kept."""


class InterruptError(SlowFeaturesError):
    """A signal ended the training after its checkpoint. Exit code 128 + signal number."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def exit_with_message(main: Callable[[], None]) -> None:
    """Run `main`; a SlowFeaturesError becomes one line on stderr and its exit code."""
    try:
        main()
    except SlowFeaturesError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
