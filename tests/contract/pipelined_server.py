"""A mail server that takes several mails in one write and answers them by a script."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.contract.mail_server import other_server

OFFER = ("PIPELINING", "SIZE 90000000", "CHUNKING")
CUT, HANG = b"(cut)", b"(hang)"
MAIL, RCPT, BDAT, RSET = b"MAIL", b"RCPT", b"BDAT", b"RSET"
Script = dict[tuple[bytes, int], bytes]


@dataclass(kw_only=True)
class PipelinedServer:
    """What it says, and what it heard. The mails of all connections are numbered as they begin, from 0."""

    script: Script = field(default_factory=dict)  # what is said to a command of a mail, instead of 250
    offer: tuple[str, ...] = OFFER
    held_back: int = 0  # so many texts are read before the first answer is given
    drip: bool = False  # answers come byte by byte
    keeps_envelopes: bool = False  # a refusal leaves the envelope open, as with Exim
    needs_reset: bool = False  # after a refusal everything is out of turn until RSET
    heard: list[bytes] = field(default_factory=list)  # the commands
    taken: list[bytes] = field(default_factory=list)  # the texts that were answered 2xx
    reached: list[int] = field(default_factory=list)  # how many recipients each of these had
    connections: int = 0
    mails: int = -1
    texts: int = 0

    @property
    def commands(self) -> str:
        """List the verbs that were heard."""
        return b" ".join(command[:4].rstrip() for command in self.heard).decode()


class Conversation:
    """One connection's state."""

    def __init__(self, server: PipelinedServer) -> None:
        self._server = server
        self._has_sender = self._is_spoilt = self._is_over = False
        self._recipients = 0

    def answer(self, verb: bytes, text: bytes) -> bytes:
        """Say what the script or the state of the envelope wants; nothing more is obeyed after the end."""
        if self._is_over:
            return b""
        if verb == RSET and (RSET, self._server.mails) not in self._server.script:
            self._has_sender = self._is_spoilt = False
            self._recipients = 0
            return b"250 reset\r\n"
        if verb == MAIL:
            self._server.mails += 1
        said = self._server.script.get((verb, self._server.mails)) or self._by_state(verb)
        is_taken = said.startswith(b"2")
        self._is_over = said in {CUT, HANG}
        self._has_sender |= verb == MAIL and is_taken
        self._recipients += verb == RCPT and is_taken
        self._is_spoilt |= self._server.needs_reset and not is_taken
        if verb == BDAT:
            if is_taken:
                self._server.taken.append(text)
                self._server.reached.append(self._recipients)
            if is_taken or not self._server.keeps_envelopes:
                self._has_sender, self._recipients = False, 0
        return said

    def _by_state(self, verb: bytes) -> bytes:
        out_of_turn = {MAIL: self._has_sender, RCPT: not self._has_sender, BDAT: not self._recipients}
        return b"503 5.5.1 out of turn\r\n" if self._is_spoilt or out_of_turn[verb] else b"250 ok\r\n"


async def _converse(server: PipelinedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    server.connections += 1
    writer.write(b"220 hi\r\n")
    await reader.readline()
    lines = ["hi", *server.offer]
    writer.write("".join(f"250{'-' if line is not lines[-1] else ' '}{line}\r\n" for line in lines).encode())
    conversation, held = Conversation(server), list[bytes]()
    while command := await reader.readline():
        server.heard.append(command.rstrip())
        verb, text = command[:4].upper(), b""
        if verb == b"QUIT":
            writer.write(b"221 bye\r\n")
            return
        if size := re.match(rb"BDAT (\d+)", command):
            text = await reader.readexactly(int(size[1]))
            server.texts += 1
        held.append(conversation.answer(verb, text))
        if server.texts < server.held_back:
            continue
        for said in held:
            if said in {CUT, HANG}:
                await writer.drain()
                if said == HANG:
                    await reader.read()
                return
            for piece in [said[at : at + 1] for at in range(len(said))] if server.drip else [said]:
                writer.write(piece)
                await writer.drain()
        held.clear()


@asynccontextmanager
async def pipelined(server: PipelinedServer) -> AsyncIterator[str]:
    """Serve; gives the URL."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _converse(server, reader, writer)

    async with other_server(handler) as url:
        yield url
