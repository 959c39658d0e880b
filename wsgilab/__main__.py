import sys

try:
    from wsgilab.cli import main
except KeyboardInterrupt:  # Ctrl-C while modules are loaded
    sys.exit(130)

main()
