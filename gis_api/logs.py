"""Logs: one JSON object a line into run/NAME.jsonl, rotated; secrets are masked before anything is written."""

import logging
import logging.handlers
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from grid.settings import Settings

SECRET_NAMES = re.compile(r"pass(word|wd)?|secret|token|cookie|authorization|api_?key|credential", re.IGNORECASE)
SECRET_TEXT = re.compile(r"(?P<head>://[^\s:/@]+:)[^\s@/]+(?=@)|(?P<name>(?:password|token|secret|hdq_session|tk|api_?key)=)[^\s&;,\"']+", re.IGNORECASE)
MASK = "***"


def masked(value: Any) -> Any:
    """The value with secrets masked, in any depth: by the name of a member, and inside texts (URL passwords, cookies).

    >>> masked({"password": "x", "url": "postgresql://u:p@h/d", "n": [1, "token=abc"]})
    {'password': '***', 'url': 'postgresql://u:***@h/d', 'n': [1, 'token=***']}
    """
    if isinstance(value, str):
        return SECRET_TEXT.sub(lambda found: (found["head"] or found["name"]) + MASK, value)
    if isinstance(value, dict):
        return {key: MASK if isinstance(key, str) and SECRET_NAMES.search(key) else masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value


def _mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return masked(dict(event))


def configure(settings: Settings, name: str) -> None:
    """Sends structlog and the standard library's logging of this process to run/NAME.jsonl (10 MB, five kept)."""
    folder = settings.data_dir / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        _mask,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer(ensure_ascii=False, default=str)],
    )
    handler = logging.handlers.RotatingFileHandler(folder / f"{name}.jsonl", maxBytes=10_000_000, backupCount=5, encoding="utf-8")
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("psycopg.pool", "httpx", "httpcore", "asyncio", "procrastinate"):
        logging.getLogger(noisy).setLevel("WARNING")
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    sys.excepthook = lambda kind, error, trace: logging.getLogger("process").critical("process.died", exc_info=(kind, error, trace))
