-- Shows longhaul's migration protocol, version 2.2, in Wireshark and tshark.
--
--   tshark -X lua_script:captures/longhaul.lua -r captures/migration.pcapng -Y longhaul
--
-- On port 8000: the links' preambles and greetings, control messages, page records (TCP), and the packets of the
-- UDP transport with their frames. src/vmotion-protocol/SPEC.md has the formats; the names of fields are those there.
-- Records of secured links are shown with their headers; what they carry is sealed.
-- Left out: streams put together from UDP packets (CONTROL frames are shown packet by packet), and the datagrams of
-- the reliable stream of the `loopback` attach beyond their headers.

local longhaul = Proto("longhaul", "longhaul migration")

local LINK_KINDS = { [1] = "control", [2] = "pages", [3] = "demand" }
local RECORD_KINDS = { [1] = "DATA", [2] = "ZERO", [3] = "END", [4] = "HASHED", [5] = "ENCODED", [6] = "ENCODED_HASHED" }
local ENCODINGS = { [0] = "RAW", [1] = "ZERO", [2] = "SAME", [3] = "DELTA", [4] = "COMPRESSED" }
local FRAME_KINDS = {
  [1] = "PAGE", [2] = "ZERO", [3] = "END", [4] = "CONTROL", [5] = "ACK",
  [6] = "PARITY", [7] = "PROBE", [8] = "PING", [9] = "CLOSE",
}
local GREETING_KINDS = { [1] = "BEGIN", [2] = "JOIN" }
local SECURE_KINDS = { [1] = "HANDSHAKE", [2] = "SEALED" }

local f = {
  kind = ProtoField.uint8("longhaul.link.kind", "Link", base.DEC, LINK_KINDS),
  stream = ProtoField.uint8("longhaul.link.stream", "Stream"),
  migration = ProtoField.bytes("longhaul.migration", "Migration id"),
  greeting = ProtoField.uint8("longhaul.greeting", "Greeting", base.DEC, GREETING_KINDS),
  secure = ProtoField.uint8("longhaul.secure.kind", "Secured record", base.DEC, SECURE_KINDS),
  secure_length = ProtoField.uint32("longhaul.secure.length", "Sealed bytes"),
  length = ProtoField.uint32("longhaul.message.length", "Message length"),
  type = ProtoField.string("longhaul.message.type", "Message"),
  field = ProtoField.string("longhaul.message.field", "Field"),
  record = ProtoField.uint8("longhaul.record.kind", "Page record", base.DEC, RECORD_KINDS),
  round = ProtoField.uint32("longhaul.round", "Round"),
  runs = ProtoField.uint16("longhaul.record.runs", "Runs"),
  pages = ProtoField.uint32("longhaul.record.pages", "Pages"),
  pfn = ProtoField.uint32("longhaul.pfn", "First page"),
  count = ProtoField.uint32("longhaul.count", "Pages of the run"),
  encoding = ProtoField.uint8("longhaul.page.encoding", "Page travels as", base.DEC, ENCODINGS),
  encoded = ProtoField.uint16("longhaul.page.bytes", "Bytes of the page"),
  flags = ProtoField.uint8("longhaul.packet.flags", "Flags", base.HEX),
  connection = ProtoField.uint32("longhaul.packet.connection", "Connection", base.HEX),
  number = ProtoField.uint64("longhaul.packet.number", "Packet number"),
  frame = ProtoField.uint8("longhaul.frame.kind", "Frame", base.DEC, FRAME_KINDS),
  version = ProtoField.uint32("longhaul.page.version", "Version"),
  offset = ProtoField.uint64("longhaul.frame.offset", "Offset"),
  bytes = ProtoField.uint16("longhaul.frame.bytes", "Bytes"),
  largest = ProtoField.uint64("longhaul.ack.largest", "Largest acknowledged"),
  window = ProtoField.uint32("longhaul.ack.window", "Window"),
}
for _, field in pairs(f) do table.insert(longhaul.fields, field) end

local PORT = 8000

-- MessagePack, as far as the protocol uses it: numbers, text, bytes, true, false, nil, maps. Returns text and the next
-- offset, or nil where the bytes are no such value. https://github.com/msgpack/msgpack/blob/master/spec.md
local value

