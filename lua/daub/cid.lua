-- Content identifiers of the AT protocol's blobs: CIDv1, codec raw, SHA-256, written in base32
-- (https://atproto.com/specs/data-model#link-and-cid-formats). A CID is a hash of the bytes it
-- names.
--
--   cid.of("hello")                  "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
--   cid.sha256("bafkreibm6jg3…")     "2cf24dba5fb0a30e…": what those bytes hash to
local bit = require "bit"
local system = require "daub.core.system"

local M = {}

local ALPHABET = "abcdefghijklmnopqrstuvwxyz234567" -- RFC 4648, lower case, without padding
local PREFIX = "01551220"                          -- version 1, raw, sha2-256, 32 bytes

local digits = {}
for i = 1, 32 do digits[ALPHABET:byte(i)] = i - 1 end

-- Numbers of `from` bits each, written as numbers of `to` bits; what is left over at the end is
-- padded with zeros when `pad`.
local function regroup(numbers, from, to, pad)
  local out, held, count = {}, 0, 0
  for _, number in ipairs(numbers) do
    held, count = bit.bor(bit.lshift(held, from), number), count + from
    while count >= to do
      count = count - to
      out[#out + 1] = bit.rshift(held, count)
      held = bit.band(held, bit.lshift(1, count) - 1)
    end
  end
  if pad and count > 0 then out[#out + 1] = bit.lshift(held, to - count) end
  return out
end

---The CID of some bytes.
---@param bytes string
---@return string
function M.of(bytes)
  local numbers, text = {}, {}
  for hex in (PREFIX .. system.sha256(bytes)):gmatch("%x%x") do
    numbers[#numbers + 1] = tonumber(hex, 16)
  end
  for i, digit in ipairs(regroup(numbers, 8, 5, true)) do
    text[i] = ALPHABET:sub(digit + 1, digit + 1)
  end
  return "b" .. table.concat(text)
end

---What the bytes of a CID hash to, hexadecimal; nil for CIDs of other kinds.
---@param cid string
---@return string|nil
function M.sha256(cid)
  if not cid:match("^bafkrei[a-z2-7]+$") or #cid ~= 59 then return nil end
  local numbers, text = {}, {}
  for i = 2, #cid do numbers[i - 1] = digits[cid:byte(i)] end
  for i, byte in ipairs(regroup(numbers, 5, 8)) do text[i] = ("%02x"):format(byte) end
  return table.concat(text):match("^" .. PREFIX .. "(%x+)$")
end

return M
