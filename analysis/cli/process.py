"""The program as a process: how it begins, how it is interrupted, and its exit code.

Importing this module costs nothing, so that Ctrl-C is answered from the beginning.
"""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED, NO_READER = 130, 141
"""The exit codes of programs that SIGINT and SIGPIPE end, as shells give them."""


def run() -> int:
    """Run the command line with the arguments of this process.

    Returns:
        0; 1 where a check or a comparison found something; 2 after bad input; 130 after Ctrl-C; 141
        where the reader of the output had gone, as ``head`` does, with nothing said.
    """
    # A program in the background of a script is not to be interrupted.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
        sys.unraisablehook = _end_if_interrupted
    try:
        return _run()
    except BrokenPipeError:
        return NO_READER
    except BaseException:
        # Libraries turn an interrupt into errors of their own, the import of NumPy for example.
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            return INTERRUPTED
        raise


def _run() -> int:
    from ..errors import ExplorerError
    from . import standard_streams

    standard_streams.prepare()
    try:
        from .main import main

        code = main()
    except SystemExit as stopped:  # of --help and --version
        code = stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    try:
        if sys.stdout is not None:
            standard_streams.write()
    except ExplorerError as error:
        standard_streams.say(str(error))
        return 2
    return code


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Stop at the first Ctrl-C; the second ends the process at once."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt


def _end_if_interrupted(problem: "sys.UnraisableHookArgs") -> None:
    """End where an interrupt came in a place from which Python raises nothing, a destructor."""
    if issubclass(problem.exc_type, KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    sys.__unraisablehook__(problem)