local function text_of(buf, at, length)
  if at + length > buf:len() then return nil end
  return buf(at, length):string(), at + length
end

local function hex_of(buf, at, length)
  if at + length > buf:len() then return nil end
  if length == 0 then return "(no bytes)", at end
  local shown = math.min(length, 16)
  local hex = tostring(buf(at, shown):bytes()):lower()
  if shown < length then hex = hex .. "… (" .. length .. " bytes)" end
  return hex, at + length
end

local function map_of(buf, at, entries, depth)
  if depth > 3 then return nil end
  local parts = {}
  for _ = 1, entries do
    local key, val
    key, at = value(buf, at, depth)
    if key == nil then return nil end
    val, at = value(buf, at, depth)
    if val == nil then return nil end
    table.insert(parts, { key, val })
  end
  if depth == 1 then return parts, at end
  local words = {}
  for _, p in ipairs(parts) do table.insert(words, p[1] .. " " .. p[2]) end
  return "{" .. table.concat(words, ", ") .. "}", at
end

value = function(buf, at, depth)
  if at >= buf:len() then return nil end
  local b = buf(at, 1):uint()
  local left = buf:len() - at - 1
  local function number(bytes, signed, float)
    if left < bytes then return nil end
    local range = buf(at + 1, bytes)
    local n
    if float then n = range:float()
    elseif bytes == 8 then n = signed and range:int64() or range:uint64()
    else n = signed and range:int() or range:uint() end
    return tostring(n), at + 1 + bytes
  end
  if b <= 0x7f then return tostring(b), at + 1 end
  if b >= 0xe0 then return tostring(b - 256), at + 1 end
  if b >= 0xa0 and b <= 0xbf then return text_of(buf, at + 1, b - 0xa0) end
  if b >= 0x80 and b <= 0x8f then return map_of(buf, at + 1, b - 0x80, depth + 1) end
  if b == 0xc0 then return "nil", at + 1 end
  if b == 0xc2 then return "false", at + 1 end
  if b == 0xc3 then return "true", at + 1 end
  local function sized(bytes) if left < bytes then return nil end return buf(at + 1, bytes):uint() end
  local sizes = { [0xc4] = 1, [0xc5] = 2, [0xc6] = 4, [0xd9] = 1, [0xda] = 2, [0xdb] = 4, [0xde] = 2, [0xdf] = 4 }
  local size = sizes[b]
  if size ~= nil then
    local length = sized(size)
    if length == nil then return nil end
    local from = at + 1 + size
    if b <= 0xc6 then return hex_of(buf, from, length) end
    if b <= 0xdb then return text_of(buf, from, length) end
    if length > 32 then return nil end
    return map_of(buf, from, length, depth + 1)
  end
  if b == 0xca then return number(4, true, true) end
  if b == 0xcb then return number(8, true, true) end
  if b == 0xcc then return number(1, false) end
  if b == 0xcd then return number(2, false) end
  if b == 0xce then return number(4, false) end
  if b == 0xcf then return number(8, false) end
  if b == 0xd0 then return number(1, true) end
  if b == 0xd1 then return number(2, true) end
  if b == 0xd2 then return number(4, true) end
  if b == 0xd3 then return number(8, true) end
  return nil
end

-- One control message, its length in front.
local function message(buf, pinfo, tree)
  local item = tree:add(longhaul, buf(), "longhaul control message")
  item:add(f.length, buf(0, 4))
  local body = buf(4):tvb()
  local fields = value(body, 0, 0)
  if type(fields) ~= "table" then
    item:append_text(": not MessagePack")
    return
  end
  local words = {}
  local name = "?"
  for _, field in ipairs(fields) do
    if field[1] == "type" then name = field[2]
    else table.insert(words, field[1] .. " " .. field[2]) end
  end
  item:add(f.type, body(), name)
  for _, w in ipairs(words) do item:add(f.field, body(), w) end
  item:append_text(": " .. name)
  pinfo.cols.info:append(" [" .. name .. "]")
end

local HEADER = 16
local RUN = 8
local HASH = 8
local PAGE = 4096
local DESCRIPTOR = 4

-- Where the descriptors of encoded pages begin and end; nil for a record that has none.
local function descriptors_of(buf)
  local kind = buf(2, 1):uint()
  if kind ~= 5 and kind ~= 6 then return nil end
  local pages = buf(12, 4):le_uint()
  local at = HEADER + buf(8, 2):le_uint() * RUN + (kind == 6 and pages * HASH or 0)
  return at, at + pages * DESCRIPTOR
