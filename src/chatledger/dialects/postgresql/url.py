"""URLs of PostgreSQL: several hosts, as libpq writes them, and the one option that is ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

from sqlalchemy.engine import URL

from chatledger.errors import InvalidInput

# scheme://user:password@ hosts /database?options. A password may hold an @ or a slash that is not escaped.
_HOSTS = re.compile(
    r"(?P<scheme>\w+(?:\+\w+)?://)(?P<user>[^@]*(?:@[^@/]*)*@)?(?P<hosts>[^/?@]*)(?P<rest>[/?].*)?", re.DOTALL
)
# A host that may have a port: a name or an address, [an IPv6 address], or the folder of a socket.
_HOST = re.compile(r"(?P<name>\[[^\]]*\]|[^:]*)(?::(?P<port>\d*))?")
_WITH_PORT = re.compile(r"(?:\[[^\]]*\]|[^:]+):\d+")

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def move_hosts(text: str) -> str:
    """Write the hosts of `postgresql://a:5432,b:5433/name` as the options `host` and `port`, which SQLAlchemy reads.

    Other URLs are returned as they are.
    """
    found = _HOSTS.fullmatch(text)
    if found is None or "," not in found["hosts"]:
        return text
    names, ports = _split([unquote(host) for host in found["hosts"].split(",")])
    path, _, query = (found["rest"] or "/").partition("?")
    added = [f"host={quote(','.join(names), safe=',')}"] + ([f"port={','.join(ports)}"] if any(ports) else [])
    options = "&".join([query, *added] if query else added)
    return f"{found['scheme']}{found['user'] or ''}{path}?{options}"


def split_hosts(url: URL) -> URL:
    """Split the ports from the hosts of `?host=a:5432,b:5433` and `?host=a:5432&host=b:5433`, for the driver."""
    given = url.query.get("host")
    if given is None:
        return url
    hosts = [host for part in ([given] if isinstance(given, str) else given) for host in part.split(",")]
    if len(hosts) < 2:
        return url
    if "port" in url.query:
        if any(_WITH_PORT.fullmatch(host) for host in hosts):
            raise InvalidInput("url", "names the ports twice: with the hosts and as an option")
        return url
    names, ports = _split(hosts)
    options = {"host": ",".join(names), **({"port": ",".join(ports)} if any(ports) else {})}
    return url.update_query_dict(options)


def prefer_primary(url: URL) -> URL:
    """Of several hosts, use the one that takes writes, unless the URL says which.

    The driver would take the first that answers, which after a failover may be a standby, for ever.
    """
    hosts = url.query.get("host", "")
    if "target_session_attrs" in url.query or "," not in hosts:
        return url
    return url.update_query_dict({"target_session_attrs": "read-write"})


def reader_url(url: URL) -> URL:
    """The URL of a replica: of several hosts a standby if there is one, and none that does not answer for long."""
    url = split_hosts(url)
    defaults = {"connect_timeout": "2"}
    if "," in url.query.get("host", ""):
        defaults["target_session_attrs"] = "prefer-standby"
    return url.update_query_dict({name: value for name, value in defaults.items() if name not in url.query})


def take_prepared_statements(url: URL) -> tuple[URL, bool | None]:
    """The URL without its option `prepared_statements`, which the server does not know; the option, or None."""
    word = url.query.get("prepared_statements")
    if word is None:
        return url, None
    if not isinstance(word, str) or word.lower() not in _WORDS:
        raise InvalidInput("url", "prepared_statements must be true or false")
    return url.difference_update_query(["prepared_statements"]), _WORDS[word.lower()]


def _split(hosts: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names and the ports of hosts; an empty port is the default one."""
    names, ports = [], []
    for host in hosts:
        found = _HOST.fullmatch(host)
        if found is None:
            raise InvalidInput("url", "has a host with an invalid port: write host:5432, and [::1]:5432 for IPv6")
        names.append(found["name"].strip("[]"))
        ports.append(found["port"] or "")
    return names, ports
