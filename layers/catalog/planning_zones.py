"""Zones of the territorial plan 国土空间规划分区 in force today, by planned use."""

from layers.paint import Choice
from layers.registers import zones
from layers.spec import Field

USE = Choice(
    "use",
    (
        ("residential", "居住", "Residential", "#D9B45F"),
        ("commercial", "商业服务", "Commercial", "#C98A7A"),
        ("industrial", "工业仓储", "Industrial", "#A78AB5"),
        ("public", "公共服务", "Public service", "#C48FB0"),
        ("transport", "交通", "Transport", "#8E97A6"),
        ("green", "绿地", "Green", "#7FB07A"),
        ("agricultural", "农业", "Agricultural", "#B5BF77"),
        ("ecological", "生态", "Ecological", "#5C9A6B"),
        ("water", "水域", "Water", "#6FA9CF"),
    ),
    other=("留白", "Reserve", "#A6A299"),
)

LAYER = zones(
    "planning_zones",
    "国土空间规划分区",
    "Planning zones",
    group="city",
    reads=("code", "name", "use", "plan"),
    fill=USE.expression(70),
    line=USE.expression(200),
    width=0.8,
    zooms=(11, 16),
    legend=USE.legend(),
    tooltip=(Field("name", "名称", "Name"), Field("use", "规划用途", "Planned use"), Field("plan", "规划", "Plan"), Field("code", "编号", "Code")),
)
