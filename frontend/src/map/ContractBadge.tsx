import type { LayerContract, LayerDeclaration } from "../api/types";
import { useWords } from "../i18n";
import { dayTime } from "../i18n/time";
import "./contract.css";

type State = LayerContract["state"];

/** A shape for each state, so that nobody needs the colour: tick, circle, ring, triangle, diamond. */
const SHAPES: Record<State, React.ReactNode> = {
  ok: <path d="M3 8.5 6.5 12 13 4.5" fill="none" stroke="currentColor" strokeWidth="2" />,
  late: <circle cx="8" cy="8" r="5.4" fill="currentColor" />,
  unknown: <circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" strokeWidth="2.2" strokeDasharray="3 2.2" />,
  stale: <path d="M8 2 15 14H1Z" fill="currentColor" />,
  broken: <path d="M8 1 15 8 8 15 1 8Z" fill="currentColor" />,
};

/** How a layer keeps its promises: shape, and in words what the job found and when. */
export function ContractBadge({ contract, worded = false }: { contract: LayerContract; worded?: boolean }) {
  const { t } = useWords();
  const word = t(contract.checked_at ? `map.contract.${contract.state}` : "map.contract.neverChecked");
  const aspects = (["freshness", "completeness", "validity", "lineage"] as const)
    .map((aspect) => `${t(`map.contract.${aspect}`)}：${t(`map.contract.${contract[aspect]}`)}`)
    .join("\n");
  const checked = contract.checked_at && t("map.contract.checkedAt", { at: dayTime(contract.checked_at) });
  return (
    <span
      className={`contract contract-${contract.state}`}
      title={[word, contract.detail, aspects, checked].filter(Boolean).join("\n")}
      data-testid={`contract-${contract.state}`}
    >
      <svg viewBox="0 0 16 16" role="img" aria-label={word}>
        {SHAPES[contract.state]}
      </svg>
      {worded && <span>{word}</span>}
    </span>
  );
}

/** On the map: every layer that is on and does not keep its promises, so that it never looks fresh. */
export function MapContracts({
  layers,
  contracts,
}: {
  layers: readonly LayerDeclaration[];
  contracts: Readonly<Record<string, LayerContract>>;
}) {
  const { pick } = useWords();
  const failing = layers.filter((layer) => (contracts[layer.id] ?? layer.contract).state !== "ok");
  if (failing.length === 0) return null;
  return (
    <ul className="map-contracts" data-testid="map-contracts">
      {failing.slice(0, MOST).map((layer) => (
        <li key={layer.id}>
          <ContractBadge contract={contracts[layer.id] ?? layer.contract} worded />
          <span className="clip">{pick(layer.title, layer.title_en)}</span>
        </li>
      ))}
      {failing.length > MOST && <li className="num">+{failing.length - MOST}</li>}
    </ul>
  );
}

const MOST = 6;
