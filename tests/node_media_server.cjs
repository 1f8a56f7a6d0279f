// A real node-media-server on the port of its first argument; it rejects the key "wrong-key-0000".
const { createRequire } = require("node:module");
const { join } = require("node:path");

const fromWeb = createRequire(join(__dirname, "..", "web", "package.json"));
const NodeMediaServer = fromWeb("node-media-server");
const server = new NodeMediaServer({
  logType: 1,
  rtmp: { port: Number(process.argv[2]), chunk_size: 60000, gop_cache: true, ping: 30, ping_timeout: 60 },
});
server.on("prePublish", (id, path) => {
  if (path.endsWith("/wrong-key-0000")) server.getSession(id).reject();
});
server.on("donePublish", (_id, path) => process.stdout.write(`over ${path}\n`));
server.on("postPublish", (_id, path) => process.stdout.write(`published ${path}\n`));
server.run();
