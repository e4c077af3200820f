"""Is a port free for the process that needs it?"""

from __future__ import annotations

import socket

from deploy.local.progress import StackError


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def require_free(port: int, name: str) -> None:
    """Raises StackError that says how to find the program that has it."""
    if not is_free(port):
        raise StackError(
            f"port {port}, which {name} needs, is taken by another program: end it (`ss -ltnp | grep {port}` names it),"
            " or choose other ports in citysense.toml [stack.ports]"
        )