end

-- Nil while the descriptors that tell it have not all come.
local function record_length(buf)
  local from, to = descriptors_of(buf)
  if from ~= nil then
    if to > buf:len() then return nil end
    local length = to
    for at = from, to - DESCRIPTOR, DESCRIPTOR do length = length + buf(at + 2, 2):le_uint() end
    return length
  end
  local kind = buf(2, 1):uint()
  local runs = buf(8, 2):le_uint()
  local pages = buf(12, 4):le_uint()
  local length = HEADER + runs * RUN
  if kind == 1 then length = length + pages * PAGE end
  if kind == 4 then length = length + pages * (PAGE + HASH) end
  return length
end

local function record(buf, pinfo, tree)
  local item = tree:add(longhaul, buf(), "longhaul page record")
  local kind = buf(2, 1):uint()
  item:add(f.record, buf(2, 1))
  item:add_le(f.round, buf(4, 4))
  item:add_le(f.runs, buf(8, 2))
  item:add_le(f.pages, buf(12, 4))
  local runs = buf(8, 2):le_uint()
  for i = 0, runs - 1 do
    local at = HEADER + i * RUN
    if at + RUN > buf:len() then break end
    item:add_le(f.pfn, buf(at, 4))
    item:add_le(f.count, buf(at + 4, 4))
  end
  local from, to = descriptors_of(buf)
  if from ~= nil then
    for at = from, to - DESCRIPTOR, DESCRIPTOR do
      item:add(f.encoding, buf(at, 1))
      item:add_le(f.encoded, buf(at + 2, 2))
    end
  end
  local name = RECORD_KINDS[kind] or "?"
  item:append_text(": " .. name .. " of round " .. buf(4, 4):le_uint())
  pinfo.cols.info:append(" [" .. name .. " r" .. buf(4, 4):le_uint() .. " " .. buf(12, 4):le_uint() .. " pages]")
end

-- The next piece of a TCP link: how long it is (nil: not yet known), and what shows it.
local function piece(buf)
  local left = buf:len()
  if left < 4 then return nil end
  local magic = buf(0, 4):uint()
  if magic == 0x4c48564d then
    return 24, function(b, pinfo, tree)
      local item = tree:add(longhaul, b(), "longhaul link: " .. (LINK_KINDS[b(4, 1):uint()] or "?"))
      item:add(f.kind, b(4, 1))
      item:add(f.stream, b(5, 1))
      item:add(f.migration, b(8, 16))
      pinfo.cols.info:append(" [link: " .. (LINK_KINDS[b(4, 1):uint()] or "?") .. "]")
    end
  end
  if magic == 0x4c485653 then
    return 56, function(b, pinfo, tree)
      local item = tree:add(longhaul, b(), "longhaul secured link")
      item:add(f.greeting, b(4, 1))
      pinfo.cols.info:append(" [secured link]")
    end
  end
  if buf(0, 2):le_uint() == 0x504c then
    if left < HEADER then return nil end
    return record_length(buf), record
  end
  local first = buf(0, 1):uint()
  if (first == 1 or first == 2) and left >= 8 and buf(2, 2):uint() == 0 then
    local length = 8 + buf(4, 4):uint() + (first == 2 and 16 or 0)
    return length, function(b, pinfo, tree)
      local item = tree:add(longhaul, b(), "longhaul secured record: " .. (SECURE_KINDS[first] or "?"))
      item:add(f.secure, b(0, 1))
      item:add(f.secure_length, b(4, 4))
      pinfo.cols.info:append(" [" .. (SECURE_KINDS[first] or "?") .. "]")
    end
  end
  -- A message is at most 1 MiB and begins with a map: a length that is none is no message.
  local length = buf(0, 4):uint()
  if length >= 1 and length <= 1048576 then
    if left < 5 then return nil end
    local map = buf(4, 1):uint()
    if (map >= 0x80 and map <= 0x8f) or map == 0xde then return 4 + length, message end
  end
  return 0
end

