-- What the words of `daub paint` ask for, checked before any work.
--
--     local ask, message = request.read(o)                   -- o: daub.cli's table
--     ask.kind                                               -- "pictures", "walk" or "strip"
--     ask.count, ask.cells, ask.pair, ask.colours, ask.scale, ask.size, ask.mark
local draw = require "daub.paint.draw"
local palette = require "daub.looks.palette"
local sizes = require "daub.sizes"

local M = {}

---What latents are multiplied with: nearer to what is usual, or farther from it.
M.calm, M.wild = 0.75, 1.25

local STOPS, STRIP, PICTURES = 8, 9, 12 -- unless --count says otherwise
local UNLIKE = { { "for", "size" }, { "calm", "wild" }, { "walk", "grid" }, { "walk", "between" },
  { "between", "grid" }, { "between", "best_of" }, { "between", "theme" },
  { "calm", "theme" }, { "wild", "theme" }, { "calm", "palette" }, { "wild", "palette" },
  { "between", "palette" }, { "between", "for" }, { "between", "size" } }

local function flag(key) return "--" .. key:gsub("_", "-") end

local function sides(o)
  for _, pair in ipairs(UNLIKE) do
    if o[pair[1]] and o[pair[2]] then
      return ("%s and %s exclude each other"):format(flag(pair[1]), flag(pair[2]))
    end
  end
  if o.size and (math.max(o.size.width, o.size.height) > 65535
    or o.size.width * o.size.height > 10 ^ 8) then
    return "--size: at most 65535 a side and 100 megapixels"
  end
  if o.walk and o.size and math.max(o.size.width, o.size.height) > 16383 then
    return "--size: at most 16383 a side in a walk"
  end
  if o.grid and o.grid.width * o.grid.height > 10000 then
    return "--grid: at most 10000 pictures"
  end
end

-- How many pictures, in the kind that is asked for.
local function counts(o, ask)
  ask.kind = o.walk and "walk" or o.between and "strip" or "pictures"
  ask.cells = o.grid and o.grid.width * o.grid.height or 0
  ask.count = o.count or o.walk and math.min(STOPS, o.walk) or o.between and STRIP
    or (o.grid and not (o["for"] or o.size) and 0) or PICTURES
  local most = math.max(ask.count, ask.cells)
  if o.best_of and most > o.best_of then
    return ("--best-of %d: fewer than the %d wanted"):format(o.best_of, most)
  end
  if ask.kind ~= "pictures" and ask.count < 2 then return "--count: at least 2 expected" end
  if o.walk and o.walk < ask.count then
    return ("--walk %d: fewer frames than the %d paintings it goes through"):format(o.walk,
      ask.count)
  end
end

-- What tells the files of different wishes apart: "", "-calm", "-landscape-1b2a49-f2a65a" …
local function mark(o, colours)
  local words = { o.calm and "-calm" or o.wild and "-wild" or "", o.theme and "-" .. o.theme or "" }
  for _, hex in ipairs(colours and palette.hex(colours) or {}) do
    words[#words + 1] = "-" .. hex:sub(2)
  end
  return table.concat(words)
end

---@param o table size, ["for"], grid, count, best_of, walk, between, palette, calm, wild, seed …
---@return table|nil ask, string? message
function M.read(o)
  local ask = { scale = o.calm and M.calm or o.wild and M.wild or 1 }
  local message = sides(o) or counts(o, ask)
  if message then return nil, message end
  if o.between then
    ask.pair, message = draw.pair(o.between, o.seed)
    if message then return nil, "--between: " .. message end
  end
  if o.palette then
    ask.colours, message = palette.parse(o.palette)
    if message then return nil, "--palette: " .. message end
  end
  ask.mark = mark(o, ask.colours)
  local size = o.size or sizes.networks[o["for"]] or ask.kind == "pictures" and sizes.networks.x
  ask.size = size and { width = size.width, height = size.height, max_bytes = size.max_bytes,
    ["for"] = o["for"], format = o.format,
    label = o["for"] or o.size and ("%dx%d"):format(size.width, size.height) or "x" } or nil
  return ask
end

return M
