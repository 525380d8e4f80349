"""TLS between a client and a server of ours: who is let in, and what is said of who is not."""

import asyncio
import contextlib
import ssl

import pytest

from rigctl.config.tls import TlsFiles
from rigctl.errors import ConfigError, Unreachable
from rigctl.messages import Event, Message
from rigctl.net import EchoProtocol, Options, doorway
from rigctl.net.secure import (
    client_context,
    own_context,
    server_context,
    server_name,
    why_lost,
)
from tests.certificates import Authority

INIT = Message(Event.EXPINIT, (None,))
STATUS = Message(Event.EXPSTATUS, (20,))
HOST = "127.0.0.1"


@pytest.fixture(scope="session")
def lab(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="session")
def rig(lab: Authority) -> TlsFiles:
    return lab.sign(HOST)


@contextlib.asynccontextmanager
async def serving(files: TlsFiles):
    """Answer every message with itself."""
    options = Options(tls=server_context(files))
    async with await EchoProtocol.server(f"tls://{HOST}:0", "rig", options=options) as server:

        async def serve():
            async for request in server.requests():
                server.answer(request, request.message)

        task = asyncio.create_task(serve())
        try:
            yield server
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def client_of(server, files: TlsFiles | None, host: str = HOST, **more) -> EchoProtocol:
    options = Options(tls=client_context(files) if files else None, echo_timeout_s=5, **more)
    return await EchoProtocol.client(f"tls://{host}:{server.port}", "rig", options=options)


async def ask(server, files: TlsFiles | None, host: str = HOST) -> Message:
    async with await client_of(server, files, host) as client:
        return await client.request(STATUS, timeout_s=5)


async def gone(server) -> None:
    """Wait until a server has no stream any more."""
    async with asyncio.timeout(10):
        while server._route._transport._streams:
            await asyncio.sleep(0)


async def test_a_client_that_trusts_the_rig_is_answered(lab, rig):
    async with serving(rig) as server:
        assert await ask(server, lab.trusting()) == STATUS
        await gone(server)


async def test_nothing_older_than_tls_1_2_is_spoken(lab, rig):
    assert server_context(rig).minimum_version is ssl.TLSVersion.TLSv1_2
    assert client_context(None).minimum_version is ssl.TLSVersion.TLSv1_2
    async with serving(rig) as server, await client_of(server, lab.trusting()) as client:
        await client.confirmed_send(STATUS)
        (stream,) = client._route._transport._streams.values()
        assert stream._transport.get_extra_info("ssl_object").version() == "TLSv1.3"


async def test_messages_wait_for_no_other_on_a_secure_stream(lab, rig):
    import socket

    async with serving(rig) as server, await client_of(server, lab.trusting()) as client:
        await client.confirmed_send(STATUS)
        for end in (client, server):
            (stream,) = end._route._transport._streams.values()
            raw = stream._transport.get_extra_info("socket")
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_client_of_another_authority_is_told_that_it_does_not_trust_the_rig(stranger, rig):
    async with serving(rig) as server:
        with pytest.raises(Unreachable, match=r"cannot reach tls://.*is not trusted.*tls\.ca"):
            await ask(server, stranger.trusting())


async def test_without_a_ca_the_systems_are_trusted(rig):
    async with serving(rig) as server:
        with pytest.raises(Unreachable, match="is not trusted"):
            await ask(server, None)


async def test_a_certificate_for_another_host_is_refused(lab):
    for name, problem in (("rig.lab", "another address"), ("10.0.0.5", "another address")):
        async with serving(lab.sign(name)) as server:
            with pytest.raises(Unreachable, match=problem):
                await ask(server, lab.trusting())
    async with serving(lab.sign("rig.lab")) as server:
        with pytest.raises(Unreachable, match="another name"):
            await ask(server, lab.trusting(), "localhost")


