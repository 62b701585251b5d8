-- Wireshark dissector for the serial protocol between a communication module and its MCU.
--
-- For pcapng files that `mcu-debugger capture export` writes (link type USER0): one byte that says who spoke (0 module,
-- 1 MCU, 2 not known), then the frame as it crossed the line:
--
--     ff ff | len (2) | cmd | sn | flags (2) | payload | checksum        every ff behind the header is sent as ff 55
--
-- Install: put it into the folder that Help > About Wireshark > Folders names "Personal Lua Plugins".

local serial = Proto("mcuserial", "Module to MCU serial protocol")

local DIRECTIONS = { [0] = "module to MCU", [1] = "MCU to module", [2] = "not known" }

local COMMANDS = {
    [0x01] = "get device info", [0x02] = "device info", [0x03] = "P0 to MCU", [0x04] = "P0 to MCU ack",
    [0x05] = "P0 from MCU", [0x06] = "P0 from MCU ack", [0x07] = "heartbeat", [0x08] = "heartbeat ack",
    [0x09] = "enter network configuration", [0x0a] = "enter network configuration ack",
    [0x0b] = "reset module", [0x0c] = "reset module ack", [0x0d] = "module status", [0x0e] = "module status ack",
    [0x0f] = "restart MCU", [0x10] = "restart MCU ack", [0x11] = "illegal frame (says the module)",
    [0x12] = "illegal frame (says the MCU)", [0x13] = "production test", [0x14] = "production test ack",
    [0x15] = "open the binding window", [0x16] = "open the binding window ack", [0x17] = "get network time",
    [0x18] = "network time", [0x19] = "announce big data", [0x1a] = "announce big data ack",
    [0x1b] = "ready for big data", [0x1c] = "ready for big data ack", [0x1d] = "piece", [0x1e] = "piece ack",
    [0x1f] = "sender stops", [0x20] = "sender stops ack", [0x21] = "get module info", [0x22] = "module info",
    [0x23] = "transaction", [0x24] = "transaction ack", [0x25] = "transaction result",
    [0x26] = "transaction result ack", [0x27] = "receiver stops", [0x28] = "receiver stops ack",
    [0x29] = "restart module", [0x2a] = "restart module ack", [0x53] = "register sub-devices",
    [0x54] = "register sub-devices ack", [0x55] = "sub-devices registered", [0x56] = "sub-devices registered ack",
}

local ACTIONS = {
    [0x01] = "control", [0x02] = "read", [0x03] = "read reply", [0x04] = "report", [0x05] = "transparent to MCU",
    [0x06] = "transparent from MCU", [0x11] = "control (variable length)", [0x12] = "read (variable length)",
    [0x13] = "read reply (variable length)", [0x14] = "report (variable length)",
    [0x71] = "sub-devices online and offline", [0x72] = "sub-devices, to them", [0x73] = "sub-devices, from them",
}

local ERRORS = { [1] = "wrong checksum", [2] = "unknown command", [3] = "not acceptable", [4] = "wrong file type" }
local MODES = { [1] = "SoftAP", [2] = "AirLink", [4] = "direct" }

