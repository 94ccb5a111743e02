import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Fonts and workers stay files of our own origin: the server's CSP refuses data: fonts and foreign workers.
export default defineConfig({
  plugins: [react()],
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
    proxy: Object.fromEntries(["/api", "/tiles", "/rasters"].map((path) => [path, process.env.HDQ_SERVER ?? "http://127.0.0.1:8800"])),
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
