import { useEffect, useRef, useState } from "react";
import { useResource } from "../api/resource";
import type { Category } from "../api/types";
import { Drawn } from "../components/Panel";
import { useWords } from "../i18n";
import { clockTime } from "../i18n/time";
import { useMe } from "../state/session";
import { flush, keep, type Photo, useOutbox } from "./outbox";
import { type Pin, PinMap } from "./PinMap";
import { newKey, takePhoto } from "./photo";
import type { Fix } from "./usePosition";

const TILES = 6;
const FIRST = ["01002", "01081", "01005", "04002", "04080", "05001"];

/** Kinds in the order a worker meets them: the six large tiles first. */
export function ordered(categories: readonly Category[]): Category[] {
  return [...categories].sort((a, b) => {
    const [x, y] = [FIRST.indexOf(a.code), FIRST.indexOf(b.code)];
    if (x >= 0 && y >= 0) return x - y;
    return x >= 0 ? -1 : y >= 0 ? 1 : a.code.localeCompare(b.code);
  });
}

/** After the camera: kind, pin, send. It is kept on the phone first, then sent. */
export function Report({ first, fix, onClose }: { first: Photo; fix: Fix; onClose: () => void }) {
  const { t, pick } = useWords();
  const me = useMe();
  const outbox = useOutbox(me.id ?? 0);
  const categories = useResource<Category[]>("/categories");
  const key = useRef(newKey());
  const more = useRef<HTMLInputElement>(null);
  const [photos, setPhotos] = useState<Photo[]>([first]);
  const [kind, setKind] = useState<Category | null>(null);
  const [pin, setPin] = useState<Pin | null>(null);
  const [note, setNote] = useState("");
  const [all, setAll] = useState(false);
  const [kept, setKept] = useState(false);

  const send = async () => {
    if (!kind || !pin) return;
    await keep({
      key: key.current,
      category: kind.code,
      title: pick(kind.name, kind.name_en),
      lon: pin.lon,
      lat: pin.lat,
      accuracy: pin.accuracy,
      recordedAt: new Date().toISOString(),
      note,
      photos,
      refusal: null,
      owner: me.id ?? 0,
    });
    setKept(true);
    void navigator.storage?.persist?.();
    void flush(me.id ?? 0);
  };

  if (kept) {
    const waits = outbox.waiting.find((report) => report.key === key.current);
    return (
      <Done
        number={waits ? null : (outbox.last?.case.number ?? null)}
        refusal={waits?.refusal ?? null}
        onClose={onClose}
      />
    );
  }
  return (
    <section className="field-sheet field-reporting" data-testid="report-sheet">
      <header>
        <button type="button" className="field-back" onClick={onClose}>
          ‹ {t("i18n.cancel")}
        </button>
        <span className="muted num">
          {t("field.photoTaken", { time: clockTime(first.takenAt) })}
          {first.sha256 && ` · ${t("field.fingerprint", { hash: first.sha256.slice(0, 8) })}`}
        </span>
      </header>
      <div className="field-scroll">
        <div className="field-shots">
          {photos.map((photo) => (
            <Shot key={photo.takenAt + photo.sha256} photo={photo} />
          ))}
          <button type="button" className="field-shot-more" onClick={() => more.current?.click()}>
            + {t("field.addPhoto")}
          </button>
          <input
            ref={more}
            className="sr-only"
            type="file"
            accept="image/*"
            capture="environment"
            tabIndex={-1}
            aria-label={t("field.addPhoto")}
            onChange={async (event) => {
              const file = event.target.files?.[0];
              event.target.value = "";
              if (file) {
                const photo = await takePhoto(file);
                setPhotos((old) => [...old, photo].slice(0, 12));
              }
            }}
          />
        </div>
        <h2>{t("field.kind")}</h2>
        <Drawn reading={categories}>
          {(list) => (
            <div className="field-kinds">
              {(all ? ordered(list) : ordered(list).slice(0, TILES)).map((item) => (
                <button
                  key={item.code}
                  type="button"
                  aria-pressed={kind?.code === item.code}
                  data-testid={`kind-${item.code}`}
                  onClick={() => setKind(item)}
                >
                  {pick(item.name, item.name_en)}
                </button>
              ))}
              {!all && (
                <button type="button" className="field-kinds-more" data-testid="kind-more" onClick={() => setAll(true)}>
                  {t("field.more")}…
                </button>
              )}
            </div>
          )}
        </Drawn>
        <h2>{t("field.where")}</h2>
        <PinMap fix={fix} home={me.home ?? null} onPin={setPin} />
        <textarea
          className="field-input"
          rows={2}
          maxLength={2000}
          placeholder={t("field.note")}
          aria-label={t("field.note")}
          value={note}
          onChange={(event) => setNote(event.target.value)}
        />
      </div>
      <footer>
        <button
          type="button"
          className="btn btn-primary field-big"
          disabled={!kind || !pin}
          data-testid="send"
          onClick={() => void send()}
        >
          {t("field.send")}
        </button>
      </footer>
    </section>
  );
}

function Shot({ photo }: { photo: Photo }) {
  const { t } = useWords();
  const [url, setUrl] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(photo.blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [photo]);
  return url ? <img src={url} alt={t("field.photos")} /> : null;
}

function Done({ number, refusal, onClose }: { number: string | null; refusal: string | null; onClose: () => void }) {
  const { t } = useWords();
  return (
    <section className="field-sheet field-done" data-testid="report-done">
      <strong>{refusal ? t("field.refused") : number ? t("field.sent") : t("field.kept")}</strong>
      {number && <span className="num">{t("field.sentCase", { number })}</span>}
      {refusal && <span role="alert">{refusal}</span>}
      <button type="button" className="btn btn-primary field-big" data-testid="done" onClick={onClose}>
        {t("field.confirm")}
      </button>
    </section>
  );
}
