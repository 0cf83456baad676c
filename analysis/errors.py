"""The errors that a user can meet.

Each carries one sentence that says what is wrong and what to do. The command line prints it on
standard error and exits with code 2; a page shows it in place of the result.
"""


class ExplorerError(Exception):
    """A problem that the user can solve; ``str(error)`` is the sentence to show."""


class BackboneError(ExplorerError):
    """A backbone does not exist, cannot be loaded or cannot be re-routed."""


class OutOfMemory(BackboneError):  # noqa: N818
    """A backbone, or one of its batches, does not fit into memory."""


class CorpusError(ExplorerError):
    """A corpus or file cannot be read, or is too small for the request."""


class PlanError(ExplorerError):
    """A layer list, bias, method or rule does not exist or does not fit the backbone."""


class RecipeError(ExplorerError):
    """A command or a recipe cannot be understood."""


class HostingError(ExplorerError):
    """The settings of hosted mode cannot be read; nothing is served until they can."""


class SettingsError(ExplorerError):
    """A variable of the environment that cannot be understood."""


class ResultsError(ExplorerError):
    """A file of results cannot be read, or belongs to another recipe."""


class EngineError(ExplorerError):
    """Work could not be given to workers, or they could not finish it."""


def one_line(error: Exception, limit: int = 140) -> str:
    """The message of a library's error on one line, to be quoted inside a sentence.

    Args:
        error: the error; one without a message gives its class.
        limit: maximum number of characters.
    """
    message = " ".join(str(error).split()) or type(error).__name__
    return message.rstrip(".") if len(message) <= limit else f"{message[: limit - 3]}..."
