"""Stands before the package of this name, for the processes that tests and a benchmark start.

recloser does not ask for rich, and its users start without it. Here cosmic-ray brings it, and
structlog imports it wherever it is found: that is a third of what it takes to import structlog.
"""

raise ImportError("the processes that tests start do without rich: see tests/absent")
