import type { Words } from "../i18n";

export const words: Words = {
  zh: {
    noPicture: "图像不可用：未通过遮挡处理或无权查看",
    stream: { idle: "实时流未开", connecting: "正在连接", live: "实时", broken: "实时流中断" },
  },
  en: {
    noPicture: "Picture not available: not yet blurred, or not yours to see",
    stream: { idle: "Stream not open", connecting: "Connecting", live: "Live", broken: "Stream down" },
  },
};
