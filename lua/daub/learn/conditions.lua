-- What painter and critic can be told of a picture: its theme, its palette, or both. A condition is
-- a row of numbers: 3 in the place of the picture's cluster (daub.looks.themes), then the five
-- colours of its palette and 1, or 16 zeros for a palette that is not told.
--
--     local c = conditions.new("both", looks)               -- a catalogue of the dataset
--     local rows = c:of(which, dice)                        -- i64 {N}, f32 {N} -> {N, 24}
--     c:drawn(dice, { theme = "landscape" })                -- those of pictures drawn by dice
--
-- The painter gets the row beside the latent; the critic's score is raised by the inner product of
-- its last features and a learnt embedding of the row (Miyato and Koyama 2018). While learning,
-- every other palette is left out, so that the painter can do without.
local core = require "daub.core.array"
local nn = require "daub.nn"
local options = require "daub.options"
local palette = require "daub.looks.palette"
local random = require "daub.tensor.random"
local tensor = require "daub.tensor"
local themes = require "daub.looks.themes"

local M = {}

M.kinds = { "none", "theme", "palette", "both" }

local COLOURS = 3 * palette.colours
local UNTOLD = 0.5                             -- share of the palettes that are left out
-- What makes the deviation of every number about 1.
local MARK, MIDDLE, SPREAD = 3, { 0.55, 0, 0 }, { 4, 12, 12 }

---Numbers of a condition.
---@param kind string|nil "none" (also nil), "theme", "palette" or "both"
---@return integer
function M.width(kind)
  local theme, colours = M.parts(kind)
  return (theme and themes.clusters or 0) + (colours and COLOURS + 1 or 0)
end

---Whether a kind of condition tells the theme, and the palette.
---@param kind string|nil
---@return boolean theme, boolean palette
function M.parts(kind)
  return kind == "theme" or kind == "both", kind == "palette" or kind == "both"
end

---Tells a critic the conditions of the pictures it will be shown, until it is told others; nil:
---nothing. Pictures of several kinds in one batch, one kind after the other, have the same.
---@param critic daub.Module
---@param rows daub.Tensor|nil {N, width}
function M.tell(critic, rows)
  critic:apply(function(layer)
    if layer.suiting then layer.suiting.rows = rows end
  end)
end

---@class daub.learn.Conditions
---@field kind "theme"|"palette"|"both"
---@field themes daub.looks.Themes
---@field clusters daub.Tensor i64 {N}: of the pictures learnt from
---@field palettes daub.Tensor {N, 5, 3}: theirs
local Conditions = {}
Conditions.__index = Conditions

---@param kind "theme"|"palette"|"both"
---@param looks daub.looks.Catalogue of the dataset that is learnt from
---@return daub.learn.Conditions
function M.new(kind, looks)
  options.choice("conditions.new", "the kind", kind, { "theme", "palette", "both" })
  return setmetatable({ kind = kind, themes = looks.themes, traits = looks.traits,
    clusters = looks.themes:of(looks.traits), palettes = looks.palettes }, Conditions)
end

