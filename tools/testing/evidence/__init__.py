"""What a policy is judged by: ends, questions, stories, lives, fleets, and their play."""
