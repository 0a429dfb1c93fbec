// What the clients in JavaScript have in common: a line in, a line out, as client.mjs says.
import { createInterface } from "node:readline";

const tell = (value) => process.stdout.write(JSON.stringify(value) + "\n");

// How a server over HTTP is told who asks.
const token = process.env.AEGIS_AUTH_TOKEN;
export const requestInit = token ? { headers: { Authorization: `Bearer ${token}` } } : {};

export async function serve(client, transport, doing) {
  try {
    await client.connect(transport);
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
}
