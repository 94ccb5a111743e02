"""What can go wrong, one class a meaning. A message names the offending value; `remedy` says what to do."""


class HdqError(Exception):
    """Base of every error we raise on purpose. `detail` and `remedy` are shown to people; `extra` joins the problem document."""

    title = "操作未完成 · The request could not be completed"

    def __init__(self, detail: str, *, remedy: str = "", **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy
        self.extra = extra


class InvalidInput(HdqError):
    """The value itself is wrong: out of range, malformed, of an unknown kind."""

    title = "输入有误 · Invalid input"


class UnknownCrs(InvalidInput):
    """The coordinate frame is missing or contradicts the coordinates; `extra['candidates']` lists likely ones."""

    title = "坐标系不明 · Coordinate reference system unknown"


class InvalidQuery(InvalidInput):
    """A question in an open standard's own words (a filter, a box, a frame) that cannot be read or is not allowed."""

    title = "查询有误 · Invalid query"


class TooLarge(HdqError):
    """More bytes, pixels, rows or vertices than we accept."""

    title = "内容过大 · Too large"


class UnsupportedMedia(HdqError):
    """The bytes are not of a kind we read, whatever their name says."""

    title = "文件类型不支持 · Unsupported file type"


class NotFound(HdqError):
    """No such thing, or not inside the caller's scope: the two look alike on purpose."""

    title = "未找到 · Not found"


class NotSignedIn(HdqError):
    """No session, or one that ended."""

    title = "未登录 · Not signed in"


class Forbidden(HdqError):
    """The caller's role may not do this."""

    title = "无权限 · Forbidden"


class Conflict(HdqError):
    """The thing exists already, changed meanwhile, or is used by something else."""

    title = "冲突 · Conflict"


class IllegalStep(Conflict):
    """The workflow has no such step from this state for this person."""

    title = "流程不允许 · Illegal step"


class TooMany(HdqError):
    """Asked too often; `extra['retry_after_s']` says when to come back."""

    title = "请求过于频繁 · Too many requests"


class UpstreamFailed(HdqError):
    """A source of others that we fetch from on a caller's behalf gave nothing that can be passed on."""

    title = "上游没有给出可用的应答 · The source gave no usable answer"


class Unavailable(HdqError):
    """A part that this needs is down or missing: database, weights, library."""

    title = "服务不可用 · Unavailable"
