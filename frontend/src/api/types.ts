/** Names for the shapes of the contract. Shapes come from schema.gen.ts; those the server does not describe stand here. */
import type { components } from "./schema.gen";

type Schemas = components["schemas"];
export type AlertSummary = Schemas["AlertSummary"];
export type AlertDetail = Schemas["AlertDetail"];
export type AlertPage = Schemas["AlertPage"];
export type Observation = Schemas["Observation"];
export type Package = Schemas["Package"];
export type ProposedUnit = Schemas["ProposedUnit"];
export type VerdictOut = Schemas["VerdictOut"];
export type CaseSummary = Schemas["CaseSummary"];
export type CaseDetail = Schemas["CaseDetail"];
export type CaseAction = Schemas["CaseAction"];
export type CasePage = Schemas["CasePage"];
export type Unit = Schemas["Unit"];
export type Order = Schemas["Order"];
export type Figure = Schemas["Figure"];
export type TimeBar = Schemas["TimeBar"];
export type EvidenceOut = Schemas["EvidenceOut"];
export type ReportOut = Schemas["ReportOut"];
export type Category = Schemas["Category"];
export type Task = Schemas["Task"];
export type Severity = AlertSummary["severity"];
export type SensorKind = AlertSummary["sensor_kinds"][number];

export type Me = Schemas["Me"];
export type Account = Schemas["DemoAccount"];
export type Status = Schemas["Status"];

export interface LegendEntry {
  label: string;
  label_en: string;
  color: string;
  shape: string;
}

export interface TooltipField {
  field: string;
  label: string;
  label_en: string;
  unit?: string | null;
}

export interface LayerDeclaration {
  id: string;
  title: string;
  title_en: string;
  group: string;
  deck: Record<string, unknown>;
  source: { type: "mvt" | "geojson" | "raster"; url: string };
  legend: LegendEntry[];
  tooltip: TooltipField[];
  min_zoom: number;
  max_zoom: number;
  visible: Record<string, boolean>;
  live: boolean;
  /** Kinds of events after which what was drawn is old (`alert.opened`, `alert.*`). */
  refreshed_by?: string[];
  simulated: boolean;
  attribution?: string | null;
  contract?: { updated_at?: string | null; count?: number | null } | null;
}

export interface LayerCatalogue {
  rev: string | number;
  groups: { id: string; title: string; title_en: string }[];
  layers: LayerDeclaration[];
}

export interface SearchHit {
  kind: string;
  ref: string;
  name: string;
  detail: string;
  lon: number;
  lat: number;
  zoom: number;
}
