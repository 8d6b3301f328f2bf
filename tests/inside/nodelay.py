"""Print as JSON, of each open connection to the TCP port that processes serve, whether its answers are sent at once.

Arguments: the port, then the processes. Sees those of others as root with the right to trace them.
"""

import ctypes
import json
import os
import socket
import sys

# The numbers of system calls that Python's standard library has no functions for.
PIDFD_GETFD = 438

call = ctypes.CDLL(None, use_errno=True).syscall
port, *processes = map(int, sys.argv[1:])
found = []
for process in processes:
    of_process = os.pidfd_open(process)
    for number in os.listdir(f"/proc/{process}/fd"):
        if not os.readlink(f"/proc/{process}/fd/{number}").startswith("socket:"):
            continue
        copy = call(PIDFD_GETFD, of_process, int(number), 0)
        if copy < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        with socket.socket(fileno=copy) as connection:
            is_tcp = connection.family == socket.AF_INET and connection.type == socket.SOCK_STREAM
            listens = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if is_tcp and not listens and connection.getsockname()[1] == port:
                found.append(bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
json.dump(found, sys.stdout)
