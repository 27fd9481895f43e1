"""Asks a policy what it decides: `recloser explain`, `codes` and `diagram` print the answers.

`question` asks about one end, `survey` about every close code, status and cause, and
`transitions` finds the rules that lead from one state to another. Nothing here prints.
"""
