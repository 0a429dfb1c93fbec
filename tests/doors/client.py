"""An MCP client made with the official Python SDK. Started as

    python client.py <legacy|auto> <aegis, or the URL of a server that runs> [arguments of aegis]

it speaks as client.mjs does: a line in, a line out. With `auto` the SDK chooses the newer protocol by itself.
"""

import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters
from mcp.types import ElicitResult

heard: list[dict] = []
news = asyncio.Condition()
form: dict = {"action": "cancel"}
listening: dict[str, asyncio.Task] = {}


def tell(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def plain(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", by_alias=True, exclude_none=True) if dump else value


async def hear(message: object) -> None:
    """Keeps what the server says unasked."""
    said = plain(message)
    if isinstance(said, dict) and "method" in said:
        async with news:
            heard.append(said)
            news.notify_all()


async def next_heard(method: str, within: float) -> dict:
    def place() -> int | None:
        return next((at for at, said in enumerate(heard) if said["method"] == method), None)

    async with news:
        await asyncio.wait_for(news.wait_for(lambda: place() is not None), within)
        return heard.pop(place())


async def elicited(context: object, params: object) -> ElicitResult:
    """A person at a form: answers with what the test said last."""
    await hear({"method": "elicitation/create", "params": plain(params)})
    return ElicitResult(**form)


async def begin(client: Client, asked: dict) -> dict:
    """Calls a tool, and takes the call back at its second sign of progress."""
    progress: list[dict] = []
    enough = asyncio.Event()

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        progress.append({"progress": done, "total": total, "message": message})
        if len(progress) == 2:
            enough.set()

    call = asyncio.create_task(
        client.call_tool(asked["name"], asked.get("arguments"), progress_callback=on_progress)
    )
    stop = asyncio.create_task(enough.wait())
    await asyncio.wait({call, stop}, return_when=asyncio.FIRST_COMPLETED)
    if call.done():
        stop.cancel()
        return {"progress": progress, "ended": "answered"}
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    return {"progress": progress, "ended": "taken back"}


async def listen(client: Client, uri: str) -> dict:
    """Subscribes as the newer protocol does: by a request that stays open."""
    open_now = asyncio.Event()

    async def run() -> None:
        async with client.listen(resource_subscriptions=[uri]) as subscription:
            open_now.set()
            async for event in subscription:
                await hear({"method": "notifications/resources/updated", "params": {"uri": event.uri}})

    listening[uri] = asyncio.create_task(run())
    await open_now.wait()
    return {}


async def do(client: Client, asked: dict) -> object:
    global form
    match asked.get("do"):
        case None:
            return await client.call_tool(asked["name"], asked.get("arguments"))
        case "resources":
            return await client.list_resources()
        case "templates":
            return await client.list_resource_templates()
        case "read":
            return await client.read_resource(asked["uri"], cache_mode="bypass")
        case "subscribe" if client.protocol_version < "2026":
            return await client.subscribe_resource(asked["uri"])
        case "unsubscribe" if client.protocol_version < "2026":
            return await client.unsubscribe_resource(asked["uri"])
        case "subscribe":
            return await listen(client, asked["uri"])
        case "unsubscribe":
            listening.pop(asked["uri"]).cancel()
            return {}
        case "prompts":
            return await client.list_prompts()
        case "prompt":
            return await client.get_prompt(asked["name"], asked.get("arguments"))
        case "complete":
            from mcp.types import PromptReference, ResourceTemplateReference

            kind = PromptReference if asked["ref"]["type"] == "ref/prompt" else ResourceTemplateReference
            return await client.complete(kind(**asked["ref"]), asked["argument"])
        case "level":
            return await client.set_logging_level(asked["level"])
        case "heard":
            return await next_heard(asked["method"], asked.get("within", 20000) / 1000)
        case "form":
            form = asked["answer"]
            return {}
        case "begin":
            return await begin(client, asked)
        case other:
            raise ValueError(f"nobody taught me {other}")


async def main() -> None:
    mode, aegis, *arguments = sys.argv[1:]
    if aegis.startswith("http:"):
        server = aegis
    else:
        server = StdioServerParameters(command=aegis, args=arguments, env=dict(os.environ))
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with Client(server, mode=mode, message_handler=hear, elicitation_callback=elicited) as client:
        tools = (await client.list_tools()).tools
        tell({"tools": [tool.name for tool in tools], "withSchema": sum(tool.output_schema is not None for tool in tools)})
        while line := await lines.readline():
            try:
                tell({"result": plain(await do(client, json.loads(line)))})
            except Exception as error:
                tell({"threw": f"{type(error).__name__}: {error}"})


asyncio.run(main())
