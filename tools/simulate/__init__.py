"""The storm simulator: a fleet of real cores with a real policy, in virtual time."""