local function tcp_link(buf, pinfo, tree)
  local at = 0
  pinfo.cols.protocol = "longhaul"
  while at < buf:len() do
    local length, show = piece(buf(at):tvb())
    if length == nil or (length ~= 0 and at + length > buf:len()) then
      pinfo.desegment_offset = at
      pinfo.desegment_len = length == nil and DESEGMENT_ONE_MORE_SEGMENT or at + length - buf:len()
      return buf:len()
    end
    -- Requests of a demand link are page numbers, four bytes each, and the rest of a link joined midway is unknown.
    if length == 0 then
      tree:add(longhaul, buf(at), "longhaul: bytes of a link whose beginning is not known")
      return buf:len()
    end
    show(buf(at, length):tvb(), pinfo, tree)
    at = at + length
  end
  return buf:len()
end

local function u48(range) return range(0, 4):le_uint64() + UInt64.new(0, 1) * UInt64.new(range(4, 2):le_uint()) end

-- Each frame of the UDP transport: what it is, its length.
local function udp_frame(buf, at, tree)
  local left = buf:len() - at
  local kind = buf(at, 1):uint()
  local name = FRAME_KINDS[kind]
  if name == nil or left < 4 then return nil end
  local fixed = ({ 16, 12, 8, 12, 28, 16, 4, 4, 4 })[kind]
  if left < fixed then return nil end
  local length = fixed
  if kind == 1 then length = fixed + buf(at + 4, 2):le_uint()
  elseif kind == 4 then length = fixed + buf(at + 2, 2):le_uint()
  elseif kind == 5 then length = fixed + 4 * buf(at + 1, 1):uint()
  elseif kind == 6 then length = fixed + buf(at + 2, 2):le_uint()
  elseif kind == 7 then length = left end
  if length > left then return nil end
  local item = tree:add(longhaul, buf(at, length), "frame " .. name)
  item:add(f.frame, buf(at, 1))
  if kind == 1 then
    item:add_le(f.pfn, buf(at + 8, 4))
    item:add_le(f.version, buf(at + 12, 4))
    item:add_le(f.bytes, buf(at + 4, 2))
  elseif kind == 2 then
    item:add_le(f.pfn, buf(at + 4, 4))
    item:add(f.count, buf(at + 2, 2), buf(at + 2, 2):le_uint())
    item:add_le(f.version, buf(at + 8, 4))
  elseif kind == 3 then
    item:add_le(f.pages, buf(at + 4, 4))
  elseif kind == 4 then
    item:add(f.offset, buf(at + 4, 6), u48(buf(at + 4, 6)))
    item:add_le(f.bytes, buf(at + 2, 2))
  elseif kind == 5 then
    item:add(f.largest, buf(at + 8, 6), u48(buf(at + 8, 6)))
    item:add_le(f.window, buf(at + 24, 4))
  end
  return length, name
end

local function udp_packet(buf, pinfo, tree)
  pinfo.cols.protocol = "longhaul"
  local item = tree:add(longhaul, buf(), "longhaul packet")
  item:add(f.flags, buf(2, 1))
  item:add_le(f.connection, buf(4, 4))
  item:add(f.number, buf(8, 6), u48(buf(8, 6)))
  item:add(f.round, buf(14, 2), buf(14, 2):le_uint())
  local names = {}
  local at = 16
  while at < buf:len() do
    local length, name = udp_frame(buf, at, item)
    if length == nil then
      item:append_text(", sealed or not a frame from byte " .. at .. " on")
      break
    end
    table.insert(names, name)
    at = at + length
  end
  pinfo.cols.info = "round " .. buf(14, 2):le_uint() .. " " .. table.concat(names, ", ")
end

function longhaul.dissector(buf, pinfo, tree)
  if pinfo.port_type == 2 then return tcp_link(buf, pinfo, tree) end
  if buf:len() >= 16 and buf(0, 2):le_uint() == 0x554c then
    udp_packet(buf, pinfo, tree)
    return buf:len()
  end
  if buf:len() >= 20 and buf(0, 2):uint() == 0x4c53 then
    pinfo.cols.protocol = "longhaul"
    tree:add(longhaul, buf(), "longhaul reliable stream"):add(f.connection, buf(4, 4))
    return buf:len()
  end
  return 0
end

DissectorTable.get("tcp.port"):add(PORT, longhaul)
DissectorTable.get("udp.port"):add(PORT, longhaul)
