"""Tells uv what pip was told: prints shell exports from pip's own configuration. Standard library only; run before anything is installed.

pip reads indexes, wheel folders, certificates and timeouts from pip.conf and PIP_*; uv reads none of them. A machine behind a
mirror is set up once, for pip, and served by both. Usage: python uv_environment.py PIP_EXECUTABLE
"""

import ast
import os
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse


def pip_settings(listing: str) -> dict[str, str]:
    """The options of `pip config list`, whatever section they stand in; an environment variable beats a file.

    >>> pip_settings("global.cert='/a.pem'\\n:env:.cert='/b.pem'\\ninstall.find-links='/w\\\\n/v'")
    {'cert': '/b.pem', 'find-links': '/w\\n/v'}
    """
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        name, separator, value = line.partition("=")
        section, _, option = name.strip().rpartition(".")
        if not separator or not option:
            continue
        rank = {"global": 0, "install": 1, ":env:": 2}.get(section, -1)
        try:
            text = str(ast.literal_eval(value.strip()))
        except (SyntaxError, ValueError):
            text = value.strip()
        if rank >= 0 and rank >= found.get(option, (0, ""))[0]:
            found[option] = (rank, text)
    return {option: text for option, (_, text) in found.items()}


def uv_environment(options: dict[str, str], present: dict[str, str]) -> dict[str, str]:
    """The UV_ variables that say the same. Those already `present` in the environment are left alone.

    >>> uv_environment({"find-links": "/w\\n/v", "default-timeout": "180"}, {"UV_HTTP_TIMEOUT": "9"})
    {'UV_FIND_LINKS': '/w,/v'}
    """
    wanted: dict[str, str] = {}
    if "index-url" in options:
        wanted["UV_DEFAULT_INDEX"] = options["index-url"]
    if "extra-index-url" in options:
        wanted["UV_INDEX"] = " ".join(options["extra-index-url"].split())
        wanted["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "find-links" in options:
        wanted["UV_FIND_LINKS"] = ",".join(options["find-links"].split())
    if "cert" in options:
        wanted["SSL_CERT_FILE"] = options["cert"]
    if "default-timeout" in options or "timeout" in options:
        wanted["UV_HTTP_TIMEOUT"] = options.get("timeout", options.get("default-timeout", "60"))
    if "trusted-host" in options:
        wanted["UV_INSECURE_HOST"] = " ".join(options["trusted-host"].split())
    if options.get("no-index", "").lower() in ("1", "true", "yes"):
        wanted["UV_NO_INDEX"] = "1"
    if "proxy" in options:
        wanted["ALL_PROXY"] = options["proxy"]
    return {name: value for name, value in wanted.items() if name not in present}


def holds_torch(find_links: str) -> bool:
    """Whether a local wheel folder among `find_links` (comma separated) brings its own torch: then no other build is asked for."""
    folders = [urlparse(link).path if link.startswith("file:") else link for link in find_links.split(",") if link]
    return any(any(Path(folder).glob("torch-*.whl")) for folder in folders)


def main(pip: str) -> None:
    """Prints one `export NAME=value` a line."""
    listing = subprocess.run([pip, "config", "list"], capture_output=True, text=True, check=True).stdout
    wanted = uv_environment(pip_settings(listing), dict(os.environ))
    if "UV_TORCH_BACKEND" not in os.environ and not holds_torch(wanted.get("UV_FIND_LINKS", os.environ.get("UV_FIND_LINKS", ""))):
        wanted["UV_TORCH_BACKEND"] = "cpu"
    for name, value in wanted.items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main(sys.argv[1])
