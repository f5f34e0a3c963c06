"""Errors that a user can act on: one clear line and an exit code, never a traceback."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable
from typing import Any

from slow_features.interrupt import stop_as_exit, stop_with_parent
from slow_features.streams import make_streams_safe

# Figures are files here, and look the same whatever the user's notebook or matplotlibrc asks for.
_PICTURES = {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}


class SlowFeaturesError(Exception):
    """Base of every error whose message is meant for the user. Exit code 1."""

    exit_code = 1


class _OneLineError(SlowFeaturesError):
    """An error whose message is one line, whatever the names in it hold."""

    def __str__(self) -> str:
        return one_line(super().__str__())


DIVERGED = 4  # exit code of a training or an evaluation whose numbers went wrong


class InputError(_OneLineError):
    """The user's input is wrong (a key, a value, a file); nothing was written. Exit code 2."""

    exit_code = 2


class MachineError(_OneLineError):
    """The machine cannot do it (full disk, missing package, no such device). Exit code 1."""


class TrainingError(_OneLineError):
    """The numbers went wrong (a loss that is not finite); the last good state is kept. Code 4."""

    exit_code = DIVERGED


class InterruptError(_OneLineError):
    """A signal ended the work after its state was saved. Exit code 128 + signal number."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def exit_with_message(main: Callable[[], None]) -> None:
    """Run a stage's `main`; what ends it early becomes one line on stderr and an exit code.

    2: the input is wrong. 1: the machine refuses (packages are missing, too). 4: the numbers went
    wrong. 130, 143, 129: Ctrl-C, SIGTERM, SIGHUP. Anything else is a bug of ours and keeps its
    traceback. A stage that DVC has started is stopped when DVC dies. A stderr that is closed or
    full ends none.
    """
    make_streams_safe()
    os.environ |= _PICTURES
    if "DVC_STAGE" in os.environ:
        stop_with_parent(os.getppid())
    try:
        with stop_as_exit():
            main()
    except InterruptError as error:
        _leave(f"stopped: {error}; to go on: {this_command()}", error.exit_code)
    except InputError as error:
        _leave(f"error: {error}{_way_back()}", error.exit_code)
    except SlowFeaturesError as error:
        _leave(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        _leave(f"stopped by Ctrl-C; to go on: {this_command()}", 128 + signal.SIGINT)
    except SystemExit as error:
        names = {128 + number: number.name for number in (signal.SIGTERM, signal.SIGHUP)}
        if error.code not in names:
            raise
        _leave(f"stopped by {names[error.code]}; to go on: {this_command()}", error.code)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "slow_features"):  # a bug of ours
            raise
        _leave(
            f"error: the package {package} is not installed here; `make setup` makes the "
            "environment, `source .venv/bin/activate` turns it on",
            1,
        )
    except OSError as error:
        place = one_line(str(error.filename or "the machine"))
        _leave(f"error: {place}: {error.strerror or error}", 1)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        _leave(
            "error: not enough memory; ask for less (the batch size, embedding_size, "
            f"backbone_width_factor, n_steps): {str(error).splitlines()[0][:200]}",
            1,
        )


def shorten(value: Any) -> str:
    """Return a value as one short line of text, for a message."""
    if isinstance(value, int) and abs(value) >= 10**40:
        return f"a number of {value.bit_length() * 3 // 10} digits"
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def one_line(text: str) -> str:
    """Return a text with its line breaks and other control characters written out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _leave(line: str, code: int) -> None:
    print(line, file=sys.stderr)
    sys.exit(code)


def this_command() -> str:
    """Return what the user has typed, to run this again."""
    if "DVC_STAGE" in os.environ:
        return "the same dvc command"
    program, *words = sys.argv
    if not program.endswith(".py"):  # installed: "slow-features train"
        return " ".join([program, *map(shlex.quote, words)])
    return shlex.join(["python", *sys.argv])


def _way_back() -> str:
    """Return how to undo what `dvc exp run -S` wrote into params.yaml before it asked us.

    DVC pads a value to the length of the old one, so git may not see the change without `touch`.
    """
    if "DVC_EXP_BASELINE_REV" not in os.environ:
        return ""
    return "; DVC left it in params.yaml: touch params.yaml && git restore params.yaml"


def _is_out_of_memory(error: Exception) -> bool:
    """Tell torch's refusals from other RuntimeErrors: on the CPU they have no type of their own."""
    text = str(error)
    refused = "out of memory" in text or "can't allocate memory" in text
    return refused or isinstance(error, MemoryError)
