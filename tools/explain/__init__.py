"""Asks a policy what it would do: about one end, about every end, and about every transition.

`question` asks about one end, `survey` about every close code, status and cause, `transitions`
says which rules lead from one state to another. What `recloser explain`, `codes` and `diagram`
print stands on these; nothing here prints.
"""
