"""Every error as an RFC 9457 problem document: one table from our exceptions to HTTP statuses, and nothing about our insides."""

import dataclasses
import math
import uuid
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg_pool import PoolClosed, PoolTimeout
from starlette.exceptions import HTTPException

from gis_api.wire.base import Problem
from grid import errors

STATUS: dict[type[errors.HdqError], int] = {
    errors.InvalidInput: 422,
    errors.InvalidQuery: 400,
    errors.UnknownCrs: 422,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.NotFound: 404,
    errors.NotSignedIn: 401,
    errors.Forbidden: 403,
    errors.Conflict: 409,
    errors.IllegalStep: 409,
    errors.TooMany: 429,
    errors.UpstreamFailed: 502,
    errors.Unavailable: 503,
    errors.HdqError: 400,
}

MEDIA_TYPE = "application/problem+json"

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": description, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for status, description in {
        401: "没有登录 · no live session",
        403: "角色无此权限，或请求未带 X-HDQ-Client / Idempotency-Key · forbidden",
        404: "不存在，或不在辖区内 · no such thing in the caller's scope",
        409: "冲突 · conflict",
        413: "内容过大 · too large",
        415: "文件类型不支持 · unsupported file type",
        422: "输入有误 · invalid input",
        503: "暂时不可用 · a needed part is down",
    }.items()
}

CHINESE = {
    "missing": "缺少此项",
    "extra_forbidden": "不认识此项",
    "json_invalid": "不是有效的 JSON",
    "int_parsing": "应为整数",
    "int_type": "应为整数",
    "float_parsing": "应为数字",
    "float_type": "应为数字",
    "string_type": "应为文字",
    "string_too_long": "文字过长",
    "string_too_short": "文字过短",
    "bool_parsing": "应为是或否",
    "datetime_parsing": "应为 ISO 8601 时间",
    "datetime_from_date_parsing": "应为 ISO 8601 时间",
    "timezone_aware": "时间须带时区",
    "uuid_parsing": "应为 UUID",
    "literal_error": "不在可选值之内",
    "greater_than": "数值过小",
    "greater_than_equal": "数值过小",
    "less_than": "数值过大",
    "less_than_equal": "数值过大",
    "finite_number": "应为有限数",
    "too_long": "项目过多",
    "too_short": "项目过少",
    "list_type": "应为列表",
    "dict_type": "应为对象",
    "model_attributes_type": "应为对象",
}


def status_of(error: errors.HdqError) -> int:
    """The status of an error: that of its nearest listed class."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


def slug(kind: type) -> str:
    """The problem type of a class: InvalidInput -> invalid-input."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).lstrip("-")


def finite(value: Any) -> Any:
    """The value made fit for JSON: NaN and infinities as words, bytes and long texts shortened, unknown objects as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: finite(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [finite(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= 2000 else text[:2000] + "…"


def excerpt(value: Any) -> Any:
    """What was sent, short enough to be sent back: single values as they are, of lists and objects only how large they are.

    >>> excerpt(1.5), excerpt([1, 2]), excerpt({"a": 1}), excerpt("x" * 300)[-3:]
    (1.5, '<list of 2>', '<dict of 1>', 'xx…')
    """
    if isinstance(value, dict | list | tuple | set | frozenset):
        return f"<{type(value).__name__} of {len(value)}>"
    short = finite(value)
    return short if not isinstance(short, str) or len(short) <= 200 else short[:200] + "…"


def problem(kind: str, status: int, title: str, detail: str, remedy: str = "", **extra: Any) -> JSONResponse:
    """A problem document; `extra` members name offending values. 429 and 503 say when to come back."""
    body = {"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail, "remedy": remedy} | finite(extra)
    headers = {}
    if status in (429, 503):
        headers["Retry-After"] = str(extra.get("retry_after_s", 5))
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def of_error(error: errors.HdqError) -> JSONResponse:
    """The document of one of our own errors."""
    return problem(slug(type(error)), status_of(error), error.title, error.detail, error.remedy, **error.extra)


STANDARDS = ("/ogc", "/stac")
"""Where open standards demand 400 for every request that does not fit."""


def of_validation(error: RequestValidationError, path: str = "") -> JSONResponse:
    """The document of a request that does not fit its shape: each place, what is wrong with it, and the value that was sent."""
    found = []
    for item in error.errors()[:50]:
        place = ".".join(str(part) for part in item["loc"])
        chinese = CHINESE.get(item["type"], "不符合要求")
        shown = "" if item["type"] == "missing" or "password" in place else excerpt(item.get("input"))
        found.append({"place": place, "message": f"{chinese} · {item['msg']}", "value": shown})
    first = found[0] if found else {"place": "request", "message": "不符合要求 · invalid"}
    status = 400 if path.startswith(STANDARDS) or any(item["type"] == "json_invalid" for item in error.errors()) else 422
    return problem(
        "invalid-input", status, errors.InvalidInput.title, f"{first['place']}：{first['message']}", "correct the places listed in errors; /api/openapi.json shows the shape", errors=found
    )


def install(app: FastAPI) -> None:
    """Puts the table in front of every route."""
    log = structlog.get_logger("problems")

    @app.exception_handler(errors.HdqError)
    async def _ours(request: Request, error: errors.HdqError) -> JSONResponse:
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    async def _shape(request: Request, error: RequestValidationError) -> JSONResponse:
        return of_validation(error, request.scope["path"])

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        titles = {404: errors.NotFound.title, 405: "方法不允许 · Method not allowed", 413: errors.TooLarge.title, 415: errors.UnsupportedMedia.title}
        answer = problem(f"http-{error.status_code}", error.status_code, titles.get(error.status_code, "请求未完成 · Request failed"), f"{error.detail}: {request.scope['path']}")
        answer.headers.update(error.headers or {})
        return answer

    async def _database(request: Request, error: Exception) -> JSONResponse:
        log.warning("database.unavailable", path=request.scope["path"], error=type(error).__name__)
        return problem("unavailable", 503, errors.Unavailable.title, "数据库暂时没有应答 · the database did not answer in time", "try again in a moment")

    for kind in (psycopg.OperationalError, psycopg.errors.QueryCanceled, PoolTimeout, PoolClosed):
        app.add_exception_handler(kind, _database)

    @app.exception_handler(psycopg.errors.UniqueViolation)
    async def _twice(request: Request, error: psycopg.errors.UniqueViolation) -> JSONResponse:
        return problem("conflict", 409, errors.Conflict.title, f"已存在 · exists already: {error.diag.message_detail or ''}", "use another id, or change the existing one")

    async def _value(request: Request, error: psycopg.Error) -> JSONResponse:
        return problem("invalid-input", 422, errors.InvalidInput.title, f"数据库拒绝了一个值 · the database refused a value: {error.diag.message_primary or ''}", "correct the value")

    for kind in (psycopg.errors.CheckViolation, psycopg.DataError, psycopg.errors.InternalError_, psycopg.errors.NotNullViolation, psycopg.errors.ForeignKeyViolation):
        app.add_exception_handler(kind, _value)

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
        mark = uuid.uuid4().hex[:12]
        log.error("request.failed", mark=mark, method=request.method, path=request.scope["path"], exc_info=error)
        return problem("unforeseen", 500, "内部错误 · Internal error", f"出现未预料的错误，编号 {mark} · an unforeseen error, mark {mark}", "tell the operator the mark; the log holds the rest", mark=mark)