async def test_a_certificate_that_has_expired_is_refused(lab):
    async with serving(lab.sign(HOST, age_days=1)) as server:
        with pytest.raises(Unreachable, match="its certificate has expired: give the rig a new"):
            await ask(server, lab.trusting())


async def test_a_rig_with_a_ca_takes_who_shows_a_certificate_of_it(lab, rig):
    async with serving(lab.trusting(rig)) as server:
        assert await ask(server, lab.trusting(lab.sign("controller"))) == STATUS


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
async def test_a_client_without_a_certificate_is_refused_where_one_is_asked_for(
    lab, rig, newest, caplog
):
    async with serving(lab.trusting(rig)) as server:
        context = client_context(lab.trusting())
        context.maximum_version = newest
        options = Options(tls=context, echo_timeout_s=0.5)
        with pytest.raises(Unreachable, match=r"certificate of ours|ended the handshake"):
            async with await EchoProtocol.client(server.server_uri, options=options) as client:
                await client.request(INIT, timeout_s=5)
        assert server._inbox._queue.empty()
    assert f"refused {HOST} port" in caplog.text
    assert "it shows no certificate: name tls.cert and tls.key" in caplog.text


async def test_a_client_with_a_strangers_certificate_is_refused(lab, rig, stranger, caplog):
    async with serving(lab.trusting(rig)) as server:
        own = stranger.sign("controller")
        options = Options(tls=client_context(lab.trusting(own)), echo_timeout_s=0.5)
        with pytest.raises(Unreachable, match="the log of its daemon says why"):
            async with await EchoProtocol.client(server.server_uri, options=options) as client:
                await client.request(INIT, timeout_s=5)
    assert f"refused {HOST} port" in caplog.text
    assert "its certificate is not trusted" in caplog.text


async def test_a_plain_client_does_no_harm_and_is_noted(lab, rig, caplog):
    async with serving(rig) as server, await client_of(server, lab.trusting()) as client:
        options = Options(echo_timeout_s=0.5)
        with pytest.raises(Unreachable, match="closed the connection; the log of its daemon may"):
            uri = f"tcp://{HOST}:{server.port}"
            async with await EchoProtocol.client(uri, options=options) as plain:
                await plain.request(INIT, timeout_s=5)
        assert await client.request(STATUS, timeout_s=5) == STATUS
    assert "it does not speak TLS: write tls:// at both ends" in caplog.text
    assert caplog.text.count("refused") == 1, "one who goes on knocking fills no disk"


@pytest.mark.parametrize("says", [b"", b"[32,0]"])
async def test_a_rig_that_does_not_speak_tls_is_named(says):
    def answer(reader, writer):
        writer.write(says)
        writer.close()

    async with await asyncio.start_server(answer, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unreachable, match="it may not speak TLS|it does not speak TLS"):
            await EchoProtocol.client(f"tls://{HOST}:{port}")


async def test_nobody_there_asks_for_the_daemon(unused_tcp_port):
    with pytest.raises(Unreachable, match="is its daemon running"):
        await EchoProtocol.client(f"tls://{HOST}:{unused_tcp_port}")


async def test_what_comes_with_the_end_of_the_handshake_is_heard_though_its_sender_leaves(lab, rig):
    async with serving(rig) as server:
        heard = asyncio.ensure_future(server.on_event(Event.EXPCLEANUP))
        context = client_context(lab.trusting())
        _, writer = await asyncio.open_connection(HOST, server.port, ssl=context)
        writer.write(b"[1,null]" * 50 + b"[8,null]")
        writer.close()
        async with asyncio.timeout(10):
            assert (await heard)[0] == [None]
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        await gone(server)


async def test_who_never_ends_the_handshake_is_sent_away(lab, rig, monkeypatch, caplog):
    monkeypatch.setattr(doorway, "HANDSHAKE_S", 0.1)
    async with serving(rig) as server:
        reader, writer = await asyncio.open_connection(HOST, server.port)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
    assert f"refused {HOST} port" in caplog.text


