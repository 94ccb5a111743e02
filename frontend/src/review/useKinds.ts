import { useResource } from "../api/resource";
import type { Analysis, Rule } from "../api/types";

/** The kinds of alerts that rules raise, or of patches that analyses find, as the server has them; the one asked for is always among them. */
export function useKinds(from: "/rules" | "/analyses", asked: string | undefined): string[] {
  const { resource } = useResource<readonly (Rule | Analysis)[]>(from);
  const kinds = new Set((resource.data ?? []).map((one) => one.kind));
  if (asked) kinds.add(asked);
  return [...kinds];
}
