import "@fontsource/noto-sans-sc/400.css";
import "@fontsource/noto-sans-sc/500.css";
import "@fontsource/noto-sans-sc/600.css";
import "./theme/base.css";
import "./state/marks";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { startWords } from "./i18n";
import { readSession } from "./state/session";

startWords();
void readSession();
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(<App />);