local f = serial.fields
f.direction = ProtoField.uint8("mcuserial.direction", "Direction", base.DEC, DIRECTIONS)
f.len = ProtoField.uint16("mcuserial.len", "Length", base.DEC)
f.cmd = ProtoField.uint8("mcuserial.cmd", "Command", base.HEX, COMMANDS)
f.sn = ProtoField.uint8("mcuserial.sn", "Sequence number", base.DEC)
f.flags = ProtoField.uint16("mcuserial.flags", "Flags", base.HEX)
f.payload = ProtoField.bytes("mcuserial.payload", "Payload")
f.checksum = ProtoField.uint8("mcuserial.checksum", "Checksum", base.HEX)
f.action = ProtoField.uint8("mcuserial.action", "P0 action", base.HEX, ACTIONS)
f.attributes = ProtoField.bytes("mcuserial.attributes", "Attributes")
f.status = ProtoField.uint16("mcuserial.status", "Module status", base.HEX)
f.softap = ProtoField.bool("mcuserial.status.softap", "SoftAP", 16, nil, 0x0001)
f.station = ProtoField.bool("mcuserial.status.station", "Station", 16, nil, 0x0002)
f.config = ProtoField.bool("mcuserial.status.config", "Configuring", 16, nil, 0x0004)
f.bindable = ProtoField.bool("mcuserial.status.bindable", "Bindable", 16, nil, 0x0008)
f.router = ProtoField.bool("mcuserial.status.router", "Router", 16, nil, 0x0010)
f.cloud = ProtoField.bool("mcuserial.status.cloud", "Cloud", 16, nil, 0x0020)
f.signal = ProtoField.uint16("mcuserial.status.signal", "Signal", base.DEC, nil, 0x0700)
f.app = ProtoField.bool("mcuserial.status.app", "App", 16, nil, 0x0800)
f.test = ProtoField.bool("mcuserial.status.test", "Production test", 16, nil, 0x1000)
f.protocol_ver = ProtoField.string("mcuserial.info.protocol", "Protocol version")
f.p0_ver = ProtoField.string("mcuserial.info.p0", "P0 version")
f.hard_ver = ProtoField.string("mcuserial.info.hardware", "Hardware version")
f.soft_ver = ProtoField.string("mcuserial.info.software", "Software version")
f.product_key = ProtoField.string("mcuserial.info.product_key", "Product key")
f.bindable_s = ProtoField.uint16("mcuserial.info.bindable", "Binding window (s)", base.DEC)
f.device_attr = ProtoField.uint64("mcuserial.info.attributes", "Device attributes", base.HEX)
f.error = ProtoField.uint8("mcuserial.error", "Error", base.DEC, ERRORS)
f.mode = ProtoField.uint8("mcuserial.mode", "Configuration mode", base.DEC, MODES)
f.size = ProtoField.uint32("mcuserial.transfer.size", "File size", base.DEC)
f.md5 = ProtoField.string("mcuserial.transfer.md5", "MD5")
f.piece_size = ProtoField.uint16("mcuserial.transfer.piece_size", "Piece size", base.DEC)
f.piece = ProtoField.uint16("mcuserial.transfer.piece", "Piece", base.DEC)
f.pieces = ProtoField.uint16("mcuserial.transfer.pieces", "Pieces", base.DEC)
f.piece_data = ProtoField.bytes("mcuserial.transfer.data", "Data")
f.utc = ProtoField.uint32("mcuserial.time.utc", "UTC seconds", base.DEC)
f.local_time = ProtoField.string("mcuserial.time.local", "Local time")
f.request = ProtoField.framenum("mcuserial.request", "Answers", base.NONE, frametype.REQUEST)
f.answer = ProtoField.framenum("mcuserial.answer", "Answered in", base.NONE, frametype.RESPONSE)
f.round_trip = ProtoField.relative_time("mcuserial.round_trip", "Round trip")

local bad_checksum = ProtoExpert.new("mcuserial.checksum.bad", "Wrong checksum", expert.group.CHECKSUM, expert.severity.ERROR)
local not_whole = ProtoExpert.new("mcuserial.cut", "No whole frame", expert.group.MALFORMED, expert.severity.WARN)
local repeated = ProtoExpert.new("mcuserial.repeated", "Sent again", expert.group.SEQUENCE, expert.severity.NOTE)
serial.experts = { bad_checksum, not_whole, repeated }

-- Packet number of a request -> {packet, time} of its answer, and back; filled in the first pass.
local answer_of = {}
local request_of = {}
local repeats = {}
-- "direction cmd sn" -> {packet, time} of the request that waits.
local waiting = {}

function serial.init()
    answer_of, request_of, repeats, waiting = {}, {}, {}, {}
end

local function unstuffed(buffer)
    local bytes = ByteArray.new()
    bytes:set_size(buffer:len())
    local size, at = 0, 0
    while at < buffer:len() do
        local b = buffer(at, 1):uint()
        bytes:set_index(size, b)
        size = size + 1
        at = at + 1
        if b == 0xff and size > 2 and at < buffer:len() and buffer(at, 1):uint() == 0x55 then
            at = at + 1
        end
    end
    bytes:set_size(size)
    return bytes
end

local function pair(pinfo, direction, cmd, sn)
    if pinfo.visited or direction > 1 or cmd == 0x11 or cmd == 0x12 then
        return
    end
    if cmd % 2 == 1 then
        local key = direction .. " " .. cmd .. " " .. sn
        local asked = waiting[key]
        if asked and pinfo.rel_ts - asked.time < 3.5 then
            repeats[pinfo.number] = asked.packet
        end
        waiting[key] = { packet = pinfo.number, time = pinfo.rel_ts }
        return
    end
    local key = (1 - direction) .. " " .. (cmd - 1) .. " " .. sn
    local asked = waiting[key]
    if asked then
        answer_of[asked.packet] = pinfo.number
        request_of[pinfo.number] = asked
        waiting[key] = nil
    end
end

local function device_info(tree, payload)
    if payload:len() < 66 then
        return
    end
    tree:add(f.protocol_ver, payload(0, 8))
    tree:add(f.p0_ver, payload(8, 8))
    tree:add(f.hard_ver, payload(16, 8))
    tree:add(f.soft_ver, payload(24, 8))
    tree:add(f.product_key, payload(32, 32))
    tree:add(f.bindable_s, payload(64, 2))
    if payload:len() >= 74 then
        tree:add(f.device_attr, payload(66, 8))
    end
end

local function p0(tree, payload)
    tree:add(f.action, payload(0, 1))
    if payload:len() > 1 then
        tree:add(f.attributes, payload(1))
    end
end

