import type { Position } from "geojson";
import { type FormEvent, useState } from "react";
import { post } from "../api/client";
import { Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { Rule, Subscription } from "../api/types";
import { Drawn, Skeleton } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { TextRow } from "../components/TextRow";
import { useWords } from "../i18n";
import { formatArea } from "../map/units";
import { areaOf, crosses } from "./areas";

const FORMATS = ["cloudevents", "cap", "cot"] as const;
const SEVERITIES = ["1", "2", "3", "4"] as const;

/** Who is told of what: the area is drawn on the map beside it. */
export function SubscriptionForm({
  of,
  hosts,
  ring,
  drawing,
  onDraw,
  onKeep,
  onClear,
  onClose,
  onSaved,
}: {
  of: Subscription | null;
  hosts: readonly string[];
  /** It stays until a new one is drawn. */
  ring: Position[] | null;
  drawing: boolean;
  onDraw: () => void;
  onKeep: () => void;
  onClear: () => void;
  onClose: () => void;
  onSaved: (saved: Subscription, fresh: boolean) => void;
}) {
  const { t, pick, tongue } = useWords();
  const rules = useResource<Rule[]>("/rules");
  const [format, setFormat] = useState<Subscription["format"]>(of?.format ?? "cloudevents");
  const [kinds, setKinds] = useState<readonly string[]>(of?.kinds ?? []);
  const [named, setNamed] = useState(of?.secret != null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const crossing = ring !== null && crosses(ring);
  const signs = format !== "cot";

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const said = new FormData(event.currentTarget);
    const text = (name: string) => String(said.get(name) ?? "").trim();
    const plan = {
      title: text("title"),
      format,
      address: text("address"),
      secret: signs && named ? text("secret") : null,
      events: of?.events ?? ["alert.*"],
      kinds,
      severity: Number(text("severity")),
      area: ring === null ? null : { type: "Polygon", coordinates: [ring] },
      active: of?.active ?? true,
    };
    setBusy(true);
    try {
      const path = of ? `/subscriptions/${of.id}` : "/subscriptions";
      const saved = await post<Subscription>(path, plan, undefined, of ? "PUT" : "POST");
      onSaved(saved, of === null || of.format === "cot" || of.secret !== null);
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
      setBusy(false);
    }
  };

  return (
    <form className="subscription-form" onSubmit={(event) => void submit(event)} data-testid="subscription-form">
      <h2>{t(of ? "subscriptions.change" : "subscriptions.add")}</h2>
      <TextRow
        label={t("subscriptions.title")}
        name="title"
        required
        maxLength={200}
        placeholder={t("subscriptions.titleExample")}
        defaultValue={of?.title}
        testId="subscription-title"
      />
      <fieldset>
        <legend>{t("subscriptions.area")}</legend>
        <p className="subscription-area" role="status" data-testid="subscription-area">
          <strong>{ring ? formatArea(areaOf(ring), tongue) : t("subscriptions.whole")}</strong>
          {crossing && <span className="card-problem">{t("subscriptions.crossing")}</span>}
        </p>
        <div className="subscription-actions">
          <button type="button" className="btn" aria-pressed={drawing} onClick={onDraw} data-testid="subscription-draw">
            {t(ring ? "subscriptions.redraw" : "subscriptions.draw")}
          </button>
          {drawing && ring !== null && (
            <button type="button" className="btn btn-quiet" onClick={onKeep} data-testid="subscription-keep">
              {t("subscriptions.keep")}
            </button>
          )}
          {(ring !== null || drawing) && (
            <button type="button" className="btn btn-quiet" onClick={onClear}>
              {t("subscriptions.clear")}
            </button>
          )}
        </div>
        {drawing && <small className="muted">{t("subscriptions.drawHint")}</small>}
      </fieldset>
      <label>
        {t("subscriptions.format")}
        <select
          className="field-input"
          value={format}
          data-testid="subscription-format"
          onChange={(event) => setFormat(event.target.value as Subscription["format"])}
        >
          {FORMATS.map((each) => (
            <option key={each} value={each}>
              {t(`subscriptions.formats.${each}`)}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t("subscriptions.address")}
        <input
          className="field-input"
          name="address"
          required
          maxLength={500}
          placeholder={signs ? "https://…" : "tcp://…"}
          defaultValue={of?.address}
          data-testid="subscription-address"
        />
        <small className="muted">{t("subscriptions.hosts", { hosts: hosts.join(", ") })}</small>
      </label>
      {signs && (
        <fieldset>
          <legend>{t("subscriptions.secret")}</legend>
          <label className="subscription-choice">
            <input type="radio" checked={!named} onChange={() => setNamed(false)} />
            {t("subscriptions.made")}
          </label>
          <label className="subscription-choice">
            <input type="radio" checked={named} onChange={() => setNamed(true)} />
            {t("subscriptions.named")}
          </label>
          {named && (
            <TextRow
              label={t("subscriptions.secretName")}
              name="secret"
              required
              pattern="[A-Z][A-Z0-9_]*"
              maxLength={40}
              defaultValue={of?.secret ?? ""}
            />
          )}
        </fieldset>
      )}
      <label>
        {t("subscriptions.severity")}
        <select className="field-input" name="severity" defaultValue={String(of?.severity ?? 4)}>
          {SEVERITIES.map((each) => (
            <option key={each} value={each}>
              {t(`subscriptions.severities.${each}`)}
            </option>
          ))}
        </select>
      </label>
      <fieldset>
        <legend>{t("subscriptions.kinds")}</legend>
        <Drawn reading={rules} skeleton={<Skeleton rows={2} height="2rem" />}>
          {(all) => (
            <div className="subscription-kinds">
              {all.map((rule) => (
                <button
                  key={rule.id}
                  type="button"
                  className="btn"
                  aria-pressed={kinds.includes(rule.kind)}
                  data-testid={`kind-${rule.kind}`}
                  onClick={() =>
                    setKinds((old) =>
                      old.includes(rule.kind) ? old.filter((each) => each !== rule.kind) : [...old, rule.kind],
                    )
                  }
                >
                  {pick(rule.title, rule.title_en)}
                </button>
              ))}
            </div>
          )}
        </Drawn>
      </fieldset>
      <ProblemLine problem={problem} />
      <div className="subscription-actions">
        <button
          type="submit"
          className="btn btn-primary"
          disabled={busy || crossing || drawing || rules.resource.data === null}
          data-testid="subscription-save"
        >
          {t("subscriptions.save")}
        </button>
        <button type="button" className="btn btn-quiet" onClick={onClose}>
          {t("i18n.cancel")}
        </button>
      </div>
    </form>
  );
}
