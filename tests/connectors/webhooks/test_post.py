"""One message handed over: who may be connected to, and what a receiver cannot do to us."""

from __future__ import annotations

import asyncio
import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.transports.addresses import NEVER, is_allowed, is_public
from connectors.webhooks.endpoints import Draft, faults
from connectors.webhooks.post import Wire
from connectors.webhooks.schedule import Answer
from tests.connectors.webhooks.receivers import Got, Receiver

LOOPBACK = ("127.0.0.0/8",)


def post(url: str, allowed: tuple[str, ...] = LOOPBACK, ca_pem: str | None = None, timeout_s: float = 10.0) -> Answer:
    async def posting() -> Answer:
        wire = Wire(allowed, ca_pem)
        try:
            return await wire.post(url, {"Content-Type": "text/plain"}, b"hello", timeout_s)
        finally:
            await wire.close()

    return asyncio.run(posting())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",  # carrier-grade NAT
        "100.100.100.200",  # metadata of a cloud, in that range
        "168.63.129.16",  # another one's, at a public address
        "169.254.169.254",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",  # IPv4 inside IPv6, in all its dresses
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "2002:a00:1::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
    ],
)
def test_no_such_address_is_public(address: str) -> None:
    assert not is_public(address)
    assert not is_allowed(address, ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_such_an_address_is_public(address: str) -> None:
    assert is_allowed(address, ())


@pytest.mark.parametrize(
    ("address", "network", "allowed"),
    [
        ("10.20.3.4", "10.20.0.0/16", True),
        ("10.21.3.4", "10.20.0.0/16", False),
        ("::ffff:10.20.3.4", "10.20.0.0/16", True),
        ("fd12::1", "fd12::/32", True),
        ("fd13::1", "fd12::/32", False),
        ("169.254.169.254", "169.254.0.0/16", False),  # nothing opens these
        ("100.100.100.200", "100.64.0.0/10", False),
        ("100.64.9.9", "100.64.0.0/10", True),
        ("fe80::1", "fe80::/10", False),
    ],
)
def test_a_network_is_allowed_by_name_alone(address: str, network: str, allowed: bool) -> None:
    assert is_allowed(address, (ip_network(network),)) is allowed


def test_what_is_listed_as_never_is_never_public() -> None:
    assert not any(is_public(str(network[0])) for network in NEVER)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://127.0.0.1/in", "not public and not allowed"),
        ("http://127.0.0.1/in", "without TLS only networks"),
        ("http://[::ffff:127.0.0.1]/in", "without TLS only networks"),
        ("http://2130706433/in", "without TLS only networks"),  # 127.0.0.1 as one number
        ("http://0x7f000001/in", "without TLS only networks"),
        ("https://169.254.169.254/latest/meta-data", "not public and not allowed"),
        ("https://localhost/in", "not public and not allowed"),
        ("ftp://8.8.8.8/in", "no address for webhooks"),
        ("https://no-such-host.invalid/in", "cannot be resolved"),
        ("file:///etc/passwd", "no address for webhooks"),
    ],
)
def test_nothing_leads_inside(url: str, says: str) -> None:
    answer = post(url, allowed=())
    assert answer.status is None
    assert says in answer.detail


def test_metadata_cannot_be_allowed() -> None:
    assert "not public" in post("https://169.254.169.254/", allowed=("169.254.0.0/16",)).detail
    wrong = faults(Draft(name="a", url="http://169.254.169.254/", allowed=("169.254.169.254/32", "0.0.0.0/0", "10/8")))
    assert len(wrong) == 3


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        ({"url": "http://authority.example/in"}, "https, unless"),
        ({"url": "https://user:password@authority.example/in"}, "without user"),
        ({"url": "authority.example"}, "is what is needed"),
        ({"name": "Water Authority"}, "small letters"),
        ({"form": "soap"}, "one of cloudevent, cap"),
        ({"gb_prefix": "440303"}, "14 characters"),
        ({"min_level": 5}, "1 (blue) to 4 (red)"),
        ({"fallback_url": "https://authority.example/in"}, "is the first one"),
        ({"ca_pem": "no certificate"}, "cannot be read"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(draft: dict[str, object], says: str) -> None:
    [wrong] = faults(Draft(**({"name": "a", "url": "https://authority.example/in"} | draft)))  # type: ignore[arg-type]
    assert says in wrong


def test_an_answer_without_end_is_cut_and_its_status_counts() -> None:
    def endless(got: Got) -> None:
        got.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100_000):
            got.raw(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")

    with Receiver(endless).serving() as receiver:
        assert post(receiver.url).status == 200


def test_a_bomb_is_not_unpacked() -> None:
    def bomb(got: Got) -> None:
        got.answer(200, b"\x1f\x8b" + b"\x00" * 100, Content_Encoding="gzip")

    with Receiver(bomb).serving() as receiver:
        assert post(receiver.url).status == 200


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 2", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 99999 X\r\n\r\n", b"\x00" * 9000]
)
def test_what_is_no_answer_is_none(said: bytes) -> None:
    def nonsense(got: Got) -> None:
        got.raw(said)
        got.hang_up()

    with Receiver(nonsense).serving() as receiver:
        answer = post(receiver.url)
    assert answer.status is None
    assert answer.detail


def test_who_drips_his_answer_is_cut_off() -> None:
    release = threading.Event()

    def drip(got: Got) -> None:
        got.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not release.wait(0.05):
            got.raw(b".")

    with Receiver(drip).serving() as receiver:
        assert post(receiver.url, timeout_s=0.5) == Answer(detail="no answer within 0.5 s")
        release.set()


def test_a_closed_port_is_an_answer_too() -> None:
    with Receiver().serving() as receiver:
        url = receiver.url
    assert "ConnectError" in post(url).detail


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, str]:
    """A server's TLS for 127.0.0.1, and the PEM that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))])
            if name == "localhost"
            else x509.SubjectAlternativeName([x509.DNSName(name)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    file = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(pem + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, pem.decode()


def test_a_certificate_of_its_own_authority_is_believed_and_no_other(tmp_path: Path) -> None:
    tls, pem = certificate(tmp_path, "localhost")
    _, stranger = certificate(tmp_path, "stranger.example")
    with Receiver(tls=tls).serving() as receiver:
        url = f"https://localhost:{receiver.port}/in"
        allowed = (*LOOPBACK, "::1/128")
        assert post(url, allowed, pem).status == 204
        assert receiver.got[0].headers["host"] == f"localhost:{receiver.port}"  # though an address is connected to
        assert "CERTIFICATE_VERIFY_FAILED" in post(url, allowed, stranger).detail
        assert "CERTIFICATE_VERIFY_FAILED" in post(url, allowed).detail


def test_a_certificate_for_another_name_is_not_believed(tmp_path: Path) -> None:
    tls, pem = certificate(tmp_path, "authority.example")
    with Receiver(tls=tls).serving() as receiver:
        detail = post(f"https://localhost:{receiver.port}/in", (*LOOPBACK, "::1/128"), pem).detail
    assert "CERTIFICATE_VERIFY_FAILED" in detail
    assert receiver.got == []
