"""Is it a picture? Judged by the bytes, without decoding them: what a server calls image/png may be a page that says no."""

import struct
import zlib

SIDE_MAX = 1024
PNG = b"\x89PNG\r\n\x1a\n"


def media_type(content: bytes) -> str | None:
    """image/png, image/jpeg or image/webp of a whole picture of at most 1024 pixels a side; None for anything else, cut or damaged ones included.

    >>> media_type(b"<html>no key</html>") is None
    True
    """
    if content.startswith(PNG):
        return "image/png" if _whole_png(content) else None
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg" if _whole_jpeg(content) else None
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp" if len(content) >= 20 and struct.unpack("<I", content[4:8])[0] + 8 in (len(content), len(content) + 1) else None
    return None


def _whole_png(content: bytes) -> bool:
    at, data = len(PNG), False
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind, end = content[at + 4 : at + 8], at + 12 + length
        if end > len(content) or zlib.crc32(content[at + 4 : end - 4]) != struct.unpack(">I", content[end - 4 : end])[0]:
            return False
        if at == len(PNG) and (kind != b"IHDR" or length != 13 or not all(0 < side <= SIDE_MAX for side in struct.unpack(">II", content[at + 8 : at + 16]))):
            return False
        data = data or kind == b"IDAT"
        if kind == b"IEND":
            return data
        at = end
    return False


def _whole_jpeg(content: bytes) -> bool:
    if b"\xff\xd9" not in content[-64:]:
        return False
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return all(0 < side <= SIDE_MAX for side in struct.unpack(">HH", content[at + 5 : at + 9]))
        (length,) = struct.unpack(">H", content[at + 2 : at + 4])
        at += 2 + max(2, length)
    return False
