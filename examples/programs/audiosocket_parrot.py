#!/usr/bin/env python3
"""A program that answers with speech over AudioSocket; Python's standard library alone.

    python3 audiosocket_parrot.py 9092 [greeting.wav]

    exten => 100,1,Answer()
    same => n,AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,127.0.0.1:9092)

It greets (with a WAV file of 8 kHz, 16 bit, mono), hears until the caller pauses, and says what it
heard once more. `#` ends the talk, and the call goes on in the dialplan.
"""
import array
import asyncio
import sys
import uuid
import wave

HANGUP, IDENTITY, DIGIT, AUDIO, ERROR = 0x00, 0x01, 0x03, 0x10, 0xFF
LOUD = 500  # mean magnitude
PAUSE = 40  # frames of 20 ms


def frame(kind, payload=b""):
    return bytes([kind]) + len(payload).to_bytes(2, "big") + payload


async def say(writer, octets):
    """As fast as it is taken: the engine paces it."""
    for at in range(0, len(octets), 320):
        writer.write(frame(AUDIO, octets[at : at + 320]))
        await writer.drain()


def loudness(octets):
    samples = array.array("h", octets)
    if sys.byteorder == "big":
        samples.byteswap()
    return sum(map(abs, samples)) / max(len(samples), 1)


async def talk(reader, writer, greeting):
    spoken, silence = bytearray(), 0
    try:
        while True:
            kind, high, low = await reader.readexactly(3)
            payload = await reader.readexactly(high << 8 | low)
            if kind == IDENTITY:
                print("call", uuid.UUID(bytes=payload))
                await say(writer, greeting)
            elif kind == AUDIO:
                if loudness(payload) > LOUD:
                    silence = 0
                elif spoken:
                    silence += 1
                if spoken or silence == 0 and loudness(payload) > LOUD:
                    spoken += payload
                if silence > PAUSE:
                    await say(writer, bytes(spoken))
                    spoken, silence = bytearray(), 0
            elif kind == DIGIT:
                print("key", payload.decode())
                if payload == b"#":
                    writer.write(frame(HANGUP))
                    await writer.drain()
                    return
            elif kind in (HANGUP, ERROR):
                print("over")
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        print("gone")
    finally:
        writer.close()


async def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9092
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
