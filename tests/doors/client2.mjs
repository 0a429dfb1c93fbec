// An MCP client made with the second official TypeScript SDK. Started as
//   node client2.mjs <directory of the installed SDK> <legacy|auto> <URL>
// it speaks as client.mjs does, as far as tools and what can be read go.
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [sdk, mode, url] = process.argv.slice(2);
const file = join(sdk, "node_modules/@modelcontextprotocol/client/dist/index.mjs");
const { Client, StreamableHTTPClientTransport } = await import(pathToFileURL(file));

const tell = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const client = new Client({ name: "test", version: "0" }, { versionNegotiation: { mode } });

const doing = {
  resources: () => client.listResources(),
  templates: () => client.listResourceTemplates(),
  read: ({ uri }) => client.readResource({ uri }),
  prompts: () => client.listPrompts(),
  prompt: ({ name, arguments: given }) => client.getPrompt({ name, arguments: given }),
};

const token = process.env.AEGIS_AUTH_TOKEN;
const requestInit = token ? { headers: { Authorization: `Bearer ${token}` } } : {};
try {
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  const { tools } = await client.listTools();
  tell({ tools: tools.map((tool) => tool.name), withSchema: tools.filter((tool) => tool.outputSchema).length });
} catch (error) {
  tell({ threw: String(error) });
  process.exit(1);
}
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const asked = JSON.parse(line);
    tell({ result: await (asked.do ? doing[asked.do](asked) : client.callTool(asked)) });
  } catch (error) {
    tell({ threw: String(error) });
  }
}
await client.close();
