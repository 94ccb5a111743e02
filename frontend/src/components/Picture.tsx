import { useState } from "react";
import { useEvents } from "../api/events";

/** A stored photo as people may see it. While its blurred copy is being made the server says so in its place; then it is asked for again. */
export function Picture({ sha, alt }: { sha: string; alt: string }) {
  const [turn, setTurn] = useState(0);
  useEvents(["evidence.shown"], (event) => {
    if (event.entity_id === sha) setTurn((n) => n + 1);
  });
  return <img src={`/api/evidence/${sha}${turn > 0 ? `?v=${turn}` : ""}`} alt={alt} loading="lazy" />;
}