local function module_status(tree, payload)
    if payload:len() < 2 then
        return
    end
    local word = payload(0, 2)
    local bits = tree:add(f.status, word)
    for _, bit in ipairs({ "softap", "station", "config", "bindable", "router", "cloud", "signal", "app", "test" }) do
        bits:add(f[bit], word)
    end
end

local function network_time(tree, payload)
    if payload:len() < 7 then
        return
    end
    local text = string.format("%04d-%02d-%02d %02d:%02d:%02d", payload(0, 2):uint(), payload(2, 1):uint(),
        payload(3, 1):uint(), payload(4, 1):uint(), payload(5, 1):uint(), payload(6, 1):uint())
    tree:add(f.local_time, payload(0, 7), text)
    if payload:len() >= 11 then
        tree:add(f.utc, payload(7, 4))
    end
end

local function announce(tree, payload)
    if payload:len() >= 6 then
        tree:add(f.size, payload(0, 4))
        tree:add(f.md5, payload(6))
    end
end

local function ready(tree, payload)
    if payload:len() < 2 then
        return
    end
    local size = payload(0, 2):uint()
    if size > 0 and payload:len() >= 2 + size then
        tree:add(f.md5, payload(2, size))
    end
    if payload:len() >= 4 + size then
        tree:add(f.piece_size, payload(2 + size, 2))
    end
end

local function piece(tree, payload)
    if payload:len() < 4 then
        return
    end
    tree:add(f.piece, payload(0, 2))
    tree:add(f.pieces, payload(2, 2))
    if payload:len() > 4 then
        tree:add(f.piece_data, payload(4))
    end
end

local PAYLOADS = {
    [0x02] = device_info, [0x03] = p0, [0x04] = p0, [0x05] = p0, [0x0d] = module_status, [0x18] = network_time,
    [0x19] = announce, [0x1b] = ready, [0x1d] = piece,
    [0x09] = function(tree, payload) tree:add(f.mode, payload(0, 1)) end,
    [0x11] = function(tree, payload) tree:add(f.error, payload(0, 1)) end,
    [0x12] = function(tree, payload) tree:add(f.error, payload(0, 1)) end,
}

local function info_text(cmd, sn, frame)
    local text = string.format("%02x %s  sn %d", cmd, COMMANDS[cmd] or "unknown command", sn)
    if frame:len() > 9 and (cmd == 0x03 or cmd == 0x04 or cmd == 0x05) then
        local action = frame(8, 1):uint()
        text = text .. "  " .. (ACTIONS[action] or string.format("action %02x", action))
    end
    return text
end

function serial.dissector(buffer, pinfo, root)
    pinfo.cols.protocol = "MCU serial"
    local direction = buffer(0, 1):uint()
    pinfo.cols.src = direction == 1 and "MCU" or direction == 0 and "module" or "?"
    pinfo.cols.dst = direction == 0 and "MCU" or direction == 1 and "module" or "?"
    local tree = root:add(serial, buffer())
    tree:add(f.direction, buffer(0, 1))
    local frame = unstuffed(buffer(1):tvb()):tvb("Frame without stuffing")
    if frame:len() < 9 or frame(0, 2):uint() ~= 0xffff or frame(2, 2):uint() ~= frame:len() - 4 then
        tree:add_proto_expert_info(not_whole)
        pinfo.cols.info = "no whole frame"
        return buffer:len()
    end
    local cmd, sn, last = frame(4, 1):uint(), frame(5, 1):uint(), frame:len() - 1
    tree:add(f.len, frame(2, 2))
    tree:add(f.cmd, frame(4, 1))
    tree:add(f.sn, frame(5, 1))
    tree:add(f.flags, frame(6, 2))
    if last > 8 then
        local payload = frame(8, last - 8)
        local branch = tree:add(f.payload, payload)
        local explain = PAYLOADS[cmd]
        if explain then
            explain(branch, payload)
        end
    end
    local sum = 0
    for i = 2, last - 1 do
        sum = (sum + frame(i, 1):uint()) % 256
    end
    local item = tree:add(f.checksum, frame(last, 1))
    local text = info_text(cmd, sn, frame)
    if sum ~= frame(last, 1):uint() then
        item:add_proto_expert_info(bad_checksum)
        text = text .. "  [wrong checksum]"
    else
        pair(pinfo, direction, cmd, sn)
    end
    if request_of[pinfo.number] then
        local asked = request_of[pinfo.number]
        tree:add(f.request, asked.packet):set_generated()
        local trip = math.floor((pinfo.rel_ts - asked.time) * 1e6 + 0.5)
        tree:add(f.round_trip, NSTime.new(math.floor(trip / 1000000), trip % 1000000 * 1000)):set_generated()
    end
    if answer_of[pinfo.number] then
        tree:add(f.answer, answer_of[pinfo.number]):set_generated()
    end
    if repeats[pinfo.number] then
        tree:add_proto_expert_info(repeated)
        text = text .. "  [again]"
    end
    pinfo.cols.info = text
    return buffer:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, serial)
