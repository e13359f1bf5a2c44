#!/usr/bin/env python3
"""A program that answers with speech over a WebSocket; Python's standard library alone.

    python3 websocket_parrot.py 8787 [greeting.wav]

websocket_client.conf:

    [parrot]
    type = websocket_client
    uri = ws://127.0.0.1:8787/media

extensions.conf:

    exten => 100,1,Dial(WebSocket/parrot/c(slin16)f(json))

It greets (with a WAV file of 16 kHz, 16 bit, mono), hears until the caller pauses, and says what it
heard once more. Who speaks while it does interrupts it. `#` hangs up.
"""
import array
import asyncio
import base64
import hashlib
import json
import sys
import wave

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
LOUD = 500  # mean magnitude
PAUSE = 40  # messages of 20 ms
PIECE = 32000


async def shake_hands(reader, writer):
    headers = {}
    head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    for line in head[1:]:
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip()
    key = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + MAGIC).digest())
    answer = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
    answer.append(b"Sec-WebSocket-Accept: " + key)
    if b"sec-websocket-protocol" in headers:
        answer.append(b"Sec-WebSocket-Protocol: media")
    writer.write(b"\r\n".join(answer) + b"\r\n\r\n")
    await writer.drain()
    print("call", head[0].decode())


async def receive(reader):
    """One message: what kind, and what is in it."""
    kind, message = None, bytearray()
    while True:
        first, second = await reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            length = int.from_bytes(await reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await reader.readexactly(8), "big")
        mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
        octets = await reader.readexactly(length)
        pad = (mask * (length // 4 + 1))[:length]
        plain = int.from_bytes(octets, "big") ^ int.from_bytes(pad, "big")
        octets = plain.to_bytes(length, "big")
        if first & 0x0F >= CLOSE:
            return first & 0x0F, octets
        kind = kind or first & 0x0F
        message += octets
        if first & 0x80:
            return kind, bytes(message)


def send(writer, kind, octets):
    length = len(octets)
    if length < 126:
        head = bytes([0x80 | kind, length])
    elif length < 65536:
        head = bytes([0x80 | kind, 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([0x80 | kind, 127]) + length.to_bytes(8, "big")
    writer.write(head + octets)


def command(writer, name, **more):
    send(writer, TEXT, json.dumps({"command": name, **more}).encode())


def say(writer, octets):
    """Faster than it is heard: the engine paces it."""
    command(writer, "START_MEDIA_BUFFERING")
    for at in range(0, len(octets), PIECE):
        send(writer, BINARY, octets[at : at + PIECE])
    command(writer, "STOP_MEDIA_BUFFERING", correlation_id="said")


def loudness(octets):
    samples = array.array("h", octets)
    if sys.byteorder == "big":
        samples.byteswap()
    return sum(map(abs, samples)) / max(len(samples), 1)


async def talk(reader, writer, greeting):
    await shake_hands(reader, writer)
    spoken, silence, speaking = bytearray(), 0, False
    try:
        while True:
            kind, message = await receive(reader)
            if kind == BINARY:
                loud = loudness(message) > LOUD
                if loud and speaking:
                    command(writer, "FLUSH_MEDIA")
                    speaking = False
                silence = 0 if loud else silence + 1
                if spoken or loud:
                    spoken += message
                if spoken and silence > PAUSE:
                    say(writer, bytes(spoken))
                    spoken, speaking = bytearray(), True
            elif kind == TEXT:
                event = json.loads(message)
                print(event)
                if event["event"] == "MEDIA_START" and greeting:
                    say(writer, greeting)
                    speaking = True
                elif event["event"] == "MEDIA_BUFFERING_COMPLETED":
                    speaking = False
                elif event["event"] == "DTMF_END" and event["digit"] == "#":
                    command(writer, "HANGUP")
            elif kind == PING:
                send(writer, PONG, message)
            elif kind == CLOSE:
                print("over")
                send(writer, CLOSE, message)
                await writer.drain()
                return
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        print("gone")
    finally:
        writer.close()


async def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8787
    greeting = b""
    if len(sys.argv) > 2:
        with wave.open(sys.argv[2]) as file:
            greeting = file.readframes(file.getnframes())
    server = await asyncio.start_server(lambda r, w: talk(r, w, greeting), "127.0.0.1", port)
    print("listening on %s:%d" % server.sockets[0].getsockname(), flush=True)
    async with server:
        await server.serve_forever()


try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
