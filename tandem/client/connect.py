"""Which service, and what opens it: from the configuration."""

from __future__ import annotations

from urllib.parse import urlsplit

from tandem.client.client import Client
from tandem.config.settings import Settings, load
from tandem.spec.errors import SpecError

TOKEN_FILE = "access_token"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
EVERYWHERE = frozenset({"0.0.0.0", "::"})


def connect(server: str | None = None) -> Client:
    """A client of `server`, else of the configured one, with the configured token."""
    settings = load()
    return Client(address(server, settings), token(settings))


def address(server: str | None, settings: Settings) -> str:
    """`http://host:port`, without a slash at its end. SpecError when it is no address."""
    url = (server or settings.text("server_url") or local_address(settings)).rstrip("/")
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        right = False
    if not right:
        raise SpecError(
            "The service's address {url} is none.",
            url=url,
            fix="Write it as http://127.0.0.1:8080.",
        )
    return url


def local_address(settings: Settings, port: int | None = None) -> str:
    """The address of the service that `tandem serve` starts on this machine."""
    host = settings.text("host") or "127.0.0.1"
    host = "127.0.0.1" if host in EVERYWHERE else host
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port or settings.text('port')}"


def token(settings: Settings) -> str | None:
    """The token from the environment, or the file that `tandem serve` made.

    Never from an argument: what is on a command line every user of the machine can read.
    """
    given = settings.text("access_token")
    if given:
        return given.strip()
    try:
        return (settings.home / TOKEN_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def is_local(url: str) -> bool:
    """Whether the service runs on this machine, so that a path means the same to both."""
    return urlsplit(url).hostname in LOOPBACK
