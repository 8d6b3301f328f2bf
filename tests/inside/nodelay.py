"""Print as JSON, for each connection to a TCP port of server processes, whether it has TCP_NODELAY.

Arguments: the port, then the PIDs. Needs root and the right to trace these processes.
"""

import ctypes
import json
import os
import socket
import sys

# A system call without a function in Python's standard library.
PIDFD_GETFD = 438

call = ctypes.CDLL(None, use_errno=True).syscall
port, *processes = map(int, sys.argv[1:])
found = []
for process in processes:
    pidfd = os.pidfd_open(process)
    for number in os.listdir(f"/proc/{process}/fd"):
        if not os.readlink(f"/proc/{process}/fd/{number}").startswith("socket:"):
            continue
        copy = call(PIDFD_GETFD, pidfd, int(number), 0)
        if copy < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        with socket.socket(fileno=copy) as connection:
            is_tcp = connection.family == socket.AF_INET and connection.type == socket.SOCK_STREAM
            listens = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if is_tcp and not listens and connection.getsockname()[1] == port:
                found.append(bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
json.dump(found, sys.stdout)
