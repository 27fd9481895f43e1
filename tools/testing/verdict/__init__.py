"""The verdict: one for each law, with the story of a counterexample and a test to paste."""
