import i18next from "i18next";
import { initReactI18next, useTranslation } from "react-i18next";
import { side } from "./side";

/** Words of one folder: the same tree of keys in both languages. */
export interface Words {
  zh: WordTree;
  en: WordTree;
}
export interface WordTree {
  [key: string]: string | WordTree;
}

/** Every folder keeps its own words in `words.ts`; its folder name is the first part of each key (`wall.dispatch`). */
export const WORDS: Record<string, Words> = Object.fromEntries(
  Object.entries(import.meta.glob<{ words: Words }>("../*/words.ts", { eager: true })).map(([path, module]) => [
    path === "./words.ts" ? "i18n" : (path.split("/")[1] ?? path),
    module.words,
  ]),
);

export type Tongue = "zh" | "en";
const KEPT = "hdq.language";

function resources(tongue: Tongue): Record<string, WordTree> {
  return Object.fromEntries(Object.entries(WORDS).map(([folder, words]) => [folder, words[tongue]]));
}

export function tongue(): Tongue {
  return i18next.language === "en" ? "en" : "zh";
}

export function speak(to: Tongue): void {
  window.localStorage.setItem(KEPT, to);
  document.documentElement.lang = to === "zh" ? "zh-CN" : "en";
  void i18next.changeLanguage(to);
}

/** Start in the language kept from last time; zh-CN otherwise. Resources are bundled, so this is synchronous in effect. */
export function startWords(): void {
  const kept = window.localStorage.getItem(KEPT) === "en" ? "en" : "zh";
  document.documentElement.lang = kept === "zh" ? "zh-CN" : "en";
  void i18next.use(initReactI18next).init({
    lng: kept,
    fallbackLng: "zh",
    initAsync: false,
    interpolation: { escapeValue: false },
    resources: { zh: { translation: resources("zh") }, en: { translation: resources("en") } },
  });
}

/** `t` for words of the client, `pick` for the pair of texts that the server sends (`title`, `title_en`). */
export function useWords() {
  const { t, i18n } = useTranslation();
  const now: Tongue = i18n.language === "en" ? "en" : "zh";
  return {
    t: (key: string, values?: Record<string, string | number>): string => t(key, values ?? {}),
    tongue: now,
    /** The half of a `中文 · English` sentence of the server that is in the language now. */
    side: (text: string): string => side(text, now),
    /** The name of an event kind, an analysis or a class of a model in any case of letters; what has none is shown as it is. */
    kind: (id: string): string => t(`i18n.kinds.${id.toLowerCase()}`, { defaultValue: id }),
    pick: (zh: string, en: string | null | undefined): string => (now === "en" && en ? en : zh),
  };
}
