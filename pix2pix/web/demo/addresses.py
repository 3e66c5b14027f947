"""The addresses of the demo: where it listens, and what this machine and others open."""

import io
import ipaddress
import socket


def listen(host: str, port: int) -> socket.socket:
    """Opens a listening socket. Raises OSError when the address is not available."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise OSError(
            f"{host}:{port}: cannot listen on this address ({error.strerror or error}). "
            "Choose another --port, or omit it for a free one."
        ) from error


def url(listening: socket.socket) -> str:
    """The address of the page for a browser on this machine."""
    host, port = listening.getsockname()[:2]
    return _url({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, str(host)), port)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def network_url(listening: socket.socket) -> str | None:
    """The address of the page for other machines; None if they cannot reach it."""
    host, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(str(host).partition("%")[0])
    if address.is_loopback:
        return None
    return _url(_address_of_this_machine(listening.family) if address.is_unspecified else str(host), port)


def exposure_warning(listening: socket.socket, address: str) -> str:
    """The warning that other machines can reach the demo, at `address`."""
    return (
        f"--host {listening.getsockname()[0]}: every machine of the network can use the demo, without a password. "
        f"Others open {address} (a name needs --allow-host NAME). Omit --host for this machine only."
    )


def draw_qr_code(text: str) -> str | None:
    """A QR code of the text for a terminal, to be read by a phone; None without the package segno."""
    try:
        import segno
    except ImportError:
        return None
    code = io.StringIO()
    segno.make(text, micro=False).terminal(out=code, border=2, compact=True)
    return code.getvalue()


def _address_of_this_machine(family: int) -> str:
    """This machine's address for others; its host name if it has no route."""
    documentation_address = "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"  # nothing is sent
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((documentation_address, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()
