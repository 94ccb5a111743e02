import type { Words } from "../i18n";

export const words: Words = {
  zh: {
    lead: "天上看得见，地上找得准，事情办得完。",
    about: "卫星、无人机、摄像机与网格员的发现汇成一张图，每一条告警都有位置、有把握、有出处，一直跟到办结。",
    username: "用户名",
    password: "密码",
    signIn: "登录",
    signingIn: "正在登录",
    demo: "演示账号",
    demoHint: "点一下即登录。城市为生成数据，标有“模拟”。",
    tour: "一分钟导览",
    tourStep: "第 {{n}} 步，共 {{all}} 步",
    next: "下一步",
    back: "上一步",
    start: "从这里开始：以{{name}}登录",
    steps: {
      receive: {
        title: "接警",
        text: "指挥大屏右侧是实时告警，按时间排列。形状与颜色表示级别。选中一条，地图飞到现场，卡片说明是什么、在哪里、误差多少米、谁看见的。",
      },
      verify: {
        title: "核实",
        text: "核查员逐条判断。左边队列，中间地图，右边证据：画面与检测框，或前后两期影像的卷帘对比。按 A 属实，X 误报，S 存疑，十秒内可撤销。",
      },
      dispatch: {
        title: "派遣",
        text: "系统按路程推荐两车一机，给出到达时间。按“派遣”下令，单位确认后开始移动，轨迹实时可见。",
      },
      close: {
        title: "闭环",
        text: "案件经立案、派遣、处置、核查、结案。处置要有照片，核查须由另一人完成。结论回到算法，用来计算每个摄像机的准确率。",
      },
    },
  },
  en: {
    lead: "Seen from above, found on the ground, followed to the end.",
    about:
      "What satellites, drones, cameras and grid workers find meets on one map. Every alert has a place, a certainty and a source, and is followed until it is closed.",
    username: "User name",
    password: "Password",
    signIn: "Sign in",
    signingIn: "Signing in",
    demo: "Demo accounts",
    demoHint: "One click signs in. The city is generated and marked SIM.",
    tour: "One-minute tour",
    tourStep: "Step {{n}} of {{all}}",
    next: "Next",
    back: "Back",
    start: "Start here: sign in as {{name}}",
    steps: {
      receive: {
        title: "Receive",
        text: "Live alerts run down the right of the wall. Shape and colour tell how grave. Choose one: the map flies there and a card says what, where within how many metres, and who saw it.",
      },
      verify: {
        title: "Verify",
        text: "Inspectors judge one by one: queue, map, evidence with the detector's box or two satellite dates to swipe. A true, X false, S unsure; ten seconds to undo.",
      },
      dispatch: {
        title: "Dispatch",
        text: "Two vehicles and a drone are proposed by travel time. Dispatch orders them; once acknowledged they move, with their trails live on the map.",
      },
      close: {
        title: "Close",
        text: "A case is filed, dispatched, handled, verified and closed. Handling needs a photo, verification another person. Each verdict counts into the precision of its camera and algorithm.",
      },
    },
  },
};
