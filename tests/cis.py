"""Section 5 of the CIS Docker Benchmark 1.6, on the containers, as far as `docker inspect` shows it, and 4.1.

What the benchmark leaves to judgement (5.19, 5.23, 5.24, 5.28) or asks of the machine (5.1) is not here.
"""


def host(name):
    """Return a function that gives a setting of the container's from what `docker inspect` says."""
    return lambda details: details["HostConfig"][name]


def options(details):
    return " ".join(details["HostConfig"]["SecurityOpt"])


def bindings(details):
    """Return the places on this machine where ports of the container are published."""
    return [place for places in details["NetworkSettings"]["Ports"].values() for place in places or ()]


# The number, what is asked for, and whether a container has it.
ITEMS = {
    "4.1": ("a user that is not root", lambda it: it["Config"]["User"].split(":")[0] not in ("", "0", "root")),
    "5.2": ("AppArmor not switched off", lambda it: "apparmor" not in options(it)),
    "5.3": ("SELinux not switched off", lambda it: "label" not in options(it)),
    "5.4": ("no capabilities", lambda it: host("CapDrop")(it) == ["ALL"] and not host("CapAdd")(it)),
    "5.5": ("not privileged", lambda it: not host("Privileged")(it)),
    "5.6": ("no folders of the machine", lambda it: {mount["Type"] for mount in it["Mounts"]} == {"volume"}),
    "5.7": ("no port for SSH", lambda it: "22/tcp" not in it["NetworkSettings"]["Ports"]),
    "5.8": ("no privileged ports", lambda it: all(int(place["HostPort"]) >= 1024 for place in bindings(it))),
    "5.9": ("one port", lambda it: len(it["NetworkSettings"]["Ports"]) == len(bindings(it)) == 1),
    "5.10": ("not the network of the machine", lambda it: host("NetworkMode")(it) != "host"),
    "5.11": ("limited memory", lambda it: host("Memory")(it) > 0),
    "5.12": ("a share of the processors", lambda it: host("NanoCpus")(it) or host("CpuShares")(it)),
    "5.13": ("a root file system that is read only", host("ReadonlyRootfs")),
    "5.14": ("published at one address", lambda it: {place["HostIp"] for place in bindings(it)} == {"127.0.0.1"}),
    "5.15": ("no more than five restarts", lambda it: host("RestartPolicy")(it)["Name"] == "on-failure"),
    "5.16": ("not the processes of the machine", lambda it: host("PidMode")(it) == ""),
    "5.17": ("memory that is shared with no one", lambda it: host("IpcMode")(it) == "private"),
    "5.18": ("no devices", lambda it: not host("Devices")(it) and not host("DeviceRequests")(it)),
    "5.20": ("mounts of its own", lambda it: {mount["Propagation"] for mount in it["Mounts"]} <= {"", "private"}),
    "5.21": ("not the name of the machine", lambda it: host("UTSMode")(it) == ""),
    "5.22": ("seccomp not switched off", lambda it: "seccomp" not in options(it)),
    "5.25": ("the usual control group", lambda it: host("CgroupParent")(it) == ""),
    "5.26": ("no new privileges", lambda it: "no-new-privileges:true" in options(it)),
    "5.27": ("a health check", lambda it: it["State"]["Health"]["Status"] == "healthy"),
    "5.29": ("a limited number of processes", lambda it: (host("PidsLimit")(it) or 0) > 0),
    "5.30": ("a network of the project", lambda it: "bridge" not in it["NetworkSettings"]["Networks"]),
    "5.31": ("not the users of the machine by choice", lambda it: host("UsernsMode")(it) == ""),
    "5.32": ("no door to Docker", lambda it: not [m for m in it["Mounts"] if "docker.sock" in m["Destination"]]),
}

# What is not met, by which services, and why.
NOT_MET = {
    "5.12": (
        ("notebook", "mlflow", "postgres"),
        "how much each may have is yours to say: `NOTEBOOK_CPUS`, `MLFLOW_CPUS`, `POSTGRES_CPUS`",
    ),
    "5.13": (("notebook",), "`pip install` is for everyone; what it changes is gone with the container"),
    "5.15": (("notebook", "mlflow", "postgres"), "the toolbox comes back by itself, however long the database is away"),
}
