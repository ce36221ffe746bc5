"""Lists the services of a host with impacket's library, and says what each list costs in CPU time.

Usage: list_services.py PORT USER PASSWORD KEPT SCRATCH
KEPT lists over one kept connection, then SCRATCH lists each over a connection of its own.
Prints the seconds of CPU time of one kept list and of one from scratch. Starting Python and importing the library
is not counted.
"""
import sys
import time

from impacket.dcerpc.v5 import scmr, transport


def connect(port, user, password):
    """A bound pipe and a handle of the manager, which may list its services."""
    pipe = transport.SMBTransport("127.0.0.1", port, r"\svcctl", user, password)
    pipe.set_dport(port)
    rpc = pipe.get_dce_rpc()
    rpc.connect()
    rpc.bind(scmr.MSRPC_UUID_SCMR)
    rights = scmr.SC_MANAGER_CONNECT | scmr.SC_MANAGER_ENUMERATE_SERVICE
    manager = scmr.hROpenSCManagerW(rpc, dwDesiredAccess=rights)["lpScHandle"]
    return rpc, manager


def services(rpc, manager):
    """All services; fails where there are none."""
    found = scmr.hREnumServicesStatusW(rpc, manager)
    if not found:
        raise SystemExit("the list is empty")


def scratch(port, user, password):
    """One list over a connection of its own, ended properly."""
    rpc, manager = connect(port, user, password)
    services(rpc, manager)
    scmr.hRCloseServiceHandle(rpc, manager)
    rpc.disconnect()


def cpu_time(rounds, work):
    """Seconds of CPU time of one round."""
    begun = time.process_time()
    for _ in range(rounds):
        work()
    return (time.process_time() - begun) / rounds


def main():
    port, user, password, kept_rounds, scratch_rounds = sys.argv[1:6]
    port = int(port)
    rpc, manager = connect(port, user, password)
    if rpc.get_rpc_transport().get_smb_connection().getDialect() < 0x0300:
        raise SystemExit("the session is not one of SMB 3, so it is not encrypted")
    services(rpc, manager)
    kept = cpu_time(int(kept_rounds), lambda: services(rpc, manager))
    scratch(port, user, password)
    whole = cpu_time(int(scratch_rounds), lambda: scratch(port, user, password))
    print(kept, whole)


main()
