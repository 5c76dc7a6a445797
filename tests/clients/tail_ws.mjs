// Tails with Node's ws: history, then live lines, in order and each once.
import WebSocket from "ws";

const url = process.argv[2];
let pushed = 0;
async function push(count) {
    const now = BigInt(Date.now()) * 1000000n;
    const values = [];
    for (; count > 0; count--, pushed++) values.push([String(now + BigInt(pushed)), `line ${pushed}`]);
    const body = JSON.stringify({ streams: [{ stream: { client: "node-ws" }, values }] });
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${url}/loki/api/v1/push`, { method: "POST", headers, body });
    if (answer.status !== 204) throw new Error(`push: ${answer.status}`);
}

await push(10);
const target = url.replace("http", "ws") + '/loki/api/v1/tail?query={client="node-ws"}';
const socket = new WebSocket(target);
const lines = [];
const done = new Promise((resolve, reject) => {
    socket.on("message", (text) => {
        for (const stream of JSON.parse(text).streams) lines.push(...stream.values.map(([, line]) => line));
        if (lines.length >= 30) resolve();
    });
    socket.on("close", (code) => reject(new Error(`closed: ${code}`)));
    socket.on("error", reject);
});
await new Promise((resolve) => socket.on("open", resolve));
await push(10);
await push(10);
await done;
const want = Array.from({ length: 30 }, (_, number) => `line ${number}`);
if (JSON.stringify(lines) !== JSON.stringify(want)) throw new Error(JSON.stringify(lines));
process.exit(0);
