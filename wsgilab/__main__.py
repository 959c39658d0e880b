"""`python -m wsgilab`: signals first, then the command."""

import signal
import sys

# As Ctrl-C does, until a run has a handler of its own.
for number in (signal.SIGTERM, signal.SIGQUIT):
    signal.signal(number, signal.default_int_handler)
try:
    from wsgilab.commands.cli import main
    from wsgilab.commands.streams import make_lasting
except KeyboardInterrupt:  # while modules are loaded
    sys.exit(130)

make_lasting()
main()
