"""The few errors a caller can meet.

Their text is what the user reads: the offending value, what was expected, and the next step.
"""


class MatcherError(Exception):
    """The input or an option is unusable; the command line prints this text and exits with 2."""


class DataError(MatcherError):
    """A table cannot be read at all: missing, empty, not a table, or without the needed columns."""


class StaleCatalog(MatcherError):
    """A saved catalog does not fit what it is used with (encoder, format, content)."""


class ForeignOutput(MatcherError):
    """The output folder holds something that is not this program's own, unchanged work."""


class OutputInUse(MatcherError):
    """Another process is writing into the same folder, and did not finish in time."""
