import type { Words } from "../i18n";

export const words: Words = {
  zh: {
    quarantine: "坐标可疑的导入",
    held: "已隔离，未上图",
    states: { held: "待确认", fixed: "已修正发布", overridden: "按原坐标发布", discarded: "已放弃" },
    heldHint: "{{bad}} / {{all}} 行与已知的建筑、道路或界线不符。确认前图上没有这些数据。",
    rows: "可疑行",
    declared: "声明",
    proposed: "建议",
    look: "查看",
    vectors: "由声明位置指向建议位置（抽样 {{n}} 条）",
    reason: "理由（坚持原坐标时必填）",
    fix: "按建议修正并发布",
    override: "坚持原坐标发布",
    discard: "放弃",
    sending: "正在处理",
    decided: "{{who}}：{{what}}",
    figures: "距{{what}}中位数 {{before}} → {{after}} 米；对数似然增益 {{gain}}，随机平移最多 {{decoy}}",
    what: { buildings: "建筑", roads: "道路", districts: "区市界线", coast: "海岸线" },
  },
  en: {
    quarantine: "Imports with suspicious coordinates",
    held: "Held back, not on the map",
    states: {
      held: "To decide",
      fixed: "Fixed and published",
      overridden: "Published as declared",
      discarded: "Discarded",
    },
    heldHint:
      "{{bad}} of {{all}} rows contradict the known buildings, roads or boundaries. Nothing is on the map until somebody decides.",
    rows: "Suspicious rows",
    declared: "Declared",
    proposed: "Proposed",
    look: "Look",
    vectors: "From the declared place to the proposed one ({{n}} sampled)",
    reason: "Reason (needed to publish as declared)",
    fix: "Apply the fix and publish",
    override: "Publish as declared",
    discard: "Discard",
    sending: "Working",
    decided: "{{who}}: {{what}}",
    figures:
      "median distance to {{what}} {{before}} → {{after}} m; log likelihood gain {{gain}}, random shifts at most {{decoy}}",
    what: { buildings: "buildings", roads: "roads", districts: "district outlines", coast: "the coast" },
  },
};
