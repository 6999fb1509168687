"""Ask the function in this container whether it is alive: exit 0, or 1.

A container is asked every few seconds, for as long as it lives, so this imports nothing that takes time.
"""

import os
import socket
import sys


def main() -> int:
    """Ask for /health on PORT."""
    try:
        with socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), timeout=4) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return 0 if connection.recv(64).split(b" ")[1:2] == [b"200"] else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
