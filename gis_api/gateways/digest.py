"""HTTP Digest access authentication (RFC 7616), server side: qop auth only, MD5 (what devices of GA/T 1400 know) and SHA-256. Pure functions.

Passwords are not kept: of each there is HA1 = H(username:realm:password) in both algorithms. Without qop nothing stops a replay, so that is refused.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

REALM = "haidongqing-viid"
ALGORITHMS = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_LONGEST = 2_048
_PART = re.compile(r'\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Claim:
    """What an Authorization header says. `count` is nc as a number."""

    username: str
    nonce: str
    uri: str
    response: str
    cnonce: str
    nc: str
    count: int
    algorithm: str


def ha1(username: str, password: str, algorithm: str) -> str:
    """H(username:realm:password) in hex.

    >>> len(ha1("a", "b", "MD5")), len(ha1("a", "b", "SHA-256"))
    (32, 64)
    """
    return _hash(algorithm, f"{username}:{REALM}:{password}")


def challenges(nonce: str, *, stale: bool) -> list[str]:
    """Values of WWW-Authenticate, the stronger algorithm first."""
    end = ", stale=true" if stale else ""
    return [f'Digest realm="{REALM}", qop="auth", algorithm={name}, nonce="{nonce}"{end}' for name in ("SHA-256", "MD5")]


def claimed(header: str) -> Claim | None:
    """The claim of an Authorization header; None when it is no sound one of qop auth in our realm.

    >>> claimed('Digest username="a", realm="elsewhere", nonce="n"') is None
    True
    """
    if header[:7].lower() != "digest " or len(header) > _LONGEST:
        return None
    parts: dict[str, str] = {}
    at = 7
    while at < len(header):
        found = _PART.match(header, at)
        if found is None or found[1].lower() in parts:
            return None
        parts[found[1].lower()] = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
        at = found.end()
    algorithm = parts.get("algorithm", "MD5").upper()
    wanted = ("username", "nonce", "uri", "response", "cnonce", "nc")
    if any(not parts.get(name) for name in wanted) or parts.get("realm") != REALM or parts.get("qop") != "auth" or algorithm not in ALGORITHMS:
        return None
    if not re.fullmatch(r"[0-9a-fA-F]{8}", parts["nc"]):
        return None
    return Claim(**{name: parts[name] for name in wanted}, count=int(parts["nc"], 16), algorithm=algorithm)


def proved(claim: Claim, secret: str, method: str) -> bool:
    """Whether the claim knows the HA1 `secret` of its algorithm for this method and its own uri. In constant time."""
    ha2 = _hash(claim.algorithm, f"{method}:{claim.uri}")
    wanted = _hash(claim.algorithm, f"{secret}:{claim.nonce}:{claim.nc}:{claim.cnonce}:auth:{ha2}")
    return hmac.compare_digest(wanted.encode(), claim.response.lower().encode())


def _hash(algorithm: str, text: str) -> str:
    return ALGORITHMS[algorithm](text.encode()).hexdigest()
