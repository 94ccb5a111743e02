import { Component, type ComponentType, lazy, type ReactNode, Suspense, useEffect, useLayoutEffect } from "react";
import { Failed, Skeleton } from "./components/Panel";
import { useWords } from "./i18n";
import { go, usePlace } from "./state/location";
import { homeOf, readSession, useSession } from "./state/session";

/** A face is a folder with a `face.tsx` whose default export is its component; its path is the folder's name. */
const FACES = Object.fromEntries(
  Object.entries(import.meta.glob<{ default: ComponentType }>("./*/face.tsx")).map(([path, load]) => [
    path.split("/")[1] ?? path,
    lazy(load),
  ]),
);
const DARK = new Set(["wall", "login"]);

/** One screen's error stays on that screen and says so. */
class Guard extends Component<{ children: ReactNode; name: string }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  override render() {
    return this.state.error ? <Broken error={this.state.error} /> : this.props.children;
  }
}

function Broken({ error }: { error: Error }) {
  const { t } = useWords();
  return (
    <main className="panel-state" role="alert">
      <strong>{t("i18n.faceFailed")}</strong>
      <span>{error.message}</span>
      <button type="button" className="btn" onClick={() => window.location.reload()}>
        {t("i18n.retry")}
      </button>
    </main>
  );
}

function Missing() {
  const { t } = useWords();
  return (
    <main className="panel-state">
      <strong>{t("i18n.noPage")}</strong>
      <button type="button" className="btn" onClick={() => go("/")}>
        {t("i18n.home")}
      </button>
    </main>
  );
}

export function App() {
  const { path } = usePlace();
  const { t } = useWords();
  const session = useSession();
  const name = path.split("/")[1] ?? "";
  const signedIn = session.state === "ready" && session.me.signed_in;

  useLayoutEffect(() => {
    document.documentElement.dataset.face = name;
    document.documentElement.dataset.theme = DARK.has(name) ? "dark" : "light";
    document.title = `${t("i18n.product")} · ${t("i18n.subtitle")}`;
  }, [name, t]);

  useEffect(() => {
    if (session.state !== "ready") return;
    const here = window.location.pathname + window.location.search;
    if (!session.me.signed_in && name !== "login") {
      go(name === "" ? "/login" : `/login?next=${encodeURIComponent(here)}`, "replace");
    } else if (session.me.signed_in && name === "") go(homeOf(session.me), "replace");
  }, [session, name]);

  if (session.state === "failed") {
    return (
      <main>
        <Failed problem={session.problem} retry={() => void readSession()} />
      </main>
    );
  }
  if (session.state === "loading") return <Skeleton rows={4} />;
  if (!signedIn && name !== "login") return <Skeleton rows={4} />;
  const Face = FACES[name];
  if (!Face) return name === "" ? <Skeleton rows={4} /> : <Missing />;
  return (
    <Guard key={name} name={name}>
      <Suspense fallback={<Skeleton rows={4} />}>
        <Face />
      </Suspense>
    </Guard>
  );
}
