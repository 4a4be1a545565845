"""The error tree, cut by what can be done about an error.

PolymmError
  UsageError            fix the command line                          exit 2
  ConfigError           fix the settings (file, key)                  exit 2
  PreflightError        meet a condition of starting (check, remedy)  exit 3
    InstanceError       another instance holds the lock               exit 4
  StoreError            database unusable                             exit 5
  CredentialError       key or API credentials missing or refused     exit 13
  VenueError
    VenueUnavailable    wait and try again
      VenueRestarting   it says that it will be back
    VenueRefused        do not retry; tell the engine
    OutcomeUnknown      may or may not have happened: a state, never swallowed
  ListError             the market list cannot be read: the last good one stays   exit 3
  MalformedMessage      count it, change nothing else
  InvariantBroken       stop the session, keep the evidence           exit 15

A session that ended otherwise: 0 in order, 10 killed, 11 not verified, 12 our own books do not add up.

What is normal (a rejected post-only order, an empty side) is a value, not an error.
"""


class PolymmError(Exception):
    """Base of every error this program raises on purpose.

    ``exit_code`` is what the process ends with when the error reaches the top (design: exit codes).
    """

    exit_code = 15


class UsageError(PolymmError):
    """The command line cannot be carried out as written."""

    exit_code = 2


class ConfigError(PolymmError):
    """A setting is unknown, of the wrong kind or out of range; the text names origin, key and remedy."""

    exit_code = 2


class PreflightError(PolymmError):
    """A condition of starting does not hold; the text says which and what to do."""

    exit_code = 3


class InstanceError(PreflightError):
    """Another instance works in the same state directory."""

    exit_code = 4


class StoreError(PolymmError):
    """The database cannot be opened, read or written."""

    exit_code = 5


class CredentialError(PolymmError):
    """A key or API credential is missing, malformed or refused. Never carries the secret itself."""

    exit_code = 13


class VenueError(PolymmError):
    """Something between us and the venue went wrong."""

    exit_code = 3


class VenueUnavailable(VenueError):
    """The venue could not be reached or is restarting; nothing was changed by the request."""


class VenueRestarting(VenueUnavailable):
    """The venue answers that it takes nothing at the moment (polymarket-api.md 10.3)."""


class VenueRefused(VenueError):
    """The venue definitively refused a request."""


class OutcomeUnknown(VenueError):
    """A request may or may not have been carried out."""


class ListError(PolymmError):
    """The market list cannot be read as a whole; the text says what, where and what to do. Nothing changes by it."""

    exit_code = 3


class MalformedMessage(PolymmError):
    """A message that cannot be used; it changes a counter and nothing else."""


class OffTick(MalformedMessage):
    """A message of a market speaks of prices that its tick does not have: the tick may have changed unheard."""


class InvariantBroken(PolymmError):
    """Our own books contradict themselves."""

    exit_code = 15
