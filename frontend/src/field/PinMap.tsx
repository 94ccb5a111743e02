import { Map as BaseMap } from "maplibre-gl";
import { useEffect, useRef, useState } from "react";
import { useWords } from "../i18n";
import { readStyle } from "../map/basemap";
import { paintScale } from "../theme/tokens";
import { type Fix, POOR_M } from "./usePosition";

export interface Pin {
  lon: number;
  lat: number;
  /** Radius in metres that holds the truth: the phone's own, or that of a hand on a map at this zoom. */
  accuracy: number;
  byHand: boolean;
}

const FINGER_PX = 12;
const EARTH_M = 40_075_016.7;

/** Metres a pixel covers at a latitude and zoom (512-pixel tiles). */
export function metresPerPixel(lat: number, zoom: number): number {
  return (EARTH_M * Math.cos((lat * Math.PI) / 180)) / (512 * 2 ** zoom);
}

/** A small map whose centre is the pin, with the ring of its accuracy. It begins at the phone's position, or at home when there is none. */
export function PinMap({
  fix,
  home,
  onPin,
}: {
  fix: Fix;
  home: { lon: number; lat: number; zoom: number } | null;
  onPin: (pin: Pin) => void;
}) {
  const { t } = useWords();
  const container = useRef<HTMLDivElement>(null);
  const map = useRef<BaseMap | null>(null);
  const touched = useRef(false);
  const told = useRef(onPin);
  told.current = onPin;
  const [pin, setPin] = useState<Pin | null>(null);
  const [ring, setRing] = useState(0);

  useEffect(() => {
    const element = container.current;
    if (!element) return;
    const abort = new AbortController();
    void readStyle("light", paintScale(), abort.signal)
      .then((style) => {
        if (abort.signal.aborted) return;
        map.current = new BaseMap({
          container: element,
          style,
          center: home ? [home.lon, home.lat] : [120.383, 36.072],
          zoom: home ? Math.max(home.zoom, 15) : 13,
          attributionControl: false,
          localIdeographFontFamily: getComputedStyle(document.body).fontFamily,
          maxZoom: 19,
          fadeDuration: 0,
          dragRotate: false,
          transformRequest: (address) => ({ url: new URL(address, window.location.origin).href }),
        });
        const scaled = () => {
          const shown = map.current;
          if (shown) setRing(metresPerPixel(shown.getCenter().lat, shown.getZoom()));
        };
        map.current.on("move", scaled);
        map.current.on("dragend", () => {
          const shown = map.current;
          if (!shown) return;
          touched.current = true;
          const { lng, lat } = shown.getCenter();
          setPin({
            lon: lng,
            lat,
            accuracy: Math.max(3, FINGER_PX * metresPerPixel(lat, shown.getZoom())),
            byHand: true,
          });
        });
        scaled();
      })
      .catch(() => {
        if (!abort.signal.aborted) element.dataset.failed = "";
      });
    return () => {
      abort.abort();
      map.current?.remove();
      map.current = null;
    };
  }, [home]);

  useEffect(() => {
    if (fix.state !== "found" || touched.current) return;
    setPin({ lon: fix.lon, lat: fix.lat, accuracy: fix.accuracy, byHand: false });
    map.current?.jumpTo({ center: [fix.lon, fix.lat], zoom: Math.max(map.current.getZoom(), 16) });
  }, [fix]);

  useEffect(() => {
    if (pin) told.current(pin);
  }, [pin]);

  const diameter = pin && ring > 0 ? Math.min(600, (2 * pin.accuracy) / ring) : 0;
  const poor = pin !== null && !pin.byHand && pin.accuracy > POOR_M;
  const metres = pin ? Math.round(pin.accuracy) : 0;
  return (
    <div className="field-pin">
      <div ref={container} className="field-pin-map" data-testid="pin-map" />
      <span className="field-pin-ring" style={{ width: diameter, height: diameter }} aria-hidden="true" />
      <span className="field-pin-mark" aria-hidden="true" />
      <p className={poor || !pin ? "field-pin-note field-soon" : "field-pin-note"} role="status" data-testid="pin-note">
        {!pin
          ? t("field.noGps")
          : poor
            ? t("field.poor", { m: metres })
            : t(pin.byHand ? "field.byHand" : "field.byGps", { m: metres })}
      </p>
    </div>
  );
}
