"""Keeps two Outlap graphs on one machine apart: by ROS domain, or by namespace where a person gives both one domain."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from outlap.errors import OutlapError
from outlap.launching.namespace import NAMESPACE

AUTOMATIC = range(1, 102)  # ROS 2's documentation: 0 to 101 are safe on every platform; 0 is everybody's default
LARGEST = 232  # above it the discovery ports would exceed 65535

PREFIX = "\0outlap-ros-domain-"  # of the claims, behind which stand the domain and the namespace

# RTPS 2.5, 9.6.2.4: participant p of domain d listens on port 7400 + 250 d + 10 + 2 p; all of them on 7400 + 250 d.
PORT_BASE, PORT_STEP, PORT_OFFSET, PORT_EACH = 7400, 250, 10, 2
PARTICIPANTS = 20  # looked for; an Outlap graph has about ten


@dataclass(frozen=True)
class Domain:
    """A claimed ROS domain; ``socket`` holds the claim until it is closed or its process ends."""

    id: int
    socket: socket.socket


@contextlib.contextmanager
def claim_domain(namespace: str = "/") -> Iterator[Domain]:
    """Hold a ROS domain id for one Outlap graph: ``ROS_DOMAIN_ID`` where it is set, else the first free of 1 to 101.

    On a domain that is named, one graph may run in each (full) ``namespace``; a free one has no other graph at all.

    The claim is a socket in Linux's abstract namespace, so it reaches exactly as far as local DDS traffic does (the
    network namespace), belongs to no user, leaves no file behind and ends with the process however that ends.

    Raises:
        OutlapError: ``ROS_DOMAIN_ID`` is not a number from 0 to 232, or another Outlap graph holds it; no id is free.
    """
    text = os.environ.get("ROS_DOMAIN_ID", "").strip()
    held = _claim_named(text, namespace) if text else _claim_free(namespace)
    try:
        yield held
    finally:
        held.socket.close()


def running_domain(namespace: str = "/") -> int:
    """The ROS domain of the graph to talk to: ``ROS_DOMAIN_ID`` where set, else that of the one Outlap graph here.

    Only graphs in the (full) ``namespace`` count; ``/`` is that of graphs without one.

    Raises:
        OutlapError: no such graph runs on this machine, or several; or ``ROS_DOMAIN_ID`` is no domain.
    """
    text = os.environ.get("ROS_DOMAIN_ID", "").strip()
    if text:
        return _number(text)
    claims = _claims()
    running = sorted({domain for domain, inside in claims if inside == namespace})
    if len(running) == 1:
        return running[0]
    which = "" if namespace == "/" else f" in the namespace {namespace}"
    if running:
        found = f"{len(running)} run{which}, on the domains {', '.join(map(str, running))}"
        raise OutlapError(f"of Outlap's graphs {found} on this machine: choose one with ROS_DOMAIN_ID=….")
    hint = "start one, or choose the domain of one elsewhere with ROS_DOMAIN_ID=…."
    if claims:
        which = which or " without a namespace"
        found = [f"{'one without' if inside == '/' else inside} (domain {domain})" for domain, inside in sorted(claims)]
        hint = f"choose one that does with --namespace: {', '.join(found)}."
    raise OutlapError(f"of Outlap's graphs none runs{which} on this machine: {hint}")


def _claims() -> set[tuple[int, str]]:
    """Domain and full namespace of every Outlap graph on this machine."""
    name = PREFIX.replace("\0", "@")
    # Anybody may give a socket any name: what none of ours can have is passed over.
    lines = Path("/proc/net/unix").read_text("ascii", errors="replace").split("\n")
    paths = [line.split()[-1] for line in lines if line.strip()]
    claims = [path.removeprefix(name).partition("/") for path in paths if path.startswith(name)]
    return {
        (int(domain), slash + inside or "/")
        for domain, slash, inside in claims
        if domain.isdigit() and int(domain) <= LARGEST and (not slash or NAMESPACE.fullmatch(inside))
    }


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST):
        raise OutlapError(f"ROS_DOMAIN_ID={text!r} is not a ROS domain: it must be a whole number from 0 to {LARGEST}.")
    return int(text)


def _claim_named(text: str, namespace: str) -> Domain:
    domain = _number(text)
    claim = _bind(domain, namespace)
    if claim is None:
        where = "" if namespace == "/" else f" in the namespace {namespace}"
        raise OutlapError(
            f"another Outlap graph (process {_holder(domain, namespace)}) is already running on ROS_DOMAIN_ID "
            f"{domain}{where}: stop it, or choose another with ROS_DOMAIN_ID=…"
        )
    return Domain(domain, claim)


def _claim_free(namespace: str) -> Domain:
    for domain in AUTOMATIC:
        claim = _bind(domain, namespace)
        if claim is None:
            continue
        # Looked at once the claim stands: of two that are made at the same moment, at least one sees the other.
        others = {inside for number, inside in _claims() if number == domain} - {namespace}
        if not others and _nobody_listens(domain):
            return Domain(domain, claim)
        claim.close()  # another graph is there, or some other ROS program
    raise OutlapError(
        f"every ROS domain from {AUTOMATIC.start} to {AUTOMATIC.stop - 1} is in use on this machine: stop some ROS "
        f"programs, or choose a domain with ROS_DOMAIN_ID=…"
    )


def _address(domain: int, namespace: str) -> str:
    return f"{PREFIX}{domain}{namespace.rstrip('/')}"


def _bind(domain: int, namespace: str) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(_address(domain, namespace))
        claim.listen(8)  # so that `_holder` can ask who we are
    except OSError as error:
        claim.close()
        if error.errno != errno.EADDRINUSE:
            raise OutlapError(f"cannot claim ROS domain {domain}: {error.strerror or error}.") from error
        return None
    return claim


def _holder(domain: int, namespace: str) -> str:
    """Process id of the one that holds a domain, as the kernel knows it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asker:
        asker.settimeout(1.0)
        try:
            asker.connect(_address(domain, namespace))
            credentials = asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return "unknown"
    return str(struct.unpack("3i", credentials)[0] or "unknown")


def _nobody_listens(domain: int) -> bool:
    """Whether no ROS program is left there: a stopper outlives its graph by a moment, in which it stops the car."""
    base = PORT_BASE + PORT_STEP * domain
    unicast = range(base + PORT_OFFSET, base + PORT_OFFSET + PORT_EACH * PARTICIPANTS, PORT_EACH)
    return all(_port_is_free(port) for port in (base, *unicast))


def _port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
