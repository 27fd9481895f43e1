"""The same engine on uvloop: nothing but the call that runs it is different.

pip install uvloop
python examples/embed_uvloop.py ws://127.0.0.1:8765/ 20
"""

import sys

import uvloop
from embed_taskgroup import main

if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
