import { CamerasTab } from "../cameras/CamerasTab";
import { DeskHeader } from "../components/DeskHeader";
import { useWords } from "../i18n";
import { ImportsTab } from "../imports/ImportsTab";
import { changeFilters, useView } from "../state/location";
import { SubscriptionsTab } from "../subscriptions/SubscriptionsTab";
import { ZonesTab } from "../zones/ZonesTab";
import { CellsTab } from "./CellsTab";
import { ChangesTab } from "./ChangesTab";
import { LayersTab } from "./LayersTab";
import { ModelsTab, RulesTab } from "./ModelsTab";
import { StaffTab } from "./StaffTab";
import { StatusTab } from "./StatusTab";
import "./admin.css";

const TABS = {
  status: StatusTab,
  layers: LayersTab,
  imports: ImportsTab,
  subscriptions: SubscriptionsTab,
  cameras: CamerasTab,
  zones: ZonesTab,
  cells: CellsTab,
  staff: StaffTab,
  models: ModelsTab,
  rules: RulesTab,
  changes: ChangesTab,
} as const;
type Tab = keyof typeof TABS;

/** For those who keep the installation: is it well, is the data fresh, which algorithm runs. */
export default function Admin() {
  const { t } = useWords();
  const { filters } = useView();
  const tab: Tab = filters.tab !== undefined && filters.tab in TABS ? (filters.tab as Tab) : "status";
  const Shown = TABS[tab];
  return (
    <div className="admin" data-testid="admin">
      <DeskHeader />
      <div className="admin-panes">
        <div className="admin-tabs" role="tablist" aria-orientation="vertical">
          {(Object.keys(TABS) as Tab[]).map((each) => (
            <button
              key={each}
              type="button"
              role="tab"
              aria-selected={each === tab}
              data-testid={`tab-${each}`}
              onClick={() => changeFilters({ tab: each })}
            >
              {t(`admin.tabs.${each}`)}
            </button>
          ))}
        </div>
        <main className="admin-main" role="tabpanel">
          <h1>{t(`admin.tabs.${tab}`)}</h1>
          <Shown />
        </main>
      </div>
    </div>
  );
}
