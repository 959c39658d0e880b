"""The command line: one module a command, the grammar, progress.

Only here is anything printed, the environment read, or an exit code picked.
"""
