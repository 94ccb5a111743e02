"""The road network: the lattice of the built-up area noded with the road along the coast, and trunk roads that bridge the towns coarsely."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis_api.demo import lattice, plane

NAMES = tuple(
    ["香港", "东海", "江西", "闽江", "宁夏", "南京", "山东", "延安", "燕儿岛", "广西", "太平", "文登", "武胜关", "正阳关", "山海关", "嘉峪关", "紫荆关", "居庸关", "韶关", "函谷关", "湛山", "佛涛", "岳阳", "芝泉", "徐州", "大尧", "漳州", "澳门", "福州", "珠海", "台湾", "高雄", "基隆", "新会", "增城", "莆田", "厦门", "泉州", "南海", "金湾", "逍遥", "仙霞岭", "秦岭", "武夷山", "太行山", "云岭", "海口", "深圳", "银川", "同安", "洪泽湖", "镜泊湖", "巢湖", "天台", "雁荡", "黄县", "龙口", "登州", "莱州", "胶州", "即墨", "平度", "高密", "潍县", "益都", "博山", "淄川", "曲阜", "泰安", "济宁", "河南", "安徽", "四川", "云南", "贵州", "湖南", "湖北", "江苏", "浙江", "福建", "广东", "河北", "山西", "陕西", "甘肃", "北京", "天津", "上海", "保定", "热河", "辽北", "吉林", "松江", "嫩江", "兴安", "丹东", "锦州", "沈阳", "长春", "铁岭", "抚顺", "鞍山", "本溪", "哈尔滨", "大连", "威海", "烟台", "蓬莱", "昌乐", "诸城", "日照", "沂水", "临沂", "枣庄", "德州", "聊城", "菏泽", "滨州"]
)
SPEED = {"motorway": 100.0, "trunk": 80.0, "primary": 50.0, "secondary": 40.0, "residential": 25.0, "track": 15.0}
COAST_ROAD_M = 55.0


@dataclass(frozen=True, slots=True)
class Edges:
    """Road edges as columns: `line` in plane metres, `kind` a road class, `name`, and for the numbers of houses `start_m`: metres from the
    beginning of the whole street to the beginning of the edge."""

    line: NDArray[np.object_]
    kind: NDArray[np.object_]
    name: NDArray[np.object_]
    start_m: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.line)

    def take(self, which: NDArray) -> "Edges":
        return Edges(self.line[which], self.kind[which], self.name[which], self.start_m[which])


@dataclass(frozen=True, slots=True)
class Town:
    """The built-up lattice: its road `edges`, the `blocks` between them in the dense part (they cover it without gap or overlap), the leaf each lies in."""

    edges: Edges
    blocks: NDArray[np.object_]
    zone: NDArray[np.object_]
    leaf: NDArray[np.int64]
    leaves: tuple[lattice.Leaf, ...]


def built_up(area: BaseGeometry, dense: BaseGeometry, land: BaseGeometry) -> Town:
    """Streets over `area` (plane metres), fine in `dense`, coarse elsewhere, and the blocks of `dense`; `land` is what the sea does not cover."""
    streets, leaves = lattice.draw(area, dense, NAMES)
    ends = np.array([[(s.u0, s.v0), (s.u1, s.v1)] for s in streets])
    straight = shapely.linestrings(ends)
    noded = shapely.get_parts(shapely.union_all(straight))
    parts = _bent(noded)
    inner = shapely.simplify(shapely.buffer(shapely.buffer(land, -COAST_ROAD_M - 60), 60), 6.0)
    inner = shapely.MultiPolygon([p for p in shapely.get_parts(inner) if p.area > 2e5])
    window = shapely.buffer(area, 900)
    shore = shapely.line_merge(shapely.intersection(shapely.segmentize(inner.boundary, 80), window))
    every = shapely.get_parts(shapely.union_all(np.concatenate([parts[shapely.intersects(parts, window)], shapely.get_parts(shore)])))
    faces = shapely.get_parts(shapely.polygonize(every))
    edges = _known(every, straight, streets)
    shapely.prepare(inner)
    middle = shapely.line_interpolate_point(edges.line, 0.5, normalized=True)
    kept = shapely.intersects(inner, middle) | (edges.name == "滨海大道")
    reach = shapely.buffer(area, 300)
    shapely.prepare(reach)
    edges = edges.take(kept & shapely.intersects(reach, middle) & (shapely.length(edges.line) > 0.5))
    blocks = plane.clipped(faces, dense)
    inside = shapely.point_on_surface(blocks)
    u, v = lattice.unbend(shapely.get_x(inside), shapely.get_y(inside))
    boxes = shapely.STRtree(shapely.box(*np.array([(leaf.u0, leaf.v0, leaf.u1, leaf.v1) for leaf in leaves]).T))
    found = boxes.query_nearest(shapely.points(u, v), all_matches=False)[1]
    zone = np.array([leaves[i].zone for i in found], dtype=object)
    return Town(edges, blocks, zone, found, tuple(leaves))


def _bent(noded: NDArray[np.object_]) -> NDArray[np.object_]:
    return shapely.transform(shapely.segmentize(noded, 45.0), lambda u, v: lattice.bend(u, v), interleaved=False)


def _known(every: NDArray[np.object_], straight: NDArray[np.object_], streets: Sequence[lattice.Street]) -> Edges:
    """Class, name and place along the street of each noded edge: the highest street its middle lies on, else the road along the coast."""
    middle = shapely.line_interpolate_point(every, 0.5, normalized=True)
    u, v = lattice.unbend(shapely.get_x(middle), shapely.get_y(middle))
    tree = shapely.STRtree(straight)
    rank = np.array([lattice.RANK[s.kind] for s in streets])
    edge, street = tree.query(shapely.points(u, v), predicate="dwithin", distance=1.2)
    order = np.lexsort((street, rank[street], edge))
    edge, street = edge[order], street[order]
    first = np.unique(edge, return_index=True)[1]
    owner = np.full(len(every), -1)
    owner[edge[first]] = street[first]
    kinds = np.array([s.kind for s in streets] + ["primary"], dtype=object)
    names = np.array([s.name for s in streets] + ["滨海大道"], dtype=object)
    begin = np.array([(s.u0, s.v0) for s in streets] + [(0.0, 0.0)])
    start = np.abs(u - begin[owner, 0]) + np.abs(v - begin[owner, 1])
    return Edges(every, kinds[owner], names[owner], np.where(owner < 0, 0.0, start))
