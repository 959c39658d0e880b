import signal
import sys

# As Ctrl-C does, until a run has a handler of its own.
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    from wsgilab.commands.cli import main
    from wsgilab.commands.streams import make_lasting
except KeyboardInterrupt:  # while modules are loaded
    sys.exit(130)

make_lasting()
main()
