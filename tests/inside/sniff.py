"""Watch the network of a container until standard input ends. Needs the right to read all packets.

Prints a line when it is ready, and at the end as JSON the names that were looked up, and the addresses to which
connections were opened or datagrams sent.
"""

import ipaddress
import json
import select
import socket
import sys

ALL_PROTOCOLS = 3
IPV4, IPV6 = 0x0800, 0x86DD
TCP, UDP = 6, 17
SYN, ACK = 2, 16
# Docker's DNS server in every container. Its port is already translated when a packet is seen.
RESOLVER = "127.0.0.11"
names, addresses = set(), set()


def record(kind, packet):
    """Record the target of an outgoing packet; `kind` is its Ethernet protocol number."""
    if kind == IPV4:
        protocol, target, data = packet[9], packet[16:20], packet[(packet[0] & 15) * 4 :]
    elif kind == IPV6:
        protocol, target, data = packet[6], packet[24:40], packet[40:]
    else:
        return
    target = str(ipaddress.ip_address(target))
    if protocol == UDP and target == RESOLVER:
        names.add(question(data[8:]))
    elif protocol == UDP or (protocol == TCP and data[13] & (SYN | ACK) == SYN):
        addresses.add(target)


def question(message):
    """Return the name in the question of a DNS message."""
    labels, at = [], 12
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    return ".".join(labels)


with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PROTOCOLS)) as network:
    print("watching", flush=True)
    while True:
        ready, _, _ = select.select([network, sys.stdin], [], [])
        if network in ready:
            packet, (_, kind, direction, *_) = network.recvfrom(65535)
            if direction == socket.PACKET_OUTGOING:
                record(kind, packet)
        elif sys.stdin in ready:
            break
print(json.dumps({"names": sorted(names), "addresses": sorted(addresses)}))
