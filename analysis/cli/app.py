"""The app, served from the command line.

The only module of the library that uses Streamlit, and only to start it. The pages import
``analysis``, the name of this package in a checkout; where it is installed as ``kv_embedding``,
``analysis`` becomes an alias of the same modules.
"""

import importlib
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from ..errors import ExplorerError
from ..runtime.paths import APP, import_name

CHECKOUT = "analysis"
"""The name that the pages import this package by."""


def serve(port: int | None = None) -> int:
    """Serve the app on this machine until it is stopped; say its address when it is ready.

    Streamlit reads the settings next to the app's script; they take precedence over those of the
    current folder.

    Args:
        port: port on 127.0.0.1; None is 8501, or the next free one.

    Returns:
        The exit code; 1 where the port is taken.
    """
    from click import Abort
    from streamlit.web import cli

    if import_name() != CHECKOUT:
        install_alias(CHECKOUT, import_name())
    # A second Ctrl-C cancels the server while it shuts down, which it would log as an error.
    logging.getLogger("uvicorn.error").addFilter(
        lambda _: signal.getsignal(signal.SIGINT) is not signal.SIG_DFL
    )
    get_ready()
    options = [] if port is None else ["--server.port", str(port)]
    try:
        cli.main(["run", str(APP), *options], prog_name="streamlit", standalone_mode=False)
    except Abort:  # Ctrl-C, which is how the app is stopped
        return 0
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    return 0


def get_ready() -> None:
    """Do what the first visit would wait for: import libraries, load the packaged backbone.

    Each step is said on standard error. A backbone that cannot be loaded is no reason not to
    serve: the pages say why, and others can be chosen.
    """
    print("Getting ready: importing PyTorch", file=sys.stderr, flush=True)
    from ..backbones import backbone, catalog, leases
    from ..figures import attention, scores, spaces
    from ..recipes import runner

    del attention, scores, spaces, runner  # with these come all that pages compute and draw with

    def say(step: str) -> None:
        print(f"Getting ready: {step}", file=sys.stderr, flush=True)

    with suppress(ExplorerError):
        leases.lease(catalog.DEFAULT, load=partial(backbone.load, progress=say))


def install_alias(alias: str, package: str) -> None:
    """Let ``alias`` and its submodules be imported as those of ``package``, not as copies.

    Args:
        alias: the alias, which takes precedence over any package or folder of that name.
        package: the package that it refers to.
    """
    if not any(isinstance(finder, _Alias) and finder.alias == alias for finder in sys.meta_path):
        sys.meta_path.insert(0, _Alias(alias, package))


class _Alias(MetaPathFinder, Loader):
    """Finds ``alias.x`` as the module ``package.x`` itself."""

    def __init__(self, alias: str, package: str) -> None:
        self.alias, self.package = alias, package

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find the spec of an aliased module; None for any other."""
        del path, target
        root, dot, submodule = fullname.partition(".")
        if root != self.alias:
            return None
        module = importlib.import_module(f"{self.package}{dot}{submodule}")
        return ModuleSpec(fullname, self, loader_state=(module, module.__spec__))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the existing module, to which importlib assigns the alias's spec."""
        module: ModuleType = spec.loader_state[0]
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Restore the module's own spec; it has been executed already."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state[1]
