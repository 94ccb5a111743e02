import react from "@vitejs/plugin-react";
import { VitePWA } from "vite-plugin-pwa";
import { defineConfig } from "vitest/config";
import { keepsAnswer, keepsTile, stampKept } from "./src/field/kept.ts";

/** What the phone needs to start and report without a signal: the client itself, who is signed in, the kinds, the tasks, the quiet base map. */
const offline = VitePWA({
  injectRegister: null,
  registerType: "autoUpdate",
  manifest: {
    name: "海东青",
    short_name: "海东青",
    lang: "zh-CN",
    start_url: "/field",
    scope: "/",
    display: "standalone",
    background_color: "#f5f7fa",
    theme_color: "#f5f7fa",
    icons: [{ src: "/favicon.svg", sizes: "any", type: "image/svg+xml" }],
  },
  workbox: {
    globPatterns: ["**/*.{js,css,html,svg}"],
    maximumFileSizeToCacheInBytes: 6_000_000,
    navigateFallback: "/index.html",
    navigateFallbackDenylist: [/^\/(api|tiles|rasters|metrics)\//],
    cleanupOutdatedCaches: true,
    runtimeCaching: [
      {
        urlPattern: keepsAnswer,
        handler: "NetworkFirst",
        options: {
          cacheName: "hdq-answers",
          networkTimeoutSeconds: 4,
          plugins: [{ cacheWillUpdate: stampKept }],
          expiration: { maxEntries: 80, maxAgeSeconds: 86_400 },
        },
      },
      {
        urlPattern: keepsTile,
        handler: "NetworkFirst",
        options: {
          cacheName: "hdq-tiles",
          networkTimeoutSeconds: 4,
          expiration: { maxEntries: 400, maxAgeSeconds: 604_800 },
        },
      },
      {
        urlPattern: /\.woff2$/,
        handler: "CacheFirst",
        options: { cacheName: "hdq-fonts", expiration: { maxEntries: 200 } },
      },
    ],
  },
});

// Fonts and workers stay files of our own origin: the server's CSP refuses data: fonts and foreign workers.
export default defineConfig({
  plugins: [react(), offline],
  build: {
    assetsInlineLimit: 0,
    target: "es2022",
    sourcemap: false,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      output: {
        advancedChunks: {
          groups: [
            { name: "maplibre", test: /node_modules[\\/]maplibre-gl/ },
            { name: "deck", test: /node_modules[\\/](@deck\.gl|@luma\.gl|@loaders\.gl|@math\.gl)/ },
          ],
        },
      },
    },
  },
  server: {
    host: "127.0.0.1",
    port: 5173,
    proxy: Object.fromEntries(
      ["/api", "/tiles", "/rasters"].map((path) => [path, process.env.HDQ_SERVER ?? "http://127.0.0.1:8800"]),
    ),
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
