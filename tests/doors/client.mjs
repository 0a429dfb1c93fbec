// An MCP client made with the official TypeScript SDK. Started as
//   node client.mjs <directory of the installed SDK> <aegis, or the URL of a server that runs>
// it starts the server, tells what it offers, and then does one thing for each line on stdin:
//   {"name", "arguments"}                     calls a tool: {"result"}
//   {"do": "<what of the table below>", ...}  anything else: {"result"}
// What fails is told as {"threw"}. What the server says unasked is kept until "heard" asks for it.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { requestInit, serve } from "./lines.mjs";

const [sdk, aegis] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(join(sdk, "node_modules/@modelcontextprotocol/sdk/dist/esm", file)));
const { Client } = await load("client/index.js");
const { StdioClientTransport } = await load("client/stdio.js");
const { StreamableHTTPClientTransport } = await load("client/streamableHttp.js");
const types = await load("types.js");

const client = new Client({ name: "test", version: "0" }, { capabilities: { elicitation: {} } });

// What the server said by itself: the method, and what came with it.
const heard = [];
let waiting = [];
const hear = (what) => {
  heard.push(what);
  waiting.forEach((look) => look());
};
const next = (method, within) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${method} was not heard`)), within);
    const look = () => {
      const at = heard.findIndex((what) => what.method === method);
      if (at < 0) return;
      clearTimeout(timer);
      waiting = waiting.filter((other) => other !== look);
      resolve(heard.splice(at, 1)[0]);
    };
    waiting.push(look);
    look();
  });
for (const schema of [
  types.ResourceUpdatedNotificationSchema,
  types.ResourceListChangedNotificationSchema,
  types.LoggingMessageNotificationSchema,
]) {
  client.setNotificationHandler(schema, hear);
}
// A person at a form: answers with what the test said last.
let form = { action: "cancel" };
client.setRequestHandler(types.ElicitRequestSchema, (request) => {
  hear(request);
  return form;
});

const doing = {
  resources: () => client.listResources(),
  templates: () => client.listResourceTemplates(),
  read: ({ uri }) => client.readResource({ uri }),
  subscribe: ({ uri }) => client.subscribeResource({ uri }),
  unsubscribe: ({ uri }) => client.unsubscribeResource({ uri }),
  prompts: () => client.listPrompts(),
  prompt: ({ name, arguments: given }) => client.getPrompt({ name, arguments: given }),
  complete: ({ ref, argument }) => client.complete({ ref, argument }),
  level: ({ level }) => client.setLoggingLevel(level),
  heard: ({ method, within = 20000 }) => next(method, within),
  form: ({ answer }) => {
    form = answer;
    return {};
  },
  // Calls a tool, and takes the call back at its first sign of progress.
  begin: async ({ name, arguments: given }) => {
    const stop = new AbortController();
    const progress = [];
    const onprogress = (note) => {
      progress.push(note);
      if (progress.length === 2) stop.abort("enough");
    };
    try {
      await client.callTool({ name, arguments: given }, undefined, { signal: stop.signal, onprogress });
      return { progress, ended: "answered" };
    } catch (error) {
      return { progress, ended: String(error) };
    }
  },
};

const transport = aegis.startsWith("http:")
  ? new StreamableHTTPClientTransport(new URL(aegis), { requestInit })
  : new StdioClientTransport({ command: aegis, args: process.argv.slice(4), env: process.env, stderr: "ignore" });
await serve(client, transport, doing);
