import type { Words } from "../i18n";

export const words: Words = {
  zh: { noPicture: "图像不可用：未通过遮挡处理或无权查看", empty: "暂无内容" },
  en: { noPicture: "Picture not available: not yet blurred, or not yours to see", empty: "Nothing here" },
};
