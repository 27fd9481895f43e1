"""The search for evidence against a policy: first the finite part, then at random."""
