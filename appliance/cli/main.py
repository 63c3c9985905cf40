"""``fixup``: a command line in, an exit code out.

0 is done; 1 could not be done, and one line on stderr says why and what to do; 2 was a bad command line or a bad
file, and nothing was changed; 130 and 141 are what a shell makes of Ctrl-C and of a reader that went away.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from appliance.cli.arguments import Help, Invocation, Table, Version
from appliance.cli.call import UsageError
from appliance.cli.help import help_on
from appliance.cli.shell import COMMANDS
from appliance.control.client import ControlError
from appliance.daemon.release import release
from appliance.kernel.errors import KernelError
from appliance.syslog import one_line

DONE, FAILED, BAD, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line (default: this process's)."""
    try:
        code = _carried_out(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
        return code
    except UsageError as error:
        return _refused(error, BAD)
    except (ControlError, KernelError) as error:
        return _refused(error, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at its end: into nothing, or it complains there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _carried_out(arguments: Sequence[str]) -> int:
    match Table(COMMANDS).understood(arguments):
        case Help(words):
            print("\n".join(help_on(COMMANDS, words)))
        case Version():
            print(f"fixup {release()}")
        case Invocation(command, call):
            return command.handler(call)
    return DONE


def _refused(error: Exception, code: int) -> int:
    """Say in one line what is wrong, whatever the command line held."""
    print(f"fixup: {one_line(str(error))}", file=sys.stderr)
    return code
