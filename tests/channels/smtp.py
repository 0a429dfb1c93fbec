"""An SMTP server that wants TLS and a login, and tells each mail it takes as a line of JSON.

Arguments: certificate file, key file, "starttls" or "tls". The first mail is refused for a while (451); a mail to
nobody@example.com is refused for good (550).
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    refused = False

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address == "nobody@example.com":
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if not Handler.refused:
            Handler.refused = True
            return "451 try again later"
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "data": envelope.content.decode()}
        print(json.dumps(mail), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, auth_data):
    good = auth_data.login == b"ada" and auth_data.password == b"pass-canary"
    return AuthResult(success=good, handled=False)


async def main():
    certificate, key, how = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    starttls = how == "starttls"

    def factory():
        return SMTP(
            Handler(), hostname="localhost", tls_context=context if starttls else None, require_starttls=starttls,
            authenticator=authenticate, auth_required=True, auth_require_tls=starttls,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, "127.0.0.1", 0, ssl=None if starttls else context)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


asyncio.run(main())
