"""The few errors a person can meet.

Each carries one sentence that names the problem and the way out. The command line prints
it on standard error and exits with 2; a page shows it where the result would have been.
"""


class ExplorerError(Exception):
    """A problem that the person at the screen can solve; ``str(error)`` is the sentence to show."""


class BackboneError(ExplorerError):
    """A language model could not be found, loaded, afforded or re-routed."""


class CorpusError(ExplorerError):
    """A file or a set of texts could not be read, or is too small for what was asked."""


class PlanError(ExplorerError):
    """A layer list, bias, method or rule that does not exist or does not fit the backbone."""


class RecipeError(ExplorerError):
    """A command or a recipe that cannot be understood."""


class HostingError(ExplorerError):
    """The setting of hosted mode cannot be understood; nothing is served until it can."""
