// An MCP client made with the official SDK. Started as
//   node client.mjs <directory of the installed SDK> <aegis>
// it starts the server, lists its tools, and then makes one call for each line on stdin:
// {"name", "arguments"} in, {"result"} or {"threw"} out.
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [sdk, aegis] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(join(sdk, "node_modules/@modelcontextprotocol/sdk/dist/esm/client", file)));
const { Client } = await load("index.js");
const { StdioClientTransport } = await load("stdio.js");

const tell = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const client = new Client({ name: "test", version: "0" });
try {
  await client.connect(new StdioClientTransport({ command: aegis, args: [], env: process.env, stderr: "ignore" }));
  const { tools } = await client.listTools();
  tell({ tools: tools.map((tool) => tool.name), withSchema: tools.filter((tool) => tool.outputSchema).length });
} catch (error) {
  tell({ threw: String(error) });
  process.exit(1);
}
for await (const line of createInterface({ input: process.stdin })) {
  try {
    tell({ result: await client.callTool(JSON.parse(line)) });
  } catch (error) {
    tell({ threw: String(error) });
  }
}
await client.close();
