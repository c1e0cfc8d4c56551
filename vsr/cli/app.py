"""The ``vsr`` command: registers one thin file per sub-command; errors become exit codes.

Nothing heavy is imported here (no TensorFlow, Keras, OpenCV): ``vsr --help`` is instant.
"""

from __future__ import annotations

import os
import signal
import sys

import typer

import vsr
from vsr.cli import (
    assemble,
    batch,
    benchmark,
    doctor,
    evaluate,
    faces,
    frames,
    images,
    models,
    models_blend,
    pipelines,
    prepare,
    report,
    train,
    train_recogniser,
    tune,
)
from vsr.cli import rerun as rerun_command
from vsr.cli import run as run_command
from vsr.cli.common import INTERRUPTED, fail, state
from vsr.core.errors import InputError, UsageError, VsrError

app = typer.Typer(
    name="vsr",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Make the small, blurred faces in a video clear.\n\n"
    "Start with:  `vsr run input.mp4 -o out.mp4`",
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    run_command, faces, frames, assemble, rerun_command, report, images, batch, prepare, train,
    train_recogniser, tune, benchmark,
)  # fmt: skip
for command in _COMMANDS:
    command.register(app)
for name, group in (("evaluate", evaluate), ("models", models), ("pipelines", pipelines)):
    app.add_typer(group.app, name=name)
doctor.register(app)
models_blend.register(models.app)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"vsr {vsr.__version__}")
        raise typer.Exit


_SHOWN_ONLY = ("benchmark", "doctor")
"""commands that write no output"""


@app.callback()
def _root(
    context: typer.Context,
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    state.debug = state.debug or debug
    state.writes = context.invoked_subcommand not in _SHOWN_ONLY


def _terminate(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _check_call() -> None:
    """Refuse what would only be met as odd errors further in."""
    if "" in sys.argv[1:]:
        place = sys.argv[1:].index("") + 1
        raise UsageError(
            f"argument {place} is empty, expected a name or a value; look at the shell variable "
            "that it came from"
        )
    try:
        os.getcwd()
    except OSError as error:
        raise InputError(
            f"the working folder cannot be used ({error.strerror}), expected one that exists; "
            "change to another one (cd)"
        ) from None


def main() -> None:
    """Entry point: the one place where exceptions become exit codes."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _check_call()
        code = app(standalone_mode=False)
    except VsrError as error:
        if state.debug:
            raise
        fail(str(error))
        _leave(error.exit_code)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        _leave(141)
    except Exception as error:
        # Typer's own usage errors, whichever copy of click it carries.
        message = getattr(error, "format_message", None)
        if message is None or state.debug:
            raise
        text = message()
        if error.__class__.__name__ == "NoArgsIsHelpError":
            print(text)
        else:
            fail(f"{text} Try --help.")
        _leave(UsageError.exit_code)
    if code == INTERRUPTED and not state.told:  # Typer turns a KeyboardInterrupt into this code
        left = "nothing was written under the output's name" if state.writes else "nothing is kept"
        fail(f"interrupted; {left}")
    _leave(code if isinstance(code, int) else 0)


def _leave(code: int) -> None:
    """Exit at once: a thread deep inside a TensorFlow call must not hold the process up."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue
    os._exit(code)
