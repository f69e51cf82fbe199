"""The errors a user can meet; each carries one sentence that says what is wrong and what to do."""


class DdcError(Exception):
    """Base of every error this package raises on purpose."""


class FormatError(DdcError):
    """The bytes are not a `.ddc` this release can decode."""


class BudgetError(DdcError):
    """The budget cannot be read or cannot hold the training set."""


class BudgetMissedError(BudgetError):
    """A run came to its end above the budget; to resume it would end there again."""


class RecipeError(DdcError):
    """A setting is unknown, out of range, or contradicts another."""


class DataError(DdcError):
    """A dataset, image or label cannot be used as it is."""


class OutputError(DdcError):
    """A result cannot be written where it was asked for."""


class RunInterrupted(DdcError):  # noqa: N818 - not an error
    """A run stopped because somebody asked for it; the message says how to go on."""
