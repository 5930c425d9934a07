"""The command line ``tf2trt``. Starting it imports neither TensorFlow nor TensorRT.

Exit codes::

    0   done
    1   something does not convert, build, run, or agree with TensorFlow
    2   the command line, the model or a file is wrong
    3   TensorRT, TensorFlow, a GPU or another package is needed and absent
    70  a bug in tf2trt: the traceback is shown
    130 interrupted
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from tf2trt_core.cli import conformance, demo, errors, files, models, plugins, screen
from tf2trt_core.errors import Tf2TrtError
from tf2trt_core.plan import own_version

#: A bug in tf2trt.
BUG = 70

_EPILOG = (
    "Exit codes: 0 done; 1 something does not convert, build, run or agree with TensorFlow; 2 wrong usage or bad "
    "input; 3 something that is needed is not installed."
)

app = typer.Typer(
    name="tf2trt",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    demo.demo,
    models.check,
    models.convert,
    models.run,
    files.inspect,
    plugins.explain,
    plugins.ops,
    plugins.new_plugin,
    conformance.conformance,
    plugins.doctor,
):
    app.command()(_command)
app.command("verify")(models.compare)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        screen.show(f"tf2trt {own_version()}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Convert TensorFlow models to TensorRT networks, directly, and prove them against TensorFlow."""
    del version


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line (default: this process's) and leave with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _silence_tensorflow()
    try:
        app(args=given)
    except Tf2TrtError as error:
        sys.exit(errors.report(error, as_json="--json" in given))
    except Exception:  # noqa: BLE001 - a bug is not "does not convert": it has an exit code of its own
        traceback.print_exc()
        screen.err().print("This is a bug in tf2trt. Please report it with the traceback and the command line.")
        sys.exit(BUG)


def _silence_tensorflow() -> None:
    """Keep TensorFlow's log off the screen; the user's own settings win. It reads them when it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # else it says at each start that its numbers may differ
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
