/** Names for the shapes of the contract; the shapes themselves are generated from the server's own OpenAPI document. */
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
export type Detector = Schemas["DetectorOut"];
export type Model = Schemas["ModelOut"];
export type Rule = Schemas["RuleOut"];
export type Analysis = Schemas["AnalysisOut"];
export type Survey = Schemas["SurveyOut"];
export type Scenes = Schemas["StacItems"];
export type Dataset = Schemas["Dataset"];
export type Quarantine = Schemas["Quarantine"];
export type ShiftVectors = Schemas["ShiftVectors"];
export type CellOut = Schemas["CellOut"];
export type CellPage = Schemas["CellsOut"];
export type CellPlan = Schemas["PlanOut"];
export type CellChange = Schemas["ChangeOut"];

export type LegendEntry = Schemas["LegendLine"];
export type TooltipField = Schemas["TooltipLine"];
export type LayerDeclaration = Schemas["Layer"];
export type LayerContract = Schemas["LayerContract"];
export type LayerCatalogue = Schemas["LayerEnvelope"];
export type SearchHit = Schemas["SearchHit"];