-- Rows of clusters i64 {N}, palettes {N, 5, 3} and whether these are told, f32 {N}.
function Conditions:rows(clusters, palettes, told)
  local n, parts = clusters.shape[1], {}
  local theme, colours = M.parts(self.kind)
  if theme then
    local places = tensor.arange(1, themes.clusters + 1, { dtype = "i64" })
    parts[1] = clusters:unsqueeze(2):eq(places):to("f32") * MARK
  end
  if colours then
    told = told:unsqueeze(2)
    local scaled = (palettes - tensor.from(MIDDLE)) * tensor.from(SPREAD)
    parts[#parts + 1] = scaled:reshape { n, COLOURS } * told
    parts[#parts + 1] = told
  end
  return tensor.cat(parts, 2)
end

---The conditions of pictures of the dataset.
---@param which daub.Tensor i64 {N}, from 1
---@param dice daub.Tensor f32 {N}, 0 … 1: whether each one's palette is left out
---@return daub.Tensor {N, width}
function Conditions:of(which, dice)
  return self:rows(self.clusters:index_select(1, which), self.palettes:index_select(1, which),
    dice:ge(UNTOLD):to("f32"))
end

---The pictures of a theme, or all.
---@param theme string|nil
---@return daub.Tensor|nil which i64 {N}; nil when there is none
function Conditions:having(theme)
  local list = {}
  for i, cluster in ipairs(self.clusters:totable()) do
    if not theme or themes.name(cluster) == theme then list[#list + 1] = i end
  end
  return list[1] and tensor.from(list, { dtype = "i64" }) or nil
end

---Conditions drawn as the pictures learnt from have them.
---@param dice daub.Tensor f32 {N, 2}, 0 … 1
---@param o? {theme: string, palette: daub.Tensor} only those of this theme; with these colours
--- {1 … 5, 3} instead of theirs
---@return daub.Tensor rows {N, width}
function Conditions:drawn(dice, o)
  o = o or {}
  local among = self:having(o.theme)
    or options.misuse("conditions: no picture has the theme " .. o.theme)
  local n = among.shape[1]
  local place = (dice:select(2, 1) * n):floor():clamp(0, n - 1):to("i64") + 1
  local which = among:index_select(1, place)
  if not o.palette then return self:of(which, dice:select(2, 2)) end
  local count = which.shape[1]
  local five = palette.filled(o.palette):unsqueeze(1):expand { count, palette.colours, 3 }
  return self:rows(self.clusters:index_select(1, which), five, tensor.ones { count })
end

---What a checkpoint holds: enough to paint.
function Conditions:state()
  return { kind = self.kind, themes = self.themes:state(), clusters = self.clusters,
    palettes = self.palettes }
end

---Goes on with the clusters of a checkpoint, and the pictures there are now.
function Conditions:load_state(state)
  self.themes = themes.from(state.themes)
  self.clusters = self.themes:of(self.traits)
end

---Those of a checkpoint, to paint with.
---@param state table
---@return daub.learn.Conditions
function M.from(state)
  return setmetatable({ kind = state.kind, themes = themes.from(state.themes),
    clusters = state.clusters, palettes = state.palettes }, Conditions)
end

-- ---- painting

local ASIDE = 2 ^ 40 -- from the random numbers that a network may draw for the same latent

-- A generator that draws its conditions itself, by the latent's first two numbers: so a latent has
-- one picture, whatever is painted beside it.
local Painter = nn.class "Painter"
function Painter:init(network, told, o)
  self.network, self.conditions, self.latent = network, told, o.latent
  self.wanted = { theme = o.theme, palette = o.palette }
end
---Latents with their conditions beside them; those that have them stay as they are.
---@param z daub.Tensor {N, latent}
---@return daub.Tensor {N, latent + width}
function Painter:complete(z)
  if z.shape[2] ~= self.latent then return z end
  local dice = {}
  for i, seed in ipairs(random.seeds(z)) do
    dice[i] = core.uniform(random.at(seed, ASIDE), { 1, 2 }, "f32")
  end
  return tensor.cat({ z, self.conditions:drawn(tensor.wrap(core.concat(dice, 1)),
    self.wanted) }, 2)
end
function Painter:noise(z, count) return self.network:noise(z, count) end
function Painter:forward(z) return self.network(self:complete(z)) end

---A generator of any run as one that takes plain latents {N, latent}.
---@param network daub.Module
---@param state table a checkpoint's; without conditions the network is given back as it is
---@param o {latent: integer, theme: string|nil, palette: daub.Tensor|nil} pictures of this theme,
--- in these colours, as far as the run was told of them
---@return daub.Module|nil painter nil when no picture learnt from has the theme
---@return string? message
function M.painter(network, state, o)
  if not state.conditions then return network end
  local told = M.from(state.conditions)
  local theme, colours = M.parts(told.kind)
  local wanted = { latent = o.latent, theme = theme and o.theme or nil,
    palette = colours and o.palette or nil }
  if not told:having(wanted.theme) then
    return nil, ("no picture that the run learnt from is called %s"):format(wanted.theme)
  end
  return Painter(network, told, wanted):eval()
end

return M
