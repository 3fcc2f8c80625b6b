"""Passes on those of the paths on its input that a compile database knows.

    compiled.py COMPILE_COMMANDS.json <paths
"""

import json
import os
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        commands = json.load(file)
    known = {os.path.realpath(os.path.join(c["directory"], c["file"]))
             for c in commands}
    for line in sys.stdin:
        if os.path.realpath(line.strip()) in known:
            sys.stdout.write(line)


main()
