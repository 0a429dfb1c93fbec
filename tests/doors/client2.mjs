// An MCP client made with the second official TypeScript SDK. Started as
//   node client2.mjs <directory of the installed SDK> <legacy|auto> <URL>
// it speaks as client.mjs does, as far as tools and what can be read go.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { requestInit, serve } from "./lines.mjs";

const [sdk, mode, url] = process.argv.slice(2);
const file = join(sdk, "node_modules/@modelcontextprotocol/client/dist/index.mjs");
const { Client, StreamableHTTPClientTransport } = await import(pathToFileURL(file));

const client = new Client({ name: "test", version: "0" }, { versionNegotiation: { mode } });

const doing = {
  resources: () => client.listResources(),
  templates: () => client.listResourceTemplates(),
  read: ({ uri }) => client.readResource({ uri }),
  prompts: () => client.listPrompts(),
  prompt: ({ name, arguments: given }) => client.getPrompt({ name, arguments: given }),
};

await serve(client, new StreamableHTTPClientTransport(new URL(url), { requestInit }), doing);
