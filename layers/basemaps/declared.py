"""Which base maps there are: 天地图 where its key is given (HDQ_TIANDITU_KEY), and what the file HDQ_BASEMAPS names. Without either: none."""

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from grid.errors import InvalidInput
from grid.settings import Settings

OWN = "haidongqing"
"""Id of our own vector base map: always there, the default and the fall-back."""
FILE_MAX = 1 << 20
TIANDITU = (
    ("vec", "天地图 矢量", "Tianditu streets", "cva"),
    ("img", "天地图 影像", "Tianditu imagery", "cia"),
    ("ter", "天地图 地形", "Tianditu terrain", "cva"),
    ("cva", "天地图 矢量注记", "Tianditu labels", None),
    ("cia", "天地图 影像注记", "Tianditu imagery labels", None),
)
"""Layer of the service, titles, and the labels drawn above it. Levels start at 1: there is no level 0."""
SHIFTED = re.compile(r"(^|\.)(autonavi\.com|amap\.com|gtimg\.com|map\.qq\.com|google\.cn|bdimg\.com|map\.baidu\.com)$")
"""Hosts whose tiles are in GCJ-02 or BD-09, hundreds of metres away."""


class BaseMap(BaseModel):
    """One source. `address` is a template with {z} {x} {y} (kind xyz; also {s}, a number below `subdomains`, and {key}) or that of WMTS
    capabilities (kind wmts). It may carry secrets, so it is never told to anyone: names and titles are."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    title: Annotated[str, Field(min_length=1, max_length=60)]
    title_en: Annotated[str, Field(min_length=1, max_length=60)]
    kind: Literal["xyz", "wmts"]
    address: SecretStr
    layer: str | None = None
    style: str | None = None
    matrix_set: str | None = None
    format: str | None = None
    crs: Literal["EPSG:3857"] = "EPSG:3857"
    level_offset: Annotated[int, Field(ge=-3, le=3)] = 0
    subdomains: Annotated[int, Field(ge=1, le=16)] = 1
    min_zoom: Annotated[int, Field(ge=0, le=22)] = 0
    max_zoom: Annotated[int, Field(ge=0, le=22)] = 18
    attribution: Annotated[str, Field(max_length=200)] = ""
    approval: Annotated[str, Field(max_length=60, description="审图号")] = ""
    overlay: Annotated[bool, Field(description="drawn above another base map; not offered by itself")] = False
    labels: Annotated[str | None, Field(description="id of the overlay with its names")] = None
    hosts: Annotated[frozenset[str], Field(description="further hosts (host or host:port) that its capabilities may lead to")] = frozenset()
    key: SecretStr | None = None
    key_parameter: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,30}$")] = "tk"

    @field_validator("address")
    @classmethod
    def _http(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("address must start with http:// or https:// and name a host")
        if SHIFTED.search(parts.hostname):
            raise ValueError(f"the tiles of {parts.hostname} are in GCJ-02 or BD-09 and would lie hundreds of metres off")
        return value

    @model_validator(mode="after")
    def _whole(self) -> "BaseMap":
        if self.id == OWN:
            raise ValueError(f"the id {OWN} is that of our own vector base map")
        if self.min_zoom > self.max_zoom:
            raise ValueError(f"min_zoom {self.min_zoom} is above max_zoom {self.max_zoom}")
        if self.kind == "wmts" and not self.layer:
            raise ValueError("a wmts source needs layer")
        if self.kind == "xyz" and not all(mark in self.address.get_secret_value() for mark in ("{z}", "{x}", "{y}")):
            raise ValueError("the address of an xyz source needs {z}, {x} and {y}")
        return self

    @property
    def allowed(self) -> frozenset[str]:
        """Hosts (as written in addresses, with a port where there is one) that may be asked for it."""
        named = urlsplit(self.address.get_secret_value()).netloc.lower()
        own = {named.replace("{s}", str(number)) for number in range(self.subdomains)}
        return frozenset(own | {host.lower() for host in self.hosts})

    @property
    def fingerprint(self) -> str:
        """Names what its tiles are (not the key), so that tiles of another source never pass for them."""
        said = (self.address.get_secret_value(), self.layer, self.style, self.matrix_set, self.format, self.level_offset)
        return hashlib.blake2b(repr(said).encode(), digest_size=8).hexdigest()

    @property
    def credit(self) -> str:
        """What must stand on the map."""
        return " · ".join(text for text in (self.attribution, self.approval) if text)


class _Several(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    basemap: Annotated[list[BaseMap], Field(max_length=100)]


def tianditu(key: SecretStr, url: str, approval: str) -> list[BaseMap]:
    """天地图's five layers in Web Mercator (matrix set w) at `url`, e.g. https://t{s}.tianditu.gov.cn or a city's own node."""
    query = "SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER={}&STYLE=default&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}"
    return [
        BaseMap(
            id=f"tianditu-{layer}", title=title, title_en=title_en, kind="xyz", address=SecretStr(f"{url.rstrip('/')}/{layer}_w/wmts?{query.format(layer)}"),
            subdomains=8 if "{s}" in url else 1, min_zoom=1, max_zoom=14 if layer == "ter" else 18, attribution="© 国家地理信息公共服务平台 天地图",
            approval=approval, overlay=labels is None, labels=labels and f"tianditu-{labels}", key=key, key_parameter="tk",
        )
        for layer, title, title_en, labels in TIANDITU
    ]  # fmt: skip


def declared(settings: Settings) -> dict[str, BaseMap]:
    """All base maps by id, in the order they are offered. InvalidInput names file and place of what does not fit, never a value."""
    found = tianditu(settings.tianditu_key, settings.tianditu_url, settings.tianditu_approval) if settings.tianditu_key else []
    if settings.basemaps is not None:
        found += _read(settings.basemaps)
    known = {each.id: each for each in found}
    if len(known) < len(found):
        twice = sorted({each.id for each in found if sum(other.id == each.id for other in found) > 1})
        raise InvalidInput(f"HDQ_BASEMAPS: 底图编号重复 · base map ids are given twice: {', '.join(twice)}", remedy="give each its own id")
    for each in found:
        if each.labels is not None and not (each.labels in known and known[each.labels].overlay):
            raise InvalidInput(f"HDQ_BASEMAPS: {each.id} 的注记 {each.labels!r} 不是叠加底图 · its labels are no overlay", remedy="name a base map with overlay = true")
    return known


def _read(path: Path) -> list[BaseMap]:
    try:
        content = path.read_bytes()[: FILE_MAX + 1]
        if len(content) > FILE_MAX:
            raise InvalidInput(f"HDQ_BASEMAPS: {path.name} 超过 1 MiB · is larger than 1 MiB", remedy="at most 100 base maps")
        text = content.decode("utf-8")
        return _Several.model_validate(tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)).basemap
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"HDQ_BASEMAPS: {path.name}, {place}: {first['msg']}", remedy="see docs/basemaps.md") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else f"neither TOML nor JSON ({type(error).__name__})"
        raise InvalidInput(f"HDQ_BASEMAPS: {path.name} 无法读取 · cannot be read: {why}", remedy="a TOML or JSON file, see docs/basemaps.md") from None
