#!/usr/bin/python3
"""Runs one shell command in the guest, over the Unix socket of its ttyS1.

    guestctl.py SOCKET 'command' [SECONDS=120]

Prints its output and exits with its status; 124 when the time is over.
"""

import os
import re
import socket
import sys
import time


def connect(path, limit):
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            connection.settimeout(0.5)
            return connection
        except OSError:
            connection.close()
            if time.time() > limit:
                sys.exit(124)
            time.sleep(0.1)


def main():
    path, command = sys.argv[1:3]
    limit = time.time() + float(sys.argv[3] if len(sys.argv) > 3 else 120)
    # Split, so that an echo of the command is not taken for its end.
    tag = f"E{os.getpid()}"
    end = re.compile(tag.encode() + rb"Z(\d+)")
    output = b""
    with connect(path, limit) as connection:
        connection.sendall(f"{{ {command} ; }} </dev/null; status=$?; echo; "
                           f"echo '{tag}''Z'$status\n".encode())
        while time.time() < limit:
            try:
                output += connection.recv(65536)
            except socket.timeout:
                continue
            found = end.search(output)
            if found:
                text = output[:found.start()].decode(errors="replace")
                print(text.strip("\r\n"))
                sys.exit(int(found.group(1)))
    print(output.decode(errors="replace"))
    sys.exit(124)


main()
