import { type FormEvent, useState } from "react";
import { post } from "../api/client";
import { Problem } from "../api/problem";
import type { Connection, ConnectionList, ConnectionSeen } from "../api/types";
import { Dialog } from "../components/Dialog";
import { ProblemLine } from "../components/ProblemLine";
import { TextRow } from "../components/TextRow";
import { useWords } from "../i18n";
import { FrameRow } from "../imports/FrameRow";
import { PERIODS } from "./periods";

/** Where the source is, a look at what it offers, then what shall become of it. */
export function NewConnection({
  kinds,
  hosts,
  onClose,
  onMade,
}: {
  kinds: ConnectionList["kinds"];
  hosts: readonly string[];
  onClose: () => void;
  onMade: (made: Connection) => void;
}) {
  const { t, pick } = useWords();
  const [kind, setKind] = useState(kinds[0]?.kind ?? "");
  const [address, setAddress] = useState("");
  const [secret, setSecret] = useState("");
  const [collection, setCollection] = useState("");
  const [title, setTitle] = useState("");
  const [mode, setMode] = useState<"replace" | "upsert">("replace");
  const [seen, setSeen] = useState<ConnectionSeen | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const scheme = kinds.find((each) => each.kind === kind)?.schemes[0] ?? "https";

  const attempt = async (work: () => Promise<void>) => {
    setBusy(true);
    try {
      await work();
      setProblem(null);
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    }
    setBusy(false);
  };
  const check = (chosen: string) =>
    attempt(async () => {
      setSeen(null);
      setSeen(
        await post<ConnectionSeen>("/connections/check", { kind, address, collection: chosen, secret: secret || null }),
      );
    });
  const choose = (chosen: string) => {
    setCollection(chosen);
    const offered = seen?.collections.find((each) => each.id === chosen);
    if (offered) {
      if (!title) setTitle(offered.title.slice(0, 120));
      void check(chosen);
    }
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const said = new FormData(event.currentTarget);
    const text = (name: string) => String(said.get(name) ?? "").trim() || null;
    void attempt(async () => {
      const every = Number(said.get("every"));
      const plan = { kind, address, collection, title, mode, secret: secret || null, every_minutes: every };
      onMade(await post<Connection>("/connections", { ...plan, key: text("key"), frame: text("frame") }));
    });
  };

  return (
    <Dialog title={t("connections.add")} onClose={onClose} testId="connection-dialog">
      <form className="new-connection" onSubmit={submit} data-testid="new-connection">
        <div className="connection-pair">
          <label>
            {t("connections.kind")}
            <select
              className="field-input"
              value={kind}
              data-testid="connection-kind"
              onChange={(event) => {
                setKind(event.target.value);
                setSeen(null);
              }}
            >
              {kinds.map((each) => (
                <option key={each.kind} value={each.kind}>
                  {pick(each.title, each.title_en)}
                </option>
              ))}
            </select>
          </label>
          <TextRow
            label={t("connections.secret")}
            pattern="[A-Z][A-Z0-9_]*"
            maxLength={40}
            value={secret}
            title={t("connections.secretHint")}
            onChange={(event) => setSecret(event.target.value)}
          />
        </div>
        <label>
          {t("connections.address")}
          <span className="connection-address">
            <input
              className="field-input"
              required
              maxLength={500}
              placeholder={`${scheme}://…`}
              value={address}
              data-testid="connection-address"
              onChange={(event) => {
                setAddress(event.target.value);
                setSeen(null);
              }}
            />
            <button
              type="button"
              className="btn"
              disabled={busy || !address}
              onClick={() => void check(collection)}
              data-testid="connection-check"
            >
              {t(busy ? "connections.checking" : "connections.check")}
            </button>
          </span>
          <small className="muted">{t("connections.addressHint", { hosts: hosts.join(", ") })}</small>
        </label>
        <label>
          {t("connections.collection")}
          <input
            className="field-input"
            required
            maxLength={200}
            list="connection-collections"
            placeholder={t("connections.chooseCollection")}
            value={collection}
            data-testid="connection-collection"
            onChange={(event) => choose(event.target.value)}
          />
          <datalist id="connection-collections">
            {seen?.collections.map((each) => (
              <option key={each.id} value={each.id}>
                {each.title}
              </option>
            ))}
          </datalist>
          {seen && <small className="muted">{t("connections.offered", { n: seen.collections.length })}</small>}
        </label>
        {seen?.frame && <Sample seen={seen} />}
        <TextRow
          label={t("connections.name")}
          required
          maxLength={120}
          value={title}
          testId="connection-title"
          onChange={(event) => setTitle(event.target.value)}
        />
        <div className="connection-pair">
          <label>
            {t("connections.mode")}
            <select
              className="field-input"
              value={mode}
              onChange={(event) => setMode(event.target.value === "upsert" ? "upsert" : "replace")}
            >
              <option value="replace">{t("connections.modes.replace")}</option>
              <option value="upsert">{t("connections.modes.upsert")}</option>
            </select>
          </label>
          <TextRow
            label={t("connections.key")}
            name="key"
            maxLength={120}
            required={mode === "upsert"}
            title={t("connections.keyHint")}
            testId="connection-key"
          />
          <FrameRow name="frame" label={t("connections.frame")} none={t("connections.asSource")} />
          <label>
            {t("connections.every")}
            <select className="field-input" name="every" defaultValue="1440">
              {PERIODS.map((minutes) => (
                <option key={minutes} value={minutes}>
                  {t(`connections.periods.${minutes}`)}
                </option>
              ))}
            </select>
          </label>
        </div>
        <ProblemLine problem={problem} testId="connection-problem" />
        <button type="submit" className="btn btn-primary" disabled={busy} data-testid="connection-save">
          {t("connections.save")}
        </button>
      </form>
    </Dialog>
  );
}

function Sample({ seen }: { seen: ConnectionSeen }) {
  const { t } = useWords();
  const rows = seen.sample.map((each) => (each.properties ?? {}) as Record<string, unknown>);
  const names = [...new Set(rows.flatMap((each) => Object.keys(each)))].slice(0, 6);
  const count =
    seen.features === null
      ? t("connections.unknownCount")
      : t("connections.features", { n: seen.features.toLocaleString("en-US") });
  return (
    <div className="connection-sample" data-testid="connection-sample">
      <strong>{t("connections.seen", { frame: seen.frame ?? "", n: count })}</strong>
      <div className="table-frame">
        <table aria-label={t("connections.sample")}>
          <thead>
            <tr>
              {names.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((each, number) => (
              <tr key={`${number}-${String(each[names[0] ?? ""])}`}>
                {names.map((name) => (
                  <td key={name}>{each[name] === null || each[name] === undefined ? "—" : String(each[name])}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
