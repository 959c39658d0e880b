"""This machine: CPUs, ports, tools, waiting."""
