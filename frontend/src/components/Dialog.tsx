import { type ReactNode, useEffect, useRef } from "react";
import { useWords } from "../i18n";
import "./dialog.css";

/** A modal of the browser's own `<dialog>`: focus stays inside, Escape closes. */
export function Dialog({
  title,
  onClose,
  children,
  testId,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
  testId?: string;
}) {
  const { t } = useWords();
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!element.current?.open) element.current?.showModal();
  }, []);
  return (
    <dialog ref={element} className="dialog" onClose={onClose} data-testid={testId} aria-label={title}>
      <header className="panel-head">
        <h2>{title}</h2>
        <button type="button" className="btn btn-quiet" onClick={onClose} aria-label={t("i18n.close")}>
          ✕
        </button>
      </header>
      <div className="dialog-body">{children}</div>
    </dialog>
  );
}
