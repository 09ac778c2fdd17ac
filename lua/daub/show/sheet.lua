-- A contact sheet: many pictures of a collection side by side, each cut to one shape.
--
--   local c = assert(collection.open("covers"))
--   local pixels, info = sheet.make(c, { count = 240, order = "colour" })
--   image.save("sheet.png", pixels)
--
-- Pictures are decoded in the sandbox, a few at a time; only their small cells are kept.
local array = require "daub.core.array"
local core = require "daub.core.image"
local image = require "daub.image"
local system = require "daub.core.system"
local tensor = require "daub.tensor"
local themes = require "daub.looks.themes"
local traits = require "daub.looks.traits"

local M = {}

M.max_pixels = 64e6 -- of a whole sheet

-- ---- which pictures -----------------------------------------------------------------------------

local function choose(collection, o)
  local newest = o.order == "newest"
  local list, message, code = collection:pictures({ order = newest and "newest" or nil })
  if not list then return nil, message, code end
  if #list == 0 then
    return nil, collection.path .. ": no pictures (collect some first)", "empty"
  end
  local count = math.min(o.count, #list)
  local chosen = {}
  if newest then
    for i = 1, count do chosen[i] = list[i] end
  else
    local order = array.totable(array.permutation(array.generator(o.seed), #list))
    for i = 1, count do chosen[i] = list[order[i]] end
  end
  return chosen
end

-- ---- their cells --------------------------------------------------------------------------------

-- Decodes and shrinks the pictures; those that fail are left out. nil after Ctrl-C.
local function cells_of(chosen, o)
  local decoder = core.decoder({ workers = math.max(1, math.min(system.threads(), 8)) })
  local cells, submitted, finished = {}, 0, 0
  while finished < #chosen do
    while submitted < #chosen and decoder:pending() < 16 do
      submitted = submitted + 1
      decoder:submit(submitted, { path = chosen[submitted].path })
    end
    local results, message, code = decoder:poll(0.5)
    if not results then return nil, message, code end
    for _, result in ipairs(results) do
      finished = finished + 1
      if result.pixels then
        local cell = image.cover(result.pixels, o.cell.width, o.cell.height).array
        cells[#cells + 1] = { rank = result.id, pixels = cell, sha256 = chosen[result.id].sha256,
          small = o.by and image.cover(result.pixels, traits.width, traits.height) }
      end
    end
    if o.on_progress then o.on_progress(finished, #chosen) end
  end
  decoder:close()
  table.sort(cells, function(a, b) return a.rank < b.rank end)
  return cells
end

-- ---- their places -------------------------------------------------------------------------------

-- Hue in turns, whether it is a grey, and the brightness of a mean colour.
local function colour_of(cell)
  local mean = core.statistics(cell.pixels).mean
  local r, g, b = mean[1], mean[2], mean[3]
  local high, low = math.max(r, g, b), math.min(r, g, b)
  cell.light = 0.299 * r + 0.587 * g + 0.114 * b
  cell.grey = high - low < 0.1 * high + 8
  local spread = math.max(high - low, 1e-6)
  local hue
  if high == r then
    hue = (g - b) / spread
  elseif high == g then
    hue = 2 + (b - r) / spread
  else
    hue = 4 + (r - g) / spread
  end
  cell.hue = (hue / 6 + 0.05) % 1 -- reds begin the circle, not end it
end

-- Hues run across, light falls from top to bottom; greys are a block of their own at the end.
local function by_colour(cells, columns)
  local rows = math.floor(#cells / columns)
  for _, cell in ipairs(cells) do colour_of(cell) end
  table.sort(cells, function(a, b)
    if a.grey ~= b.grey then return b.grey end
    if a.grey then return a.light > b.light or (a.light == b.light and a.rank < b.rank) end
    return a.hue < b.hue or (a.hue == b.hue and a.rank < b.rank)
  end)
  local placed = {}
  for column = 1, columns do
    local strip = {}
    for row = 1, rows do strip[row] = cells[(column - 1) * rows + row] end
    table.sort(strip, function(a, b)
      return a.light > b.light or (a.light == b.light and a.rank < b.rank)
    end)
    for row = 1, rows do placed[(row - 1) * columns + column] = strip[row] end
  end
  return placed
end

-- One theme below the other, each from a new row on; the rest of its last row is left blank.
local function by_theme(cells, columns, blank)
  local pixels = {}
  for i, cell in ipairs(cells) do pixels[i] = image.to_float(cell.small) end
  local ruled = themes.by_rules(traits.of(tensor.stack(pixels))):totable()
  local placed = {}
  for theme, name in ipairs(themes.names) do
    for i, cell in ipairs(cells) do
      if ruled[i] == theme then
        cell.theme = name
        placed[#placed + 1] = cell
      end
    end
    while #placed % columns ~= 0 do placed[#placed + 1] = { pixels = blank } end
  end
  return placed
end

-- Columns that make the sheet about 4:3.
local function columns_for(n, o)
  local across, down = o.cell.width + o.gap, o.cell.height + o.gap
  return math.max(1, math.min(n, math.floor(math.sqrt(n * down / across * 4 / 3) + 0.5)))
end

---@class daub.SheetOptions
---@field count integer?    pictures at most (240)
---@field columns integer?  default: what makes the sheet about 4:3
---@field cell {width: integer, height: integer}?  240x80
---@field order "colour"|"random"|"newest"|nil  colour: a random choice, laid out by hue and light
---@field by "theme"|nil      one theme below the other (daub.looks.themes)
---@field seed integer?     of the choice (1)
---@field gap integer?      pixels between cells (6)
---@field background integer[]?  RGB
---@field on_progress fun(done: integer, total: integer)?

---Lays pictures of a collection out. Whole rows only, unless there are too few for three rows.
---@param collection daub.Collection
---@param o daub.SheetOptions?
---@return daub.Tensor|nil pixels u8 {height, width, 3}
---@return {columns: integer, rows: integer, pictures: string[], themes: string[]|nil}|string
--- info_or_message pictures by row; by theme also what each is called
---@return string? code
function M.make(collection, o)
  local defaults = { count = 240, cell = { width = 240, height = 80 }, order = "colour", seed = 1,
    gap = 6, background = { 16, 17, 20 } }
  o = setmetatable(o or {}, { __index = defaults })
  local chosen, message, code = choose(collection, o)
  if not chosen then return nil, message, code end
  local area = #chosen * (o.cell.width + o.gap) * (o.cell.height + o.gap)
  if area > M.max_pixels then
    return nil, ("a sheet of %.0f megapixels is over the limit of %.0f (fewer or smaller cells)")
      :format(area / 1e6, M.max_pixels / 1e6), "size"
  end
  local cells
  cells, message, code = cells_of(chosen, o)
  if not cells then return nil, message, code end
  if #cells == 0 then return nil, collection.path .. ": no picture could be decoded", "decode" end
  local columns = math.min(o.columns or columns_for(#cells, o), #cells)
  local named
  if o.by == "theme" then
    local blank = array.new({ o.cell.height, o.cell.width, 3 }, "u8")
    array.copy_(blank, array.from(o.background, { 3 }, "u8"))
    cells, named = by_theme(cells, columns, blank), {}
  elseif #cells >= 3 * columns then
    for i = #cells, #cells - #cells % columns + 1, -1 do cells[i] = nil end
    if o.order == "colour" then cells = by_colour(cells, columns) end
  end
  local pixels, pictures = {}, {}
  for i, cell in ipairs(cells) do
    pixels[i], pictures[#pictures + 1] = cell.pixels, cell.sha256
    if named then named[#named + 1] = cell.theme end
  end
  return image.grid(pixels, { columns = columns, gap = o.gap, background = o.background }),
    { columns = columns, rows = math.ceil(#cells / columns), pictures = pictures, themes = named }
end

return M
