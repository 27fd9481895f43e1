"""The laws: what every sound policy keeps, and what some services want of theirs."""
