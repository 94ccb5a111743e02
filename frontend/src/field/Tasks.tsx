import type { Reading } from "../api/resource";
import type { CaseSummary, Task } from "../api/types";
import { Drawn, Empty, Skeleton } from "../components/Panel";
import { SimulatedTag } from "../components/Severity";
import { useWords } from "../i18n";
import { formatAge, formatLength } from "../map/units";
import { changeView } from "../state/location";

const SOON_S = 3600;

/** Time left by the case's own clock; orange within the last hour, red when late. */
export function TimeLeft({ item }: { item: CaseSummary }) {
  const { t, tongue } = useWords();
  if (item.remaining_s === null) return <span className="muted">{item.due_at ? "" : t("field.noLimit")}</span>;
  const late = item.remaining_s < 0;
  const tone = late ? "field-late" : item.remaining_s < SOON_S ? "field-soon" : "";
  const time = formatAge(Math.abs(item.remaining_s), tongue);
  return <span className={`num ${tone}`}>{late ? t("field.late", { time }) : t("field.left", { time })}</span>;
}

/** Cards of what waits for this person: what, how far, time left, one next action. */
export function Tasks({ reading }: { reading: Reading<Task[]> }) {
  const { t } = useWords();
  return (
    <div className="field-scroll" data-testid="tasks">
      <Drawn
        reading={reading}
        skeleton={<Skeleton rows={4} height="7rem" />}
        isEmpty={(tasks) => tasks.length === 0}
        empty={<Empty title={t("field.noTasks")} hint={t("field.noTasksHint")} />}
      >
        {(tasks) => (
          <ul className="field-cards">
            {tasks.map((task) => (
              <Card key={task.case.id} task={task} />
            ))}
          </ul>
        )}
      </Drawn>
    </div>
  );
}

function Card({ task }: { task: Task }) {
  const { t, pick, tongue } = useWords();
  const item = task.case;
  return (
    <li>
      <button
        type="button"
        className="field-card"
        data-testid={`task-${item.id}`}
        onClick={() => changeView({ selection: `case:${item.id}` })}
      >
        <span className="field-card-head">
          <strong className="clip">{pick(item.category_name, item.category_name_en)}</strong>
          {item.simulated && <SimulatedTag />}
          <em>{pick(item.state_name, item.state_name_en)}</em>
        </span>
        <span className="muted clip">{item.place.name}</span>
        <span className="field-card-foot">
          <TimeLeft item={item} />
          {task.distance_m !== null && (
            <span className="muted num">{t("field.away", { distance: formatLength(task.distance_m, tongue) })}</span>
          )}
          {task.next_action && <b className="field-next">{pick(task.next_action.name, task.next_action.name_en)}</b>}
        </span>
      </button>
    </li>
  );
}
