import { type FormEvent, useState } from "react";
import { post } from "../api/client";
import { Problem } from "../api/problem";
import type { Reading } from "../api/resource";
import type { Detector, Zone } from "../api/types";
import { Drawn, Skeleton } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { TextRow } from "../components/TextRow";
import { useWords } from "../i18n";
import type { Position as Pair } from "../map/measure";
import { type Purpose, shapeOf, whole } from "./shapes";

const PURPOSES = ["forbidden", "crowd", "count"] as const;
const DAYS = [1, 2, 3, 4, 5, 6, 7] as const;

/** What a zone is for: its name, purpose, algorithm with classes, limits and hours. The shape is drawn beside it. */
export function ZoneForm({
  of,
  detectors,
  cameraId,
  corners,
  purpose,
  onPurpose,
  pen,
  onPen,
  onTakeBack,
  onSaved,
  onRemoved,
  onCancel,
}: {
  of: Zone | null;
  detectors: Reading<Detector[]>;
  /** Null: on the map. */
  cameraId: number | null;
  corners: readonly Pair[];
  purpose: Purpose;
  onPurpose: (purpose: Purpose) => void;
  pen: "none" | "draw" | "edit";
  onPen: (pen: "draw" | "edit") => void;
  onTakeBack: () => void;
  onSaved: (zone: Zone) => void;
  onRemoved: () => void;
  onCancel: () => void;
}) {
  const { t, pick, kind } = useWords();
  const [wanted, setWanted] = useState(of?.detector ?? "boats");
  const [classes, setClasses] = useState<readonly string[]>(of?.classes ?? []);
  const [days, setDays] = useState<readonly number[]>(of?.days ?? DAYS);
  const [busy, setBusy] = useState(false);
  const [sure, setSure] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  /** Groups of things cannot be counted one by one. */
  const fits = (one: Detector) => purpose === "forbidden" || !one.gathers;
  const chosen = detectors.resource.data?.find((each) => each.id === wanted);
  const detector = chosen && !fits(chosen) ? "persons" : wanted;
  const known = detectors.resource.data?.find((each) => each.id === detector);
  const every = Object.keys(known?.kinds ?? {});
  /** Models spell a class as they like (person, Person): people see it once. */
  const names = every.filter((name, i) => every.findIndex((each) => kind(each) === kind(name)) === i);
  const spelt = (name: string) => every.filter((each) => kind(each) === kind(name));
  const toggle = <T,>(list: readonly T[], one: T): T[] =>
    list.includes(one) ? list.filter((each) => each !== one) : [...list, one];

  const run = async (work: () => Promise<void>) => {
    setBusy(true);
    setProblem(null);
    try {
      await work();
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
      setBusy(false);
    }
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const text = (name: string) => String(given.get(name) ?? "");
    const body = {
      name: text("name"),
      purpose,
      detector,
      classes,
      camera_id: cameraId,
      shape: shapeOf(corners, purpose),
      least: Number(text("least") || 1),
      min_dwell_s: Number(text("dwell") || 0),
      days,
      from_time: text("from") || null,
      until_time: text("until") || null,
      enabled: given.get("enabled") === "on",
    };
    void run(async () => {
      const path = of ? `/zones/${of.id}` : "/zones";
      onSaved(await post<Zone>(path, of ? { ...body, version: of.version } : body, undefined, of ? "PUT" : "POST"));
    });
  };
  const remove = () =>
    run(async () => {
      if (of) await post<Zone>(`/zones/${of.id}?version=${of.version}`, {}, undefined, "DELETE");
      onRemoved();
    });
  const hint =
    pen === "edit"
      ? "edit"
      : cameraId === null
        ? purpose === "count"
          ? "mapLine"
          : "map"
        : purpose === "count"
          ? "line"
          : "polygon";

  return (
    <form className="zone-form" onSubmit={submit} data-testid="zone-form">
      <h2>{t(of ? "zones.change" : "zones.add")}</h2>
      <TextRow
        label={t("zones.name")}
        name="name"
        required
        maxLength={80}
        placeholder={t("zones.nameExample")}
        defaultValue={of?.name}
        testId="zone-name"
      />
      <div className="zone-choices" role="group" aria-label={t("zones.purpose")}>
        {PURPOSES.map((each) => (
          <button
            key={each}
            type="button"
            className="btn"
            aria-pressed={each === purpose}
            data-testid={`zone-${each}`}
            onClick={() => onPurpose(each)}
          >
            {t(`zones.purposes.${each}`)}
          </button>
        ))}
      </div>
      <p role="status" className="zone-hint" data-testid="zone-hint">
        {pen === "none" ? t("zones.corners", { n: corners.length }) : t(`zones.hint.${hint}`)}
      </p>
      <div className="zone-choices">
        <button
          type="button"
          className="btn"
          aria-pressed={pen === "draw"}
          data-testid="zone-draw"
          onClick={() => onPen("draw")}
        >
          {t(corners.length > 0 ? "zones.redraw" : "zones.draw")}
        </button>
        {pen === "draw" && cameraId !== null && (
          <>
            <button
              type="button"
              className="btn"
              disabled={!whole(corners, purpose)}
              data-testid="zone-finish"
              onClick={() => onPen("edit")}
            >
              {t("zones.finish")}
            </button>
            <button
              type="button"
              className="btn btn-quiet"
              disabled={corners.length === 0}
              data-testid="zone-take-back"
              onClick={onTakeBack}
            >
              {t("zones.takeBack")}
            </button>
          </>
        )}
      </div>
      {corners.length > 2 && purpose !== "count" && !whole(corners, purpose) && (
        <p className="card-problem" role="alert">
          {t("zones.crossing")}
        </p>
      )}
      <Drawn reading={detectors} skeleton={<Skeleton rows={1} />}>
        {(all) => (
          <label>
            {t("zones.detector")}
            <select
              className="field-input"
              value={detector}
              data-testid="zone-detector"
              onChange={(event) => {
                setWanted(event.target.value);
                setClasses([]);
              }}
            >
              {all.filter(fits).map((each) => (
                <option key={each.id} value={each.id}>
                  {pick(each.title, each.title_en)}
                </option>
              ))}
            </select>
            {known && !known.available && <small className="card-problem">{t("zones.noWeights")}</small>}
          </label>
        )}
      </Drawn>
      {names.length > 1 && (
        <fieldset className="zone-classes">
          <legend>{t("zones.classes")}</legend>
          {names.map((name) => (
            <label key={name}>
              <input
                type="checkbox"
                checked={classes.includes(name)}
                onChange={() => setClasses(spelt(name).reduce<readonly string[]>(toggle, classes))}
              />
              {kind(name)}
            </label>
          ))}
        </fieldset>
      )}
      <div className="zone-pair">
        {purpose === "crowd" && (
          <TextRow
            label={t("zones.least")}
            name="least"
            type="number"
            min={1}
            max={1000}
            defaultValue={of?.least ?? 8}
          />
        )}
        {purpose !== "count" && (
          <TextRow
            label={t("zones.dwell")}
            name="dwell"
            type="number"
            min={0}
            max={86400}
            defaultValue={of?.min_dwell_s ?? 10}
            testId="zone-dwell"
          />
        )}
      </div>
      <fieldset className="zone-days">
        <legend>{t("zones.days")}</legend>
        {DAYS.map((day) => (
          <label key={day}>
            <input type="checkbox" checked={days.includes(day)} onChange={() => setDays(toggle(days, day))} />
            {t(`zones.weekdays.${day}`)}
          </label>
        ))}
      </fieldset>
      <div className="zone-pair">
        <TextRow label={t("zones.from")} name="from" type="time" defaultValue={of?.from_time?.slice(0, 5)} />
        <TextRow label={t("zones.until")} name="until" type="time" defaultValue={of?.until_time?.slice(0, 5)} />
      </div>
      <small className="muted">{t("zones.wholeDay")}</small>
      <label className="zone-enabled">
        <input type="checkbox" name="enabled" defaultChecked={of?.enabled ?? true} />
        {t("zones.enabled")}
      </label>
      <ProblemLine problem={problem} testId="zone-problem" />
      <div className="zone-choices">
        <button
          type="submit"
          className="btn btn-primary"
          disabled={busy || detectors.resource.data === null || days.length === 0 || !whole(corners, purpose)}
          data-testid="zone-save"
        >
          {t("zones.save")}
        </button>
        <button type="button" className="btn btn-quiet" onClick={onCancel}>
          {t("i18n.cancel")}
        </button>
        {of && (
          <button
            type="button"
            className="btn btn-quiet zone-remove"
            disabled={busy}
            data-testid="zone-remove"
            onClick={() => (sure ? void remove() : setSure(true))}
          >
            {t(sure ? "zones.removeSure" : "zones.remove")}
          </button>
        )}
      </div>
    </form>
  );
}
