-- The looks of a packed dataset: traits, palettes and themes of its pictures, found once and kept
-- beside it.
--
--     local looks = assert(catalogue.open(dataset, "covers/cache/96x32-3fe1ec.pack"))
--     looks.traits, looks.palettes, looks.themes          -- {N, 16}, {N, 5, 3}, daub.looks.Themes
local checkpoint = require "daub.checkpoint"
local image = require "daub.image"
local palette = require "daub.looks.palette"
local system = require "daub.core.system"
local tensor = require "daub.tensor"
local themes = require "daub.looks.themes"
local traits = require "daub.looks.traits"

local M = {}

local FORMAT = 1     -- of the file; to be raised when traits or palettes are found otherwise
local AT_ONCE = 256  -- pictures

---@class daub.looks.Catalogue
---@field traits daub.Tensor f32 {N, 16}
---@field palettes daub.Tensor f32 {N, 5, 3}
---@field themes daub.looks.Themes

-- nil after Ctrl-C
local function look(dataset, progress)
  local count, found, colours = dataset:info().count, {}, {}
  for first = 1, count, AT_ONCE do
    local pictures = {}
    for i = first, math.min(first + AT_ONCE - 1, count) do
      pictures[#pictures + 1] = image.to_float(dataset:picture(i))
    end
    pictures = tensor.stack(pictures)
    found[#found + 1], colours[#colours + 1] = traits.of(pictures), (palette.of(pictures))
    if system.interrupted() then return nil end
    if progress then progress(math.min(first + AT_ONCE - 1, count), count) end
  end
  return tensor.cat(found, 1), tensor.cat(colours, 1)
end

-- What is kept, unless it is another version's or other pictures'.
local function kept(path, count)
  local state = system.stat(path) and checkpoint.load(path)
  if not state or state.format ~= FORMAT or type(state.themes) ~= "table" then return nil end
  for _, found in ipairs { state.traits or false, state.palettes or false } do
    if not tensor.is_tensor(found) or found.shape[1] ~= count then return nil end
  end
  return state
end

---@param dataset daub.core.Dataset
---@param path string the dataset's own file
---@param progress? fun(done: integer, count: integer)
---@return daub.looks.Catalogue|nil catalogue, string? message, string? code
function M.open(dataset, path, progress)
  path = path:gsub("%.pack$", "") .. ".looks"
  local state = kept(path, dataset:info().count)
  if not state then
    local found, colours = look(dataset, progress)
    if not found then return nil, "interrupted", "interrupted" end
    state = { format = FORMAT, traits = found, palettes = colours,
      themes = themes.fit(found):state() }
    local ok, message, code = checkpoint.save(path, state)
    if not ok then return nil, message, code end
  end
  return { traits = state.traits, palettes = state.palettes, themes = themes.from(state.themes) }
end

return M
