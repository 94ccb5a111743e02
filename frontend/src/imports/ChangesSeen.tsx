import type { ImportJob } from "../api/types";
import { useWords } from "../i18n";
import { cell, columns, count } from "./figures";

type Changes = NonNullable<ImportJob["changes"]>;
const COUNTS = ["new", "changed", "removed", "unchanged", "kept"] as const;

/** What storing would do: five counts, and a few features before and after. */
export function ChangesSeen({ changes, crs }: { changes: Changes; crs: string | null }) {
  const { t } = useWords();
  const shown = columns(changes.examples);
  return (
    <div className="changes" data-testid="changes">
      <dl>
        {COUNTS.map((each) => (
          <div key={each} className={`change-${each}`} data-testid={`change-${each}`}>
            <dt>{t(`imports.changes.${each}`)}</dt>
            <dd className="num">{count(changes[each])}</dd>
          </div>
        ))}
      </dl>
      <p className="muted">{t("imports.changesHint", { crs: crs ?? "—" })}</p>
      {changes.examples.length > 0 && (
        <div className="table-frame">
          <table aria-label={t("imports.examples")}>
            <thead>
              <tr>
                <th scope="col">{t("imports.change")}</th>
                {shown.map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {changes.examples.map((example, index) => (
                <tr key={`${example.kind}${example.key ?? index}`}>
                  <td className={`change-${example.kind}`}>{t(`imports.changes.${example.kind}`)}</td>
                  {shown.map((name) => (
                    <td key={name} title={cell(example.after?.[name] ?? example.before?.[name])}>
                      <Value before={example.before?.[name]} after={example.after?.[name]} kind={example.kind} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}

function Value({ before, after, kind }: { before: unknown; after: unknown; kind: string }) {
  if (kind === "new") return <>{cell(after)}</>;
  if (kind === "removed") return <del>{cell(before)}</del>;
  if (cell(before) === cell(after)) return <>{cell(after)}</>;
  return (
    <>
      <del className="muted">{cell(before)}</del> <ins>{cell(after)}</ins>
    </>
  );
}
