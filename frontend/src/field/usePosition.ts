import { useEffect, useState } from "react";

/** Where the phone says it is: degrees (WGS 84), accuracy in metres. `denied` when it will not say. */
export type Fix =
  | { state: "seeking" }
  | { state: "denied" }
  | { state: "found"; lon: number; lat: number; accuracy: number };

/** Beyond this the position is called poor and the worker is asked to place the pin. */
export const POOR_M = 50;

export function usePosition(): Fix {
  const [fix, setFix] = useState<Fix>({ state: "seeking" });
  useEffect(() => {
    if (!("geolocation" in navigator)) {
      setFix({ state: "denied" });
      return;
    }
    const watch = navigator.geolocation.watchPosition(
      ({ coords }) =>
        setFix({ state: "found", lon: coords.longitude, lat: coords.latitude, accuracy: Math.max(1, coords.accuracy) }),
      () => setFix((old) => (old.state === "found" ? old : { state: "denied" })),
      { enableHighAccuracy: true, maximumAge: 10_000, timeout: 15_000 },
    );
    return () => navigator.geolocation.clearWatch(watch);
  }, []);
  return fix;
}
