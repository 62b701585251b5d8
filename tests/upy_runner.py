"""Replays vectors and transcripts. Plain Python without a framework: the same file runs under MicroPython and CPython.

    micropython -X heapsize=40K tests/upy_runner.py VECTOR_DIR

VECTOR_DIR holds files of one JSON value a line, read line by line so that a capped heap is enough; the part of a file's
name before the first dot or dash says what is in it (`CHECKS`). `testkit.upy` makes the rows from `tests/vectors`.
Prints one RESULT line; exits 1 when anything differs.
"""

import gc
import json
import os
import sys

from mcu_proto.errors import McuProtoError, RemoteError


class Differs(Exception):
    """A vector or a transcript is not what the code does."""


def check_frames(rows):
    """[name, cmd, sn, flags, payload, wire], both directions."""
    from mcu_proto.frame import Frame, FrameDecoder, encode_frame

    decoder = FrameDecoder()
    count = 0
    for name, cmd, sn, flags, payload, wire in rows:
        frame = Frame(cmd, sn, flags, bytes.fromhex(payload))
        wire = bytes.fromhex(wire)
        _same(name + " encoded", encode_frame(cmd, sn, frame.payload, flags), wire)
        _same(name + " decoded", decoder.feed(wire), [frame])
        decoder.reset()
        count += 2
    return count


def check_streams(rows):
    """[name, stream, [[cmd, sn, flags, payload, checksum is right], ...]], whole, byte by byte and between garbage."""
    from mcu_proto.const import BAD_CHECKSUM
    from mcu_proto.frame import BadFrame, Frame, FrameDecoder

    decoder = FrameDecoder()
    count = 0
    for name, stream, expected in rows:
        stream = bytes.fromhex(stream)
        wanted = []
        for cmd, sn, flags, payload, is_right in expected:
            frame = Frame(cmd, sn, flags, bytes.fromhex(payload))
            wanted.append(frame if is_right else BadFrame(BAD_CHECKSUM, cmd, sn))
        bytewise = [stream[i : i + 1] for i in range(len(stream))]
        for pieces in ((stream,), bytewise, (b"\x00\x55\xfe\r\n" + stream + b"\r\n\x55\x00",)):
            found = []
            for piece in pieces:
                for item in decoder.feed(piece):
                    # What the decoder gave up on before it was complete is not in the vectors.
                    if not isinstance(item, BadFrame) or item.reason == BAD_CHECKSUM:
                        found.append(item)
            _same(name, found, wanted)
            decoder.reset()
            count += 1
    return count


def check_wire(rows):
    """[name, payload, cmd, sn, P0 or null] of an envelope; of a service message sn is null."""
    from gagent import wire

    count = 0
    for name, payload, cmd, sn, p0 in rows:
        payload = bytes.fromhex(payload)
        if sn is None:
            found, body = wire.decode_service(payload)
            _same(name, found, cmd)
            _same(name + " encoded", wire.encode_service(found, body), payload)
        else:
            envelope = wire.decode(payload)
            _same(name, (envelope.cmd, envelope.sn), (cmd, sn))
            if p0 is not None:
                _same(name + " P0", envelope.p0, bytes.fromhex(p0))
            _same(name + " encoded", wire.encode(cmd, envelope.p0, sn), payload)
            _refuses(name + " cut", wire.decode, payload[:-1])
        count += 2
    return count


def check_payloads(rows):
    """[name, kind, payload]: parsed and built again, the same bytes; cut, nothing worse than RemoteError."""
    from mcu_proto import mcu_message, message, module_info, subdevice, transaction, transfer

    both = {
        "device info": (message.parse_device_info, mcu_message.build_device_info),
        "config mode": (message.parse_config_mode, mcu_message.build_config_mode),
        "status": (mcu_message.parse_module_status, message.build_module_status),
        "time": (mcu_message.parse_network_time, lambda time: message.build_network_time(time.utc, 480)),
        "module info": (module_info.parse_module_info, module_info.build_module_info),
        "cellular info": (module_info.parse_module_info, module_info.build_cellular_info),
        "announce": (transfer.parse_announce, lambda pair: transfer.build_announce(pair[0], pair[1])),
        "ready": (transfer.parse_ready, lambda pair: transfer.build_ready(pair[0], pair[1])),
        "transaction": (transaction.parse_transaction, transaction.build_transaction),
        "registration": (subdevice.parse_registration, subdevice.build_registration),
        "states": (subdevice.parse_states, subdevice.build_states),
        "data down": (subdevice.parse_data, lambda items: subdevice.build_data(0x72, items)),
        "data up": (subdevice.parse_data, lambda items: subdevice.build_data(0x73, items)),
    }
    count = 0
    for name, kind, payload in rows:
        parse, build = both[kind]
        payload = bytes.fromhex(payload)
        _same(name, build(parse(payload)), payload)
        for size in range(len(payload)):
            try:
                parse(payload[:size])
            except RemoteError:
                pass
        count += 1
    return count


