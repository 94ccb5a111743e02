import { useWords } from "../i18n";
import { useBaseMaps } from "./ground";
import "./ground.css";

/** What lies under the layers; nothing to choose, nothing drawn. */
export function BaseMapChooser() {
  const { t, pick } = useWords();
  const { choices, chosen, choose } = useBaseMaps();
  if (choices.length < 2) return null;
  return (
    <fieldset className="base-maps" data-testid="base-maps">
      <legend>{t("map.baseMap")}</legend>
      {choices.map((each) => (
        <button
          key={each.id}
          type="button"
          aria-pressed={each.id === chosen?.id}
          title={each.problem ?? each.attribution}
          data-testid={`base-${each.id}`}
          onClick={() => choose(each.id)}
        >
          {pick(each.title, each.title_en)}
        </button>
      ))}
    </fieldset>
  );
}
