import type { Position } from "geojson";
import { useMemo, useState } from "react";
import { intention, post, raw } from "../api/client";
import { Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { Subscription, SubscriptionList } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { ProblemLine } from "../components/ProblemLine";
import { useWords } from "../i18n";
import { may, useMe } from "../state/session";
import { AreaMap } from "./AreaMap";
import { areasOf, type Box, boxOf, ringOf } from "./areas";
import { Deliveries } from "./Deliveries";
import { SecretOnce } from "./SecretOnce";
import { SubscriptionCard } from "./SubscriptionCard";
import { SubscriptionForm } from "./SubscriptionForm";
import "./subscriptions.css";

/** Who is told of what happens where: areas on the map, how the telling goes, and making a new one. */
export function SubscriptionsTab() {
  const { t } = useWords();
  const me = useMe();
  if (!may(me, "import")) return <Empty title={t("subscriptions.forbidden")} hint={t("subscriptions.forbiddenHint")} />;
  return <Subscriptions />;
}

type Edited = { of: Subscription | null; key: string };

function Subscriptions() {
  const { t } = useWords();
  const list = useResource<SubscriptionList>("/subscriptions", {}, 10);
  const [chosen, setChosen] = useState<number | null>(null);
  const [edited, setEdited] = useState<Edited | null>(null);
  const [ring, setRing] = useState<Position[] | null>(null);
  const [drawing, setDrawing] = useState(false);
  const [focus, setFocus] = useState<Box | null>(null);
  const [secrets, setSecrets] = useState<readonly { id: number; title: string; secret: string }[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const known = list.resource.data;
  const all = known?.subscriptions;
  const picked = all?.find((each) => each.id === chosen) ?? null;
  const areas = useMemo(() => areasOf(all ?? [], chosen, edited?.of?.id ?? null), [all, chosen, edited]);

  const attempt = async (work: () => Promise<unknown>) => {
    try {
      await work();
      setProblem(null);
    } catch (cause) {
      setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause));
    }
    list.reload();
  };
  const choose = (id: number) => {
    setChosen(id);
    const found = ringOf(all?.find((each) => each.id === id)?.area ?? null);
    if (found) setFocus(boxOf(found));
  };
  const edit = (of: Subscription | null) => {
    const found = ringOf(of?.area ?? null);
    setEdited({ of, key: intention() });
    setRing(found);
    setDrawing(false);
    if (found) setFocus(boxOf(found));
  };
  const close = () => {
    setEdited(null);
    setRing(null);
    setDrawing(false);
  };
  const renew = (of: Subscription) =>
    attempt(async () => {
      const made = (await (await raw(`/subscriptions/${of.id}/secret`, { method: "POST" })).json()) as {
        secret: string;
      };
      setSecrets((old) => [...old, { id: of.id, title: of.title, secret: made.secret }]);
    });
  const saved = (found: Subscription, fresh: boolean) => {
    close();
    setChosen(found.id);
    if (fresh && found.secret === null && found.format !== "cot") void renew(found);
    else list.reload();
  };

  const cards = (every: SubscriptionList) => (
    <ul className="subscription-cards" data-testid="subscription-cards">
      {every.subscriptions.map((each) => (
        <SubscriptionCard
          key={each.id}
          of={each}
          chosen={each.id === chosen}
          showing={secrets.some(({ id }) => id === each.id)}
          onChoose={() => choose(each.id)}
          onEdit={() => edit(each)}
          onPause={() =>
            attempt(() => post(`/subscriptions/${each.id}`, planOf(each, !each.active), intention(), "PUT"))
          }
          onRenew={() => {
            if (window.confirm(t("subscriptions.renewSure", { name: each.title }))) void renew(each);
          }}
          onRemove={() => {
            if (window.confirm(t("subscriptions.removeSure", { name: each.title })))
              void attempt(() => post(`/subscriptions/${each.id}`, {}, intention(), "DELETE"));
          }}
        />
      ))}
    </ul>
  );

  return (
    <div className="subscriptions" data-testid="subscriptions">
      <div className="subscription-desk">
        <div className="subscription-side">
          {secrets.map((each) => (
            <SecretOnce
              key={each.secret}
              title={each.title}
              secret={each.secret}
              onClose={() => setSecrets((old) => old.filter((other) => other !== each))}
            />
          ))}
          {edited && known ? (
            <SubscriptionForm
              key={edited.key}
              of={edited.of}
              hosts={known.hosts}
              ring={ring}
              drawing={drawing}
              onDraw={() => setDrawing(true)}
              onKeep={() => setDrawing(false)}
              onClear={() => {
                setRing(null);
                setDrawing(false);
              }}
              onClose={close}
              onSaved={saved}
            />
          ) : (
            <>
              <header className="subscription-head">
                <h2>{t("subscriptions.list")}</h2>
                {known && known.hosts.length > 0 && (
                  <button type="button" className="btn" onClick={() => edit(null)} data-testid="subscription-add">
                    {t("subscriptions.add")}
                  </button>
                )}
              </header>
              <ProblemLine problem={problem} />
              <Drawn
                reading={list}
                skeleton={<Skeleton rows={3} height="5rem" />}
                isEmpty={(every) => every.subscriptions.length === 0}
                empty={
                  known?.hosts.length ? (
                    <Empty
                      title={t("subscriptions.none")}
                      hint={t("subscriptions.noneHint", { hosts: known.hosts.join(", ") })}
                    />
                  ) : (
                    <Empty title={t("subscriptions.off")} hint={t("subscriptions.offHint")} />
                  )
                }
              >
                {cards}
              </Drawn>
            </>
          )}
        </div>
        <AreaMap
          areas={areas}
          pen={drawing ? "draw" : edited && ring ? "edit" : "none"}
          ring={ring}
          focus={focus}
          onRing={(drawn) => {
            setRing(drawn);
            setDrawing(false);
          }}
          onChoose={choose}
        />
      </div>
      {picked ? (
        <Deliveries key={picked.id} of={picked} onChanged={list.reload} />
      ) : (
        all && all.length > 0 && <p className="muted">{t("subscriptions.choose")}</p>
      )}
    </div>
  );
}

/** A subscription as it would be sent again, running or not. */
function planOf(of: Subscription, active: boolean) {
  const { title, format, address, secret, events, kinds, severity, area } = of;
  return { title, format, address, secret, events, kinds, severity, area, active };
}
