"""The database's address, also from a Java system's `jdbc:mysql://…` with user and password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from tandem.config.keys import Value, describe_origin
from tandem.spec.errors import SpecError

_JDBC = re.compile(r"^jdbc:(?P<dialect>\w+)://(?P<rest>[^?]+)(?:\?.*)?$")
_DIALECTS = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql"}


def database_url(values: Mapping[str, Value]) -> Value:
    """SQLAlchemy's form. JDBC's own options (useUnicode, serverTimezone, …) are left behind."""
    url = values["database_url"]
    if url.text is None or not url.text.startswith("jdbc:"):
        return url
    found = _JDBC.match(url.text)
    dialect = _DIALECTS.get(found["dialect"]) if found else None
    if found is None or dialect is None:
        raise SpecError(
            "The database address {url} is not understood.",
            url=re.sub(r"\?.*", "", url.text),
            allowed=[f"jdbc:{known}://host:port/name" for known in _DIALECTS],
            fix="Mend it ({origin}), or set TANDEM_DATABASE_URL.",
            origin=describe_origin(url.origin),
        )
    user, password = values["database_username"].text, values["database_password"].text
    login = quote(user, safe="") if user else ""
    login += f":{quote(password, safe='')}" if user and password else ""
    charset = "?charset=utf8mb4" if dialect == "mysql" else ""
    return Value(f"{dialect}://{login + '@' if login else ''}{found['rest']}{charset}", url.origin)
