// Prints the properties of the deck.gl layer classes that the catalogue may use, as installed. usage: node deck_props.mjs FRONTEND_FOLDER
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const ALLOWED = {
  "@deck.gl/layers": ["BitmapLayer", "GeoJsonLayer", "IconLayer", "PathLayer", "PolygonLayer", "ScatterplotLayer", "TextLayer"],
  "@deck.gl/geo-layers": ["MVTLayer", "TileLayer", "TripsLayer"],
  "@deck.gl/aggregation-layers": ["HeatmapLayer"],
};

const folder = process.argv[2];
const classes = {};
let version = "";
for (const [name, wanted] of Object.entries(ALLOWED)) {
  const root = join(folder, "node_modules", name);
  const about = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  version = about.version;
  const module = await import(pathToFileURL(join(root, about.module ?? "dist/index.js")).href);
  for (const layer of wanted) {
    const props = {};
    for (let kind = module[layer]; kind?.layerName; kind = Object.getPrototypeOf(kind))
      for (const [key, value] of Object.entries(Object.hasOwn(kind, "defaultProps") ? kind.defaultProps : {}))
        props[key] ??= value !== null && typeof value === "object" && !Array.isArray(value) && "type" in value ? String(value.type) : Array.isArray(value) ? "array" : typeof value;
    if (layer === "MVTLayer") for (const [key, value] of Object.entries(module.MVTLayer ? classes.GeoJsonLayer : {})) props[key] ??= value;
    classes[layer] = Object.fromEntries(Object.entries(props).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
console.log(JSON.stringify({ version, classes }, null, 1));
