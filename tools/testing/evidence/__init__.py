"""The evidence for or against a policy: ends, questions, stories, lives, fleets."""
