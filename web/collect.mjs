// Copies the browser libraries that the pages load from node_modules into static/vendor.

import { mkdir, readFile, writeFile } from "node:fs/promises";

const HERE = new URL("./", import.meta.url);
const VENDOR = new URL("static/vendor/", HERE);
const FILES = {
  "hls.mjs": "node_modules/hls.js/dist/hls.min.mjs",
  "hls.LICENSE.txt": "node_modules/hls.js/LICENSE",
  "socket.io.esm.min.js": "node_modules/socket.io-client/dist/socket.io.esm.min.js",
  "socket.io.LICENSE.txt": "node_modules/socket.io-client/LICENSE",
};
/** For `npm run check`, which would otherwise infer types from minified code. */
const DECLARATIONS = {
  "hls.d.mts": 'export * from "hls.js";\nexport { default } from "hls.js";\n',
  "socket.io.esm.min.d.ts": 'export * from "socket.io-client";\n',
};

await mkdir(VENDOR, { recursive: true });
for (const [name, source] of Object.entries(FILES)) {
  const text = await readFile(new URL(source, HERE), "utf8");
  // The maps are not copied: a reference to one would be a 404 in every open console.
  await writeFile(new URL(name, VENDOR), text.replace(/^\/\/# sourceMappingURL=.*$/m, ""));
}
for (const [name, text] of Object.entries(DECLARATIONS)) await writeFile(new URL(name, VENDOR), text);
