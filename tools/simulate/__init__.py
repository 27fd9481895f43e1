"""The storm simulator: a fleet of engines with a real policy, in virtual time."""
