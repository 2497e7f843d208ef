// The official TypeScript SDKs, version 1 and 2, over HTTP and over standard input and output: URL KEY BINARY PACKAGES.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [url, key, binary, packages] = process.argv.slice(2);
const require = createRequire(`${packages}/package.json`);
const load = (name) => import(pathToFileURL(require.resolve(name)).href);

const SELLER = "+12125550113";
const AGENT = "elevenlabs:agent_follow_up";

const v1 = {
  Client: (await load("@modelcontextprotocol/sdk/client/index.js")).Client,
  Http: (await load("@modelcontextprotocol/sdk/client/streamableHttp.js")).StreamableHTTPClientTransport,
  Stdio: (await load("@modelcontextprotocol/sdk/client/stdio.js")).StdioClientTransport,
};
const second = await load("@modelcontextprotocol/client");
const v2 = {
  Client: second.Client,
  Http: second.StreamableHTTPClientTransport,
  Stdio: (await load("@modelcontextprotocol/client/stdio")).StdioClientTransport,
};

const overHttp = (sdk) => new sdk.Http(new URL(`${url}/mcp`), { requestInit: { headers: { Authorization: `Bearer ${key}` } } });
const overStdio = (sdk) =>
  new sdk.Stdio({ command: binary, args: ["mcp", "--server", url], env: { CLEARLINE_API_KEY: key }, stderr: "inherit" });

/** A tool's result: its text, which says the same as its structure; or the error that it tells. */
async function ask(client, name, args, version) {
  const options = { timeout: 90_000, onprogress: () => {} };
  const call = { name, arguments: args };
  const result = await (version === 1 ? client.callTool(call, undefined, options) : client.callTool(call, options));
  const body = JSON.parse(result.content[0].text);
  if (result.isError) return { refused: body.error };
  assert.deepEqual(result.structuredContent, body);
  return body;
}

async function story(client, version) {
  const { tools } = await client.listTools();
  assert.ok(tools.length >= 29);
  for (const tool of tools) {
    const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = tool.annotations;
    for (const hint of [readOnlyHint, destructiveHint, idempotentHint, openWorldHint]) assert.equal(typeof hint, "boolean", tool.name);
  }
  const tell = (name, args) => ask(client, name, args, version);
  const blocked = await tell("initiate_call_with_compliance", { to: SELLER });
  assert.equal(blocked.refused.code, "compliance_blocked");
  const placed = await tell("initiate_call_with_compliance", { to: SELLER, purpose: "emergency", agent: AGENT });
  const call_id = placed.call_id;
  assert.ok(call_id, JSON.stringify(placed));
  while (!(await tell("wait_for_call", { call_id, until: "answered" })).reached);
  let heard = { lines: [], next_seq: 0 };
  while (heard.lines.length === 0) heard = await tell("get_call_transcript", { call_id, after_seq: heard.next_seq, wait_secs: 20 });
  const told = await tell("send_message_to_agent", { call_id, message: "The caller is in a hurry." });
  assert.ok(told.sent, JSON.stringify(told));
  await tell("end_call", { call_id });
  while (!(await tell("wait_for_call", { call_id })).reached);
  assert.ok((await tell("get_call_transcript", { call_id })).ended);
  const read = await client.readResource({ uri: `call://${call_id}` });
  assert.equal(JSON.parse(read.contents[0].text).state, "ended");
}

async function run(name, sdk, transport, version, options) {
  const client = new sdk.Client({ name: "check", version: "1" }, options);
  await client.connect(transport);
  await story(client, version);
  await client.close();
  console.log(`ok: TypeScript SDK ${name}`);
}

await run("1, http", v1, overHttp(v1), 1);
await run("1, stdio", v1, overStdio(v1), 1);
await run("2, http, as it comes", v2, overHttp(v2), 2);
await run("2, http, modern", v2, overHttp(v2), 2, { versionNegotiation: { mode: "auto" } });
await run("2, stdio, modern", v2, overStdio(v2), 2, { versionNegotiation: { mode: "auto" } });
process.exit(0);
