"""A real mail server for the tests: aiosmtpd on a free port of 127.0.0.1.

It prints one line of JSON when it listens and one for each message that it took, and ends when its input ends,
so that it never outlives the test that started it.
"""

import argparse
import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import warnings

# What goes wrong in a test is said by the test; the server's own complaints would drown it.
logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")

try:
    from aiosmtpd.smtp import SMTP, AuthResult
except ImportError:
    print(json.dumps({"missing": "aiosmtpd"}), flush=True)
    sys.exit(0)

options = argparse.ArgumentParser()
options.add_argument("--mode", choices=["starttls", "implicit", "off"], required=True)
options.add_argument("--certificate")
options.add_argument("--key")
options.add_argument("--user")
options.add_argument("--password")
options.add_argument("--without", action="append", help="a way to log on that is not offered")
options = options.parse_args()


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("later@"):
            return "451 4.7.1 greylisted, try again"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient fine"

    async def handle_DATA(self, server, session, envelope):
        if any(address.startswith("spam@") for address in envelope.rcpt_tos):
            return "554 5.7.1 this looks like spam"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = lambda kind: message.get_body(preferencelist=(kind,)).get_content()
        print(
            json.dumps(
                {
                    "mail_from": envelope.mail_from,
                    "rcpt_tos": envelope.rcpt_tos,
                    "encrypted": session.ssl is not None or options.mode == "implicit",
                    "logged_on": session.authenticated,
                    "headers": [[name, str(value)] for name, value in message.items()],
                    "defects": [str(defect) for defect in message.defects],
                    "plain": part("plain"),
                    "html": part("html"),
                    "raw": envelope.content.decode("latin-1"),
                }
            ),
            flush=True,
        )
        return "250 2.0.0 queued as 4711"


def authenticate(server, session, envelope, mechanism, data):
    good = (
        data.login.decode() == options.user and data.password.decode() == options.password
    )
    # A server that tells too much: what it says must not come through.
    message = None if good else f"535 5.7.8 no: {data.login.decode()} {data.password.decode()}"
    return AuthResult(success=good, handled=False, message=message)


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(options.certificate, options.key)
    return made


def server():
    arguments = {"hostname": "mail.test"}
    if options.mode == "starttls":
        arguments |= {"tls_context": context(), "require_starttls": True}
    if options.user:
        arguments |= {
            "authenticator": authenticate,
            "auth_required": True,
            "auth_require_tls": options.mode == "starttls",
            "auth_exclude_mechanism": options.without,
        }
    return SMTP(Handler(), **arguments)


async def main():
    loop = asyncio.get_running_loop()
    secured = context() if options.mode == "implicit" else None
    listening = await loop.create_server(server, host="127.0.0.1", port=0, ssl=secured)
    print(json.dumps({"port": listening.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
