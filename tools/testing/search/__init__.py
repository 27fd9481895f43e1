"""The search for evidence against a policy: everything that is finite first, then at random."""
