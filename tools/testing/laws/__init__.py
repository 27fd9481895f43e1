"""The laws: those for every policy, and those that some services want."""