def check_transfer(rows):
    """[size, piece size, is HEX]: a file crosses from one link to another and arrives whole."""
    count = 0
    for size, piece_size, is_hex in rows:
        file = b":00112233\r\n" * (size // 11) if is_hex else b"\x00\x55\xff\x01" * (size // 4) + b"\xff" * (size % 4)
        _same("file of %d bytes" % size, _carry(file, piece_size, is_hex), file)
        count += 1
    return count


def _carry(file, piece_size, is_hex):
    from mcu_proto.const import CMD_PIECE, CMD_READY, MCU, MODULE, TRANSFER_REQUESTS
    from mcu_proto.link import Acked, McuLink, Received, SendSerial
    from mcu_proto.transfer import Ended, NeedData, Ready, StoreData
    from mcu_proto.transfer_receiver import TransferReceiver
    from mcu_proto.transfer_sender import TransferSender

    links = (
        McuLink(MODULE, hold=(CMD_READY,), serves=TRANSFER_REQUESTS),
        McuLink(MCU, hold=(CMD_PIECE,), serves=TRANSFER_REQUESTS),
    )
    sender = TransferSender(links[0], len(file), b"0" * 32, is_hex)
    receiver = TransferReceiver(links[1], piece_size, is_hex)
    machines = (sender, receiver)
    stored = bytearray(len(file))
    todo = [(0, item) for item in sender.start(0)]
    while todo:
        end, item = todo.pop(0)
        more = []
        if isinstance(item, SendSerial):
            todo += [(1 - end, other) for other in links[1 - end].receive_bytes(item.data, 0)]
        elif isinstance(item, Received):
            more = machines[end].receive(item.frame, 0)
        elif isinstance(item, Acked) and sender.owns(item.token):
            more = sender.acked(item.token, 0)
        elif isinstance(item, NeedData):
            more = sender.give(file[item.offset : item.offset + item.size], 0)
        elif isinstance(item, Ready):
            more = receiver.accept(0)
        elif isinstance(item, StoreData):
            stored[item.offset : item.offset + len(item.data)] = item.data
            more = receiver.stored(0)
        elif isinstance(item, Ended) and item.reason:
            raise Differs("transfer ended with %d" % item.reason)
        todo += [(end, other) for other in more]
    return bytes(stored)


def check_product(rows):
    """A definition, then [name, kind, action, P0, {attr: value}, {binary attr: hex}, encodes to the same bytes]."""
    from mcu_proto.datapoint import Schema

    rows = iter(rows)
    schema = Schema.from_definition(next(rows))
    count = 0
    for name, kind, action, p0, values, binaries, encodes in rows:
        p0 = bytes.fromhex(p0)
        if kind == "read":
            if encodes:
                _same(name, schema.encode_read(), p0)
                count += 1
            continue
        if kind == "control":
            found = schema.decode_control(p0)
            again = schema.encode_control(values)
        else:
            found = schema.decode(p0)
            again = schema.encode_report(values, action & 0x0F)
        if encodes:
            _same(name + " encoded", again, p0)
        _same(name + " attrs", sorted(found), sorted(values))
        for attr in values:
            if attr in binaries:
                _same(name + " " + attr, found[attr], bytes.fromhex(binaries[attr]))
            else:
                _same_value(name + " " + attr, found[attr], values[attr])
        count += 1
    return count


def check_conversions(rows):
    """[ratio, addition, shown, raw], numbers as decimal text."""
    from mcu_proto.datapoint import Schema

    count = 0
    for ratio, addition, shown, raw in rows:
        spec = {"ratio": ratio, "addition": addition, "min": 0, "max": 0xFFFFFFFF}
        attr = {"id": 0, "name": "x", "type": "status_writable", "data_type": "uint32", "uint_spec": spec}
        attr["position"] = {"byte_offset": 0, "bit_offset": 0, "len": 4, "unit": "byte"}
        schema = Schema.from_definition({"product_key": "0" * 32, "entities": [{"attrs": [attr]}]})
        p0 = b"\x01\x01" + raw.to_bytes(4, "big")
        _same(shown, schema.encode_control({"x": shown}), p0)
        _same_value(shown, schema.decode_control(p0)["x"], shown)
        count += 2
    return count


def check_transcript(rows):
    """A transcript, as `tests/README.md` describes it."""
    rows = iter(rows)
    machine = make_machine(next(rows))
    count = 0
    for row in rows:
        if "in" in row:
            effects = give(machine, row)
            continue
        count += 1
        _same("effects %d" % count, effects, row["out"])
        if "next" in row:
            _same("next_timeout %d" % count, machine.next_timeout(), row["next"])
    return count


def make_machine(header):
    """The object that the first line of a transcript describes."""
    if "link" in header:
        from mcu_proto.link import McuLink

        return McuLink(**header["link"])
    from gagent.agent import Agent
    from gagent.config import AgentConfig

    return Agent(AgentConfig(header["agent"], header["api_url"]), _counting)


def give(machine, row):
    """The effects of one input, in the form a transcript has them."""
    arguments = dict(row.get("with", {}))
    if "now" in row:
        arguments["now"] = row["now"]
    values = [_from_json(value) for value in row["in"][1:]]
    effects = getattr(machine, row["in"][0])(*values, **arguments)
    return [[type(effect).__name__] + [_to_json(field) for field in effect] for effect in effects or ()]


CHECKS = {
    "frames": check_frames,
    "streams": check_streams,
    "wire": check_wire,
    "payloads": check_payloads,
    "transfer": check_transfer,
    "product": check_product,
    "conversions": check_conversions,
    "transcript": check_transcript,
}


def main(folder):
    failed = 0
    counts = []
    for name in sorted(os.listdir(folder)):
        check = CHECKS[name.split(".")[0].split("-")[0]]
        gc.collect()
        try:
            with open(folder + "/" + name) as file:
                counts.append("%s=%d" % (name.split(".")[0], check(_rows(file))))
        except (Differs, McuProtoError, MemoryError) as error:
            failed += 1
            print("FAILED %s: %s: %s" % (name, type(error).__name__, error))
    gc.collect()
    used = gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
    print("RESULT %s %s alloc=%d" % ("failed" if failed else "ok", " ".join(counts), used))
    return 1 if failed else 0


def _rows(file):
    for line in file:
        yield json.loads(line)


def _counting(n):
    """Stands in for urandom: 0, 1, 2, ... each time."""
    return bytes(range(n))


def _from_json(value):
    if isinstance(value, dict) and "hex" in value:
        return bytes.fromhex(value["hex"])
    return value


def _to_json(value):
    if isinstance(value, (bytes, bytearray)):
        return {"hex": value.hex()}
    if isinstance(value, (tuple, list)):
        return [_to_json(item) for item in value]
    return value


def _same(what, found, wanted):
    if found != wanted:
        raise Differs("%s: got %s, expected %s" % (what, _shown(found), _shown(wanted)))


def _same_value(what, found, wanted):
    """`wanted` is what JSON has: numbers with a fraction are decimal text."""
    if isinstance(wanted, str) and not isinstance(found, (str, bool)):
        if abs(found - float(wanted)) < 0.0001:
            return
        raise Differs("%s: got %s, expected %s" % (what, found, wanted))
    _same(what, found, wanted)


def _refuses(what, parse, data):
    try:
        parse(data)
    except RemoteError:
        return
    raise Differs(what + ": not refused")


def _shown(value):
    return value.hex() if isinstance(value, (bytes, bytearray)) else value


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: upy_runner.py VECTOR_DIR")
        sys.exit(2)
    sys.exit(main(sys.argv[1]))
