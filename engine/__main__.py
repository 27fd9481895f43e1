"""`python -m recloser` is the command `recloser`."""

from recloser.cli import main

main()
