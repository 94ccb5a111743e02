import { useEffect, useState } from "react";
import { post } from "../api/client";
import { useEvents } from "../api/events";
import { Problem } from "../api/problem";
import { useResource } from "../api/resource";
import type { CameraDetail, CameraPicture } from "../api/types";

/** The newest picture of a camera that people may see: an editor's is made when it is not there yet, and stays while it is drawn on. */
export function useNewest(cameraId: number | null, editor: boolean) {
  const detail = useResource<CameraDetail>(cameraId === null ? null : `/cameras/${cameraId}`);
  const [asked, setAsked] = useState<{ camera: number; picture: CameraPicture } | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEvents(["evidence.shown"], (event) =>
    setAsked((old) =>
      old?.picture.sha256 === event.entity_id ? { ...old, picture: { ...old.picture, ready: true } } : old,
    ),
  );
  useEffect(() => {
    setProblem(null);
    if (cameraId === null || !editor) return;
    let left = false;
    post<CameraPicture>(`/cameras/${cameraId}/picture`).then(
      (picture) => !left && setAsked({ camera: cameraId, picture }),
      (cause) => !left && setProblem(cause instanceof Problem ? cause : Problem.unreachable(cause)),
    );
    return () => {
      left = true;
    };
  }, [cameraId, editor]);
  const own = asked?.camera === cameraId ? asked?.picture : null;
  const seen = detail.resource.data?.id === cameraId ? detail.resource.data : null;
  const shown = seen?.frames.find((frame) => frame.boxes > 0) ?? null;
  const ready = own?.ready ? { sha256: own.sha256, recorded_at: own.recorded_at } : shown;
  return {
    camera: seen,
    picture: ready,
    /** Whether nothing can be said of its pictures yet. */
    reading: cameraId !== null && (detail.resource.state === "loading" || (editor && !own && problem === null)),
    making: own?.sha256 != null && !own.ready,
    problem: problem ?? (seen === null ? detail.resource.problem : null),
  };
}
