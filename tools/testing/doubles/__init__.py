"""Doubles for the tests of a service: clocks, transports and servers. They need no Hypothesis."""
