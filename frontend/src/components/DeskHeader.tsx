import type { ReactNode } from "react";
import { useStream } from "../api/events";
import { speak, useWords } from "../i18n";
import { go, usePlace } from "../state/location";
import { may, signOut, useMe } from "../state/session";
import { SimulatedTag } from "./Severity";
import "./desk.css";

/** The faces a person may go to. */
function faces(me: ReturnType<typeof useMe>): string[] {
  const found = ["wall", "review"];
  if (may(me, "report")) found.push("field");
  if (["data_admin", "algorithm_operator", "system_admin", "auditor"].includes(me.role ?? "")) found.push("admin");
  return found;
}

/** The quiet top line of desk faces: product, faces, what the face itself puts there, stream, person. */
export function DeskHeader({ children }: { children?: ReactNode }) {
  const { t, tongue } = useWords();
  const me = useMe();
  const { path } = usePlace();
  const { health } = useStream();
  return (
    <header className="desk-header">
      <span className="desk-brand">
        <img src="/favicon.svg" alt="" />
        <strong>{t("i18n.product")}</strong>
      </span>
      <nav aria-label={t("i18n.product")}>
        {faces(me).map((face) => (
          <button
            key={face}
            type="button"
            className="desk-face"
            aria-current={path === `/${face}` ? "page" : undefined}
            onClick={() => go(`/${face}`)}
          >
            {t(`i18n.face.${face}`)}
          </button>
        ))}
      </nav>
      <div className="desk-middle">{children}</div>
      <span
        className={`desk-stream desk-stream-${health}`}
        role="status"
        data-testid="stream-health"
        data-health={health}
      >
        <i /> {t(`components.stream.${health}`)}
      </span>
      {me.simulated && <SimulatedTag />}
      <span className="desk-person" title={me.region_name ?? ""}>
        {me.name} <small className="muted">{t(`i18n.role.${me.role}`)}</small>
      </span>
      <button type="button" className="btn btn-quiet" onClick={() => speak(tongue === "zh" ? "en" : "zh")}>
        {tongue === "zh" ? "EN" : "中"}
      </button>
      <button type="button" className="btn btn-quiet" onClick={() => void signOut()} data-testid="sign-out">
        {t("i18n.signOut")}
      </button>
    </header>
  );
}
