from wsgilab.cli import main

main()