async def test_many_who_never_end_the_handshake_lock_nobody_out(lab, rig, monkeypatch):
    monkeypatch.setattr(doorway, "MAX_HANDSHAKES", 8)
    monkeypatch.setattr(doorway, "HANDSHAKE_S", 60.0)
    async with serving(rig) as server, contextlib.AsyncExitStack() as stack:
        silent = []
        for _ in range(20):
            reader, writer = await asyncio.open_connection(HOST, server.port)
            stack.callback(writer.close)
            silent.append(reader)
        assert await ask(server, lab.trusting()) == STATUS
        async with asyncio.timeout(10):
            for reader in silent[:12]:
                assert await reader.read() == b"", "the oldest make room"
        assert len(server._route._transport._doorway._handshakes) <= 8


async def test_a_handshake_that_is_called_off_before_it_began_leaves_no_connection(rig):
    way = doorway.Doorway(server_context(rig), asyncio.Protocol)

    class Closing(asyncio.Protocol):
        def connection_made(self, transport):
            way.knocked(transport)
            way.close()

    async with await asyncio.get_running_loop().create_server(Closing, HOST, 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_a_server_without_a_certificate_is_refused():
    with pytest.raises(ConfigError, match="name tls.cert and tls.key"):
        await EchoProtocol.server(f"tls://{HOST}:0")


def test_files_that_are_none_are_named(lab, rig, tmp_path):
    bad, other = tmp_path / "bad.pem", lab.sign("other")
    bad.write_text("hello")
    with pytest.raises(ConfigError, match=f"{bad}: holds no certificate in PEM form, or"):
        server_context(TlsFiles(bad, rig.key))
    with pytest.raises(ConfigError, match=f"{rig.cert}: holds no certificate .*, or {bad} no key"):
        server_context(TlsFiles(rig.cert, bad))
    with pytest.raises(ConfigError, match=f"{other.key}: is not the key of {rig.cert}"):
        server_context(TlsFiles(rig.cert, other.key))
    with pytest.raises(ConfigError, match=f"{bad}: holds no certificate in PEM form$"):
        client_context(TlsFiles(ca=bad))
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        client_context(TlsFiles(ca=tmp_path / "none.pem"))


def test_a_key_with_a_password_is_refused_and_nobody_asked(rig, tmp_path):
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(rig.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match=f"{locked} no key without a password"):
        server_context(TlsFiles(rig.cert, locked))


@pytest.mark.parametrize("error", [None, ConnectionResetError(104, "reset"), BrokenPipeError()])
def test_however_a_rig_sends_a_client_away_its_log_is_named(error):
    assert "may want a certificate of ours" in why_lost(error)


def test_the_name_that_a_certificate_must_have():
    assert server_name("rig.lab.") == "rig.lab"
    assert server_name("fe80::1%eth0") == "fe80::1"


def server_only(authority: Authority, folder) -> TlsFiles:
    """Return a certificate that may serve and not be a client's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import ExtendedKeyUsageOID

    made = authority.sign(HOST)
    old = x509.load_pem_x509_certificate(made.cert.read_bytes())
    new = (
        x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), old.serial_number + 1)
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc)
    )
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    signer = serialization.load_pem_private_key(authority.ca.private_key_pem.bytes(), None)
    signed = new.add_extension(usage, critical=False).sign(signer, hashes.SHA256())
    cert = folder / "server-only.pem"
    cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return TlsFiles(cert, made.key)


def test_a_rig_knows_whether_it_would_let_itself_in(lab, rig, tmp_path):
    only = server_only(lab, tmp_path)
    assert own_context(server_context(rig), rig)
    assert own_context(server_context(lab.trusting(rig)), lab.trusting(rig))
    assert own_context(server_context(only), only)
    assert own_context(server_context(lab.trusting(only)), lab.trusting(only)) is None
